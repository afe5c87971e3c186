"""Geometry of the backbone: places of the atoms in a coordinate array, and breaks of the chain."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioblobs.proteins.record import ATOMS

N_ATOM, CA_ATOM, C_ATOM, O_ATOM = range(len(ATOMS))
"""Place of each backbone atom on the axis of atoms."""
PEPTIDE_BOND_MAX = 2.0
"""Longest C-N distance of a peptide bond in angstrom (ideal 1.33); a longer one is a break of the chain."""

Coordinates = NDArray[np.floating[Any]]


def peptide_bonds(coordinates: Coordinates) -> NDArray[np.bool_]:
    """Tell which neighbours are bonded: (L, A, 3) -> (L - 1,) True where C(i) and N(i+1) are close enough.

    A missing atom has no bond.

    Args:
        coordinates: in angstrom; A atoms that begin with N, CA, C.
    """
    gap = np.linalg.norm(coordinates[1:, N_ATOM] - coordinates[:-1, C_ATOM], axis=-1)
    return gap <= PEPTIDE_BOND_MAX


def stretches(coordinates: Coordinates, chain_ids: NDArray[np.bytes_]) -> NDArray[np.int64]:
    """Number the unbroken stretches of a chain: (L,) one more after each break or change of chain.

    Author numbers are no guide: they may repeat, or jump without a break.

    Args:
        coordinates: (L, A, 3) in angstrom; A atoms that begin with N, CA, C.
        chain_ids: (L,).
    """
    bonded = peptide_bonds(coordinates) & (chain_ids[1:] == chain_ids[:-1])
    return np.concatenate([[0], (~bonded).cumsum()])
