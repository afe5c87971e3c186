"""Residue alphabet: the 20 standard amino acids in alphabetical one-letter order, then X for others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SYMBOLS = "ACDEFGHIKLMNPQRSTVWYX"
UNKNOWN = SYMBOLS.index("X")

_INDEX = np.full(256, UNKNOWN, np.uint8)
_INDEX[np.frombuffer(SYMBOLS.encode(), np.uint8)] = np.arange(len(SYMBOLS), dtype=np.uint8)
_LETTERS = np.frombuffer(SYMBOLS.encode(), np.uint8)


def encode(sequence: str) -> NDArray[np.uint8]:
    """Encode one-letter codes as (L,) indices; all but the 20 become X."""
    return _INDEX[np.frombuffer(sequence.encode("ascii", "replace"), np.uint8)]


def decode(types: NDArray[np.uint8]) -> str:
    """Decode (L,) indices to one-letter codes."""
    return _LETTERS[types].tobytes().decode()


def composition(types: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Compute the share of each symbol among (L,) residues, (21,)."""
    return np.bincount(types, minlength=len(SYMBOLS)) / max(len(types), 1)
