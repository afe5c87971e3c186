"""Enrichment of annotated residues (active or binding sites) in important blobs.

P chains, N residues, S blob slots.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from statsmodels.stats.contingency_tables import StratifiedTable

from bioblobs.faithfulness.chains import Chains
from bioblobs.faithfulness.rankings import exchanged
from bioblobs.inference.explained import Explained

DRAWS = 1000
"""Exchanges of importance behind the permutation test."""


def enrichment(
    chains: Chains, explained: Explained, site: NDArray[np.bool_], seed: int
) -> dict[str, Any] | None:
    """Odds of being a site, residues of important blobs against all others of the same chain.

    A blob is important if its importance is above the even share, one by the number of blobs. Odds ratio and
    test are those of Mantel and Haenszel, one table per chain, the interval that of Robins, Breslow and
    Greenland (1986). They take residues for independent, which neighbours are not; so there is a second
    test that does not: importance exchanged at random among the blobs of each chain (one-sided).

    Returns:
        None where no chain has a site.
    """
    important = important_blobs(explained)
    of_residue = (explained.assignment >= 0) & important[chains.protein, explained.assignment]
    tables = tables_of_chains(chains, of_residue, site)
    if not len(tables):
        return None
    hits, p = _permutation(chains, explained, important, site, seed)
    return {
        "proteins": len(tables),
        "sites": int(tables[:, :, 0].sum()),
        "sites_in_important_blobs": hits,
        "share_of_sites": round(float(hits / tables[:, :, 0].sum()), 6),
        "share_of_residues": round(float(tables[:, 0].sum() / tables.sum()), 6),
        **mantel_haenszel(tables),
        "p_exchanged_importance": round(p, 6),
    }


def important_blobs(explained: Explained) -> NDArray[np.bool_]:
    """(P, S) True where importance is above the even share."""
    return explained.importance > 1 / np.maximum(explained.mask.sum(1, keepdims=True), 1)


def tables_of_chains(chains: Chains, chosen: NDArray[np.bool_], site: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(T, 2, 2) of each chain that has a site: residues (N,) chosen or not, site or not."""
    cell = chains.protein * 4 + ~chosen * 2 + ~site
    tables = np.bincount(cell, minlength=4 * len(chains)).reshape(-1, 2, 2)
    return tables[tables[:, :, 0].sum(1) > 0]


def mantel_haenszel(tables: NDArray[np.int64]) -> dict[str, float | None]:
    """Pooled odds ratio of (T, 2, 2) tables with its interval, and p; null where one is infinite."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # an empty cell gives 0 or infinity, seen below
        found = StratifiedTable(list(tables.astype(float)))
        ratio, (low, high) = found.oddsratio_pooled, found.oddsratio_pooled_confint()
        p = found.test_null_odds().pvalue
    names = ("odds_ratio", "low", "high", "p_mantel_haenszel")
    values = (float(value) for value in (ratio, low, high, p))
    return {
        name: float(f"{value:.5g}") if np.isfinite(value) else None
        for name, value in zip(names, values, strict=True)
    }


def _permutation(
    chains: Chains, explained: Explained, important: NDArray[np.bool_], site: NDArray[np.bool_], seed: int
) -> tuple[int, float]:
    """Sites in important blobs; and the share of exchanges with as great an excess (Phipson and Smyth 2010).

    The excess is over what as many residues of the same chain would hold: blobs differ in size, and an
    exchange changes how many residues are in important ones.
    """
    rng = np.random.default_rng(seed)
    inside = site & (explained.assignment >= 0)
    slots = explained.mask.shape[1]
    slot = chains.protein[inside] * slots + explained.assignment[inside]
    held = np.bincount(slot, minlength=explained.mask.size).reshape(explained.mask.shape)
    density = np.bincount(chains.protein[site], minlength=len(chains)) / chains.lengths
    excess = held - density[:, None] * explained.sizes
    even = 1 / np.maximum(explained.mask.sum(1, keepdims=True), 1)
    importance, mask = explained.importance, explained.mask
    drawn = np.array([excess[exchanged(importance, mask, rng) > even].sum() for _ in range(DRAWS)])
    as_great = drawn >= excess[important].sum() - 1e-9  # sums of the same terms in another order
    return int(held[important].sum()), float(as_great.sum() + 1) / (DRAWS + 1)
