"""Colours of blobs and contributions, in report, coloured structures and notebooks.

Colour-blind readers tell them apart.
"""

from __future__ import annotations

COLOURS = (
    "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
    "#999933", "#44AA99", "#AA4499",
)  # fmt: skip
"""By importance: Okabe and Ito (2008) without black, then those of Tol's muted scheme (SRON/EPS/TN/09-002)
that show on a dark ground too."""
REST = "#9A9A9A"
"""Of residues in no blob; darker than a contribution of zero."""
AGAINST, NEITHER, FOR = "#B2400F", "#F5F5F5", "#0B61A4"
"""Ends and middle of the scale of contributions, vermillion to blue: colour-blind readers tell them apart."""


def colour(number: int) -> str:
    """Of a blob by its number, which counts from 1; colours come again after the last."""
    return COLOURS[(number - 1) % len(COLOURS)]


def signed_colour(value: float, largest: float) -> str:
    """Of a contribution: blue argues for the class, vermillion against it, near-white neither.

    Args:
        value: the contribution.
        largest: size at which the scale ends on either side, above 0; values beyond it have the end's colour.
            0: nothing contributes, and all have the colour of the middle.
    """
    end = FOR if value > 0 else AGAINST
    share = min(abs(value) / largest, 1.0) if largest > 0 else 0.0
    return "#" + "".join(
        f"{round((1 - share) * int(NEITHER[at : at + 2], 16) + share * int(end[at : at + 2], 16)):02X}"
        for at in (1, 3, 5)
    )


def style() -> str:
    """The same as CSS variables: ``--blob-0`` is the colour of number 1, ``--blobs`` how many there are.

    ``--against``, ``--neither`` and ``--for`` are ends and middle of the scale of contributions.
    """
    values = " ".join(f"--blob-{place}: {value.lower()};" for place, value in enumerate(COLOURS))
    scale = f"--against: {AGAINST.lower()}; --neither: {NEITHER.lower()}; --for: {FOR.lower()};"
    return f":root {{ --blobs: {len(COLOURS)}; {values} {scale} }}\n"
