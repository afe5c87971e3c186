"""Classes that proteins holding a code have more often than the others.

The unit is the protein: several blobs of one protein with the same code count once. Labels are the test
proteins' own, which no part of the training saw. Proteins of one family are not independent of each
other; the split keeps families whole, so a p-value speaks of these proteins, not of all there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, hypergeom
from scipy.stats.contingency import odds_ratio

from bioblobs.inference.chain import Chain


def class_membership(classes: list[str], records: Sequence[Chain]) -> NDArray[np.bool_]:
    """(P, C) true classes of each record's protein; a row of zeros for a class that training never saw."""
    place = {name: i for i, name in enumerate(classes)}
    has = np.zeros((len(records), len(classes)), bool)
    for row, record in enumerate(records):
        has[row, [place[name] for name in record.true or ()]] = True
    return has


def holders(members: pd.DataFrame, proteins: int) -> tuple[list[int], NDArray[np.bool_]]:
    """Codes in use, ascending, and (P, K) True where a protein holds the code."""
    codes, column = np.unique(members["code"].to_numpy(int), return_inverse=True)
    holds = np.zeros((proteins, len(codes)), bool)
    holds[members["protein"].to_numpy(int), column] = True
    return codes.tolist(), holds


def enrichment_table(holds: NDArray[np.bool_], has: NDArray[np.bool_]) -> pd.DataFrame:
    """One row per pair of a code (column of ``holds``) and a class (of ``has``), with p and corrected p.

    Fisher's exact test, one-sided: the upper tail of the hypergeometric distribution.
    Benjamini-Hochberg over all pairs; a class that no protein has makes none.
    """
    both = holds.T.astype(np.int64) @ has
    code, label = np.nonzero(np.broadcast_to(has.any(0), both.shape))
    table = pd.DataFrame({"code": code, "label": label, "both": both[code, label]})
    table["holders"], table["having"] = holds.sum(0)[code], has.sum(0)[label]
    p = hypergeom.sf(table["both"] - 1, len(has), table["having"], table["holders"])
    table["p"] = np.clip(p, 0, 1)
    table["p_adjusted"] = false_discovery_control(table["p"]) if len(table) else table["p"]
    return table


def enriched_classes(
    codes: list[int], holds: NDArray[np.bool_], has: NDArray[np.bool_], significance: float
) -> tuple[dict[int, list[tuple[int, dict[str, Any]]]], int]:
    """For each code its enriched classes as (label, numbers), surest first; and how many pairs there were."""
    table = enrichment_table(holds, has)
    found: dict[int, list[tuple[int, dict[str, Any]]]] = {}
    sure = table[table["p_adjusted"] < significance].sort_values("p", kind="stable")
    for row in sure.to_dict("records"):
        a, b, c, d = _cells(row, len(has))
        found.setdefault(codes[row["code"]], []).append(
            (
                row["label"],
                {
                    "proteins": a,
                    "share_of_holders": round(a / (a + b), 4),
                    "share_of_all": round((a + c) / len(has), 4),
                    **effect_size(a, b, c, d),
                    "p": float(f"{row['p']:.4g}"),
                    "p_adjusted": float(f"{row['p_adjusted']:.4g}"),
                },
            )
        )
    return found, len(table)


def effect_size(a: int, b: int, c: int, d: int) -> dict[str, float | None]:
    """Conditional odds ratio of [[a, b], [c, d]], exact 95 % interval (Cornfield 1956); None: infinite."""
    result = odds_ratio([[a, b], [c, d]], kind="conditional")
    interval = result.confidence_interval(0.95)
    values = {
        "odds_ratio": result.statistic,
        "odds_ratio_low": interval.low,
        "odds_ratio_high": interval.high,
    }
    return {name: round(float(value), 4) if np.isfinite(value) else None for name, value in values.items()}


def _cells(row: dict[Any, Any], proteins: int) -> tuple[int, int, int, int]:
    """Holders with the class, holders without; others with, others without."""
    both, held, having = row["both"], row["holders"], row["having"]
    return both, held - both, having - both, proteins - held - having + both
