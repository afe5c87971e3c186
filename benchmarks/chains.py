"""Synthetic compact chains: protein-like density and bond lengths, any length, nothing to download."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bioblobs.proteins.alphabet import SYMBOLS

STEP = 3.8
"""CA-CA distance of a trans peptide, angstrom."""
RADIUS_OF_ONE = 2.8
"""Radius in angstrom of a compact chain of one residue; it grows with the cube root of the length."""
_TRIES = 16


def compact_chain(length: int, seed: int) -> NDArray[np.float32]:
    """(L, 4, 3) N, CA, C, O of a random walk of fixed steps that is held inside a sphere.

    Of some random next places the one taken is least crowded by the residues before it and inside the
    sphere, so that neighbour counts resemble those of a globular protein.
    """
    rng = np.random.default_rng(seed)
    radius = RADIUS_OF_ONE * length ** (1 / 3)
    ca = np.zeros((length, 3))
    for i in range(1, length):
        direction = rng.normal(size=(_TRIES, 3))
        tries = ca[i - 1] + STEP * direction / np.linalg.norm(direction, axis=1, keepdims=True)
        outside = np.clip(np.linalg.norm(tries, axis=1) - radius, 0, None)
        gap = np.linalg.norm(tries[:, None] - ca[None, max(0, i - 300) : i], axis=2).min(1)
        ca[i] = tries[np.argmin(10 * outside + np.clip(STEP - gap, 0, None))]
    along = np.gradient(ca, axis=0) if length > 1 else np.ones((1, 3))
    along /= np.linalg.norm(along, axis=1, keepdims=True).clip(1e-6)
    side = np.cross(along, rng.normal(size=(length, 3)))
    side /= np.linalg.norm(side, axis=1, keepdims=True).clip(1e-6)
    n, c = ca - 1.2 * along + 0.8 * side, ca + 1.2 * along + 0.9 * side
    return np.stack([n, ca, c, c + 1.23 * side], 1).astype(np.float32)


def sequence(length: int, seed: int) -> str:
    """Random residues of the 20 standard kinds."""
    return "".join(np.random.default_rng(seed).choice(list(SYMBOLS[:-1]), length))
