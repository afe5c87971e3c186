"""Do important blobs hold annotated residues (active or binding sites) more often than others do?

P chains, N residues, S blob slots.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.stats.contingency_tables import StratifiedTable

from bioblobs.errors import BioBlobsError
from bioblobs.faithfulness.chains import Chains
from bioblobs.faithfulness.explained import Explained
from bioblobs.faithfulness.rankings import exchanged

COLUMNS = ("id", "residue")
DRAWS = 1000
"""Exchanges of importance behind the permutation test."""


def read_sites(path: Path) -> pd.DataFrame:
    """The table of annotated residues: id of the chain, and author residue (57, 52A or A/52A).

    Raises:
        BioBlobsError: it is missing, unreadable, or has other columns.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise BioBlobsError(f"interpretability.sites: {path} cannot be read ({error})") from error
    if missing := [name for name in COLUMNS if name not in table]:
        raise BioBlobsError(f"{path}: no column {missing[0]}; expected {', '.join(COLUMNS)}")
    if (empty := table.index[(table["id"] == "") | (table["residue"] == "")]).size:
        raise BioBlobsError(f"{path}: line {empty[0] + 2}: id or residue is empty")
    return table[list(COLUMNS)].drop_duplicates()


def site_residues(chains: Chains, ids: list[str], sites: pd.DataFrame) -> tuple[NDArray[np.bool_], int]:
    """(N,) True on annotated residues, and how many of these chains' annotated residues are not in the store.

    Args:
        ids: (P,) of the chains.
    """
    store = chains.store
    chain = pd.Series(np.asarray(store.chain_ids[chains.residue]).astype(str))
    number = pd.Series(np.asarray(store.residue_numbers[chains.residue]).astype(str))
    code = pd.Series(np.asarray(store.insertion_codes[chains.residue]).astype(str))
    own = pd.Series(np.array(ids)[chains.protein])
    long = own + "\t" + chain + "/" + number + code
    short = own + "\t" + number + code
    wanted = sites.loc[sites["id"].isin(ids)]
    keys = wanted["id"] + "\t" + wanted["residue"]
    found = keys.isin(long) | keys.isin(short)
    return (long.isin(keys) | short.isin(keys)).to_numpy(), int((~found).sum())


def enrichment(
    chains: Chains, explained: Explained, site: NDArray[np.bool_], seed: int
) -> dict[str, Any] | None:
    """Odds of being a site, residues of important blobs against all others of the same chain.

    A blob is important if its importance is above the even share, one by the number of blobs. Odds ratio and
    test are those of Mantel and Haenszel, one table a chain, the interval that of Robins, Breslow and
    Greenland (1986). They take residues for independent, which neighbours are not; so there is a second
    test that does not: importance exchanged at random among the blobs of each chain (one-sided).

    Returns:
        None where no chain has a site.
    """
    important = explained.importance > 1 / np.maximum(explained.mask.sum(1, keepdims=True), 1)
    of_residue = (explained.assignment >= 0) & important[chains.protein, explained.assignment]
    tables = _tables(chains, of_residue, site)
    tables = tables[tables[:, :, 0].sum(1) > 0]  # chains with a site
    if not len(tables):
        return None
    hits, p = _permutation(chains, explained, important, site, seed)
    return {
        "proteins": len(tables),
        "sites": int(tables[:, :, 0].sum()),
        "sites_in_important_blobs": hits,
        "share_of_sites": round(float(hits / tables[:, :, 0].sum()), 6),
        "share_of_residues": round(float(tables[:, 0].sum() / tables.sum()), 6),
        **_mantel_haenszel(tables),
        "p_exchanged_importance": round(p, 6),
    }


def _tables(chains: Chains, important: NDArray[np.bool_], site: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(P, 2, 2): important or not, site or not."""
    cell = chains.protein * 4 + ~important * 2 + ~site
    return np.bincount(cell, minlength=4 * len(chains)).reshape(-1, 2, 2)


def _mantel_haenszel(tables: NDArray[np.int64]) -> dict[str, float | None]:
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
    """Sites in important blobs, and the share of exchanges that have as many (Phipson and Smyth 2010)."""
    rng = np.random.default_rng(seed)
    inside = site & (explained.assignment >= 0)
    slots = explained.mask.shape[1]
    slot = chains.protein[inside] * slots + explained.assignment[inside]
    held = np.bincount(slot, minlength=explained.mask.size).reshape(explained.mask.shape)
    hits = int(held[important].sum())
    even = 1 / np.maximum(explained.mask.sum(1, keepdims=True), 1)
    drawn = [held[exchanged(explained, rng) > even].sum() for _ in range(DRAWS)]
    return hits, float((np.array(drawn) >= hits).sum() + 1) / (DRAWS + 1)
