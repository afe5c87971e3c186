"""Colours of blobs, in report, coloured structures and notebooks; colour-blind readers tell them apart."""

from __future__ import annotations

COLOURS = (
    "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
    "#999933", "#44AA99", "#AA4499",
)  # fmt: skip
"""By importance: Okabe and Ito (2008) without black, then those of Tol's muted scheme (SRON/EPS/TN/09-002)
that show on a dark ground too."""
REST = "#C8C8C8"
"""Of residues in no blob."""


def colour(number: int) -> str:
    """Of a blob by its number, which counts from 1; colours come again after the last."""
    return COLOURS[(number - 1) % len(COLOURS)]


def style() -> str:
    """The same as CSS variables: ``--blob-0`` is the colour of number 1, ``--blobs`` how many there are."""
    values = " ".join(f"--blob-{place}: {value.lower()};" for place, value in enumerate(COLOURS))
    return f":root {{ --blobs: {len(COLOURS)}; {values} }}\n"
