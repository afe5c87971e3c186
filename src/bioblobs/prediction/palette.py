"""Colours of blobs that stay apart for colour-blind readers too."""

from __future__ import annotations

COLOURS = (
    "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
    "#332288", "#882255", "#999933", "#44AA99", "#AA4499",
)  # fmt: skip
"""By importance: Okabe and Ito (2008) without black, then five of Tol's muted scheme (SRON/EPS/TN/09-002)."""
REST = "#C8C8C8"
"""Of residues in no blob."""


def colour(number: int) -> str:
    """Of a blob by its number, which counts from 1; colours come again after the last."""
    return COLOURS[(number - 1) % len(COLOURS)]
