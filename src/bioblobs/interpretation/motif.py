"""The sequence around a code's seed residues, counted by place, for a sequence logo.

Blobs differ in size and are not aligned to one another; what they share is the residue that each grew
from. So residues are counted by their place before and after it, along the chain.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioblobs.interpretation.residues import Residues
from bioblobs.proteins.alphabet import SYMBOLS, UNKNOWN

REACH = 7
"""Residues of the window on each side of the seed."""
WIDTH = 2 * REACH + 1
PSEUDO_COUNTS = 10.0
"""Residues of the background that are added to every column (as in PSI-BLAST, Altschul et al. 1997)."""


def windows(residues: Residues, seeds: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n, 15) residues around each seed; -1 beyond a chain's end or a break in it, which none bridges.

    Args:
        seeds: (n,) places in ``residues``.
    """
    at = seeds[:, None] + np.arange(-REACH, REACH + 1)
    inside = (at >= 0) & (at < len(residues.types))
    at = np.where(inside, at, 0)
    same = residues.stretch[at] == residues.stretch[seeds][:, None]
    return np.where(inside & same, at, -1)


def count_letters(residues: Residues, around: NDArray[np.int64]) -> NDArray[np.int64]:
    """(15, 20) residues of each type in each column of (n, 15) ``windows``; unknown ones are left out."""
    types = np.where(around >= 0, residues.types[around], UNKNOWN)
    return (types[:, :, None] == np.arange(UNKNOWN)).sum(0)


def frequencies(counts: NDArray[np.int64], background: NDArray[np.float64]) -> NDArray[np.float64]:
    """(15, 20) shares with pseudo-counts: a column without residues is the background."""
    return (counts + PSEUDO_COUNTS * background) / (counts.sum(1, keepdims=True) + PSEUDO_COUNTS)


def information(shares: NDArray[np.float64], background: NDArray[np.float64]) -> NDArray[np.float64]:
    """(15,) relative entropy of each column to the background, in bits (Kullback & Leibler 1951)."""
    ratio = np.divide(shares, background, out=np.ones_like(shares), where=shares > 0)
    return (shares * np.log2(ratio)).sum(1)


def background_of(residues: Residues) -> NDArray[np.float64]:
    """(20,) share of each known residue type among all residues."""
    counts = np.bincount(residues.types, minlength=len(SYMBOLS))[:UNKNOWN]
    return counts / max(counts.sum(), 1)


def motif_entry(counts: NDArray[np.int64], background: NDArray[np.float64]) -> dict[str, Any]:
    """Schema: ``motif``."""
    bits = information(frequencies(counts, background), background)
    return {
        "first": -REACH,
        "counts": {SYMBOLS[i]: counts[:, i].tolist() for i in np.flatnonzero(counts.any(0))},
        "information": [round(float(value), 4) for value in bits],
    }
