"""Columns of a table as curves: what page/chart.html draws, in the units of its picture."""

from __future__ import annotations

from typing import Any

import pandas as pd

WIDTH, HEIGHT = 420, 260
LEFT, RIGHT, TOP, BOTTOM = 52, 10, 10, 42
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of both axes: shares and probabilities."""
RANKINGS = {
    "importance": ("blob importance", 5, ""),
    "random_blobs": ("the same blobs, importance exchanged", 1, "7 3"),
    "random_patches": ("random patches of the same sizes", 3, "2 3"),
    "random_residues": ("random residues", 7, "3 5"),
    "gradients": ("integrated gradients", 6, "10 3 2 3"),
    "untrained_model": ("blobs of an untrained model", 8, "4 4"),
}
"""Column -> name in the legend, number of the colour, dashes (which tell curves apart without colours)."""


def removal_curves(deletion: pd.DataFrame, insertion: pd.DataFrame) -> list[dict[str, Any]]:
    """The two charts of ``faithfulness``: its tables as it writes them, one column a ranking."""
    return [
        _chart("Residues removed, first-ranked first", "lower is better", "share removed", deletion),
        _chart("Only the first-ranked residues there", "higher is better", "share kept", insertion),
    ]


def _chart(title: str, remark: str, x_label: str, table: pd.DataFrame) -> dict[str, Any]:
    x, *columns = table.columns
    return {
        "title": title,
        "remark": remark,
        "x_label": x_label,
        "y_label": "predicted class, mean probability",
        "size": (WIDTH, HEIGHT),
        "frame": (LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM),
        "ticks": [{"text": f"{value:g}", "x": _across(value), "y": _down(value)} for value in TICKS],
        "lines": [
            {
                "title": title,
                "colour": number - 1,
                "dashes": dashes,
                "points": " ".join(
                    f"{_across(at)},{_down(value)}" for at, value in zip(table[x], table[name], strict=True)
                ),
            }
            for name, (title, number, dashes) in RANKINGS.items()
            if name in columns
        ],
    }


def _across(share: float) -> float:
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def _down(probability: float) -> float:
    return round(TOP + (1 - probability) * (HEIGHT - TOP - BOTTOM), 1)
