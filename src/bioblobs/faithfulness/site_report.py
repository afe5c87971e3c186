"""Measurements of contributions and annotated residues on one set of chains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioblobs.faithfulness.chains import Chains
from bioblobs.faithfulness.site_enrichment import (
    enrichment,
    important_blobs,
    mantel_haenszel,
    tables_of_chains,
)
from bioblobs.faithfulness.site_rankings import (
    CONTRIBUTION,
    Scored,
    residues_of_best,
    roc_areas,
    share_held,
)
from bioblobs.faithfulness.statistics import Interval, mean_interval
from bioblobs.inference.explained import Explained, Floats

TOP = 3
"""Shares are measured for the one, two and three blobs that contribute most."""


def measure_sites(
    chains: Chains,
    explained: Explained,
    ranked: Mapping[str, list[Scored]],
    site: NDArray[np.bool_],
    seed: int,
) -> dict[str, Any] | None:
    """Means over the chains that have a site, with intervals; gains are paired, chain by chain.

    Args:
        ranked: of :func:`~bioblobs.faithfulness.site_rankings.site_rankings`.
        site: (N,) annotated residues.

    Returns:
        None where no chain has a site.
    """
    having = np.bincount(chains.protein[site], minlength=len(chains)) > 0
    if not having.any():
        return None
    areas = {
        name: np.mean([roc_areas(chains, each.score, site) for each in drawn], axis=0)
        for name, drawn in ranked.items()
    }
    return {
        "chains": int(having.sum()),
        "sites": int(site.sum()),
        "accuracy": round(float(_right(chains, explained)[having].mean()), 5),
        "auc": {name: mean_interval(values, seed) for name, values in areas.items()},
        "auc_gain": _gains(areas, seed),
        "top_blobs": _top_blobs(chains, explained, ranked, site, seed),
        "odds_ratio": _odds_ratios(chains, explained, ranked, site),
        "enrichment": enrichment(chains, explained, site, seed),
    }


def _right(chains: Chains, explained: Explained) -> NDArray[np.bool_]:
    """(P,) True where the most probable class is one of the chain's."""
    labels = np.asarray(chains.store.labels[chains.rows])
    if labels.ndim == 2:
        return np.asarray(labels[np.arange(len(chains)), explained.target], bool)
    return np.asarray(labels == explained.target)


def _gains(values: Mapping[str, Floats], seed: int) -> dict[str, Interval]:
    """Gain of contribution over each control."""
    own = values[CONTRIBUTION]
    return {name: mean_interval(own - each, seed) for name, each in values.items() if name != CONTRIBUTION}


def _top_blobs(
    chains: Chains,
    explained: Explained,
    ranked: Mapping[str, list[Scored]],
    site: NDArray[np.bool_],
    seed: int,
) -> dict[str, Any]:
    """Share of the sites in the best blobs, beside as many residues that each control puts first."""
    counts = residues_of_best(chains, explained, TOP)
    having = np.bincount(chains.protein[site], minlength=len(chains)) > 0
    made = {}
    for blobs in range(1, TOP + 1):
        count = counts[:, blobs - 1]
        held = {
            name: np.mean([share_held(chains, each.place, count, site) for each in drawn], axis=0)
            for name, drawn in ranked.items()
        }
        made[str(blobs)] = {
            "residues": mean_interval(np.where(having, count / chains.lengths, np.nan), seed),
            "sites": {name: mean_interval(values, seed) for name, values in held.items()},
            "sites_gain": _gains(held, seed),
        }
    return made


def _odds_ratios(
    chains: Chains, explained: Explained, ranked: Mapping[str, list[Scored]], site: NDArray[np.bool_]
) -> dict[str, float | None]:
    """Odds of being a site, the first residues of a ranking against the others (Mantel-Haenszel).

    As many first residues as there are in important blobs. Null where it is infinite.
    """
    important = explained.of_residues(important_blobs(explained).astype(float)) > 0
    count = np.bincount(chains.protein[important], minlength=len(chains))
    first = {name: [each.place < count[chains.protein] for each in drawn] for name, drawn in ranked.items()}
    first[CONTRIBUTION] = [important]
    return {
        name: mantel_haenszel(np.concatenate([tables_of_chains(chains, each, site) for each in drawn]))[
            "odds_ratio"
        ]
        for name, drawn in first.items()
    }
