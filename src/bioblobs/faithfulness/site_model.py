"""Measurements of one model on annotated sites, split by split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bioblobs.faithfulness.chains import Chains
from bioblobs.faithfulness.passes import explain
from bioblobs.faithfulness.site_controls import Background, learn_background
from bioblobs.faithfulness.site_rankings import site_rankings
from bioblobs.faithfulness.site_report import measure_sites
from bioblobs.faithfulness.site_seeds import CHAINS
from bioblobs.faithfulness.site_table import Sites
from bioblobs.io import interval
from bioblobs.models.bioblobs import BioBlobs
from bioblobs.store.packed import Store

FRESH = 5
"""Untrained models: the area of one depends on which side its random weights happen to take."""


def measure_splits(
    model: BioBlobs, untrained: Sequence[BioBlobs], store: Store, sites: Sites, seed: int
) -> dict[str, Any]:
    """Measure validation and test chains, split by split; ``not_found`` counts sites that the store lacks."""
    background = background_of(store, sites)
    measured: dict[str, Any] = {"not_found": sites.counts()}
    for split in CHAINS:
        chains = chains_with_sites(store, split, sites)
        measured[split] = measure_model(model, untrained, chains, sites, background, seed)
    return measured


def background_of(store: Store, sites: Sites) -> Background | None:
    """Learn residue type and depth of sites from training chains; None where no training chain has a site."""
    chains = chains_with_sites(store, "train", sites)
    return learn_background(chains, sites.of(chains)) if len(chains) else None


def chains_with_sites(store: Store, split: str, sites: Sites) -> Chains:
    """Return the chains of a split that have a site."""
    having = np.unique(np.searchsorted(store.offsets, sites.rows, "right") - 1)
    return Chains(store, np.intersect1d(having, store.rows(split)))


def measure_model(
    model: BioBlobs,
    untrained: Sequence[BioBlobs],
    chains: Chains,
    sites: Sites,
    background: Background | None,
    seed: int,
) -> dict[str, Any] | None:
    """Measure all sites of the chains, and the curated ones; None where there is no chain."""
    if not len(chains):
        return None
    explained = explain(model, chains)
    for fresh in untrained:
        fresh.partitioner.tau.copy_(model.partitioner.tau)  # a setting of the schedule, not a weight
    others = [explain(fresh, chains) for fresh in untrained]
    ranked = site_rankings(chains, explained, others, background, seed)
    site = sites.of(chains)
    made = {"all": measure_sites(chains, explained, ranked, site, seed), "curated": None}
    if sites.curated is not None:
        curated = np.isin(chains.residue, sites.rows[sites.curated])
        made["curated"] = measure_sites(chains, explained, ranked, curated, seed)
    return made


def data_split(store: Store) -> str:
    """Name of the split of the data: random, or sequence or structure and the highest similarity."""
    parameters = store.meta["parameters"]
    name = str(parameters["split"])
    return name if name == "random" else f"{name} {parameters['split_similarity_threshold']:g}"


def summary(metrics: Mapping[str, Any]) -> list[str]:
    """Areas and gains, in a few lines."""
    lines = []
    for split in CHAINS:
        for subset, found in (metrics[split] or {}).items():
            if found is None:
                continue
            lines.append(f"{split}, {subset} sites: {found['chains']} chains, {found['sites']} residues")
            lines.append(f"  {'ranked by':20s}{'area under the ROC curve':30s}gain of contribution")
            lines += [
                f"  {name:20s}{interval(area):30s}"
                f"{interval(found['auc_gain'][name]) if name in found['auc_gain'] else ''}".rstrip()
                for name, area in found["auc"].items()
            ]
    return lines or ["no val or test chain has a site"]
