"""The scorecard as a heat map: contribution of each code to each class, codes alike side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list, linkage

CLASSES = 30
"""Columns of the heat map at most: those with the largest entries."""
WHOLE_ROW, ENDS = 10, 5
"""A code's row is shown whole up to so many classes, else the ends of it: so many for, so many against."""
SHARE_WITHIN = 99.0
"""Percent of entries within the colour scale: one outlier leaves the others their colours."""
DIGITS = 4


def scorecard(codes: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Rows of page/heatmap.js.

    Args:
        codes: as ``dataset.codes`` in interpretation/schema.json.

    Returns:
        ``codes`` in the order of their clusters, ``classes`` shown, ``values`` (codes x classes), ``largest``
        (where colours end) and ``more`` (classes left out); None where predictions are no sum of codes.
    """
    rows = [code for code in codes if code.get("evidence")]
    if not rows:
        return None
    names = list(rows[0]["evidence"])
    table = np.array([[row["evidence"][name] for name in names] for row in rows], np.float64)
    order = cluster_order(table)
    columns = np.sort(np.argsort(-np.abs(table).max(0), kind="stable")[:CLASSES])
    shown = table[np.ix_(order, columns)]
    return {
        "codes": [rows[at]["code"] for at in order],
        "classes": [names[at] for at in columns],
        "values": np.round(shown, DIGITS).tolist(),
        "largest": round(float(np.percentile(np.abs(shown), SHARE_WITHIN, method="higher")), DIGITS),
        "more": len(names) - len(columns),
    }


def cluster_order(rows: NDArray[np.float64]) -> NDArray[np.intp]:
    """Order of rows (K, C) in which like ones lie side by side: average linkage, optimal leaf order."""
    if len(rows) < 3:
        return np.arange(len(rows))
    return leaves_list(linkage(rows, "average", optimal_ordering=True)).astype(np.intp)


def code_row(evidence: Mapping[str, float]) -> dict[str, Any]:
    """A code's row of the scorecard, largest first, as (class, contribution).

    Returns:
        ``entries``, and ``hidden``: classes left out between those argued for and those argued against.
    """
    ranked = sorted(evidence.items(), key=lambda item: -item[1])
    if len(ranked) > WHOLE_ROW:
        ranked = ranked[:ENDS] + ranked[-ENDS:]
    return {"entries": [list(item) for item in ranked], "hidden": len(evidence) - len(ranked)}
