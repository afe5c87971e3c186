"""Coordinates that were parsed, but cannot be a backbone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from bioblobs.proteins.record import REQUIRED_ATOMS, ProteinError

FARTHEST = 1e5
"""No coordinate is larger than this (angstrom); PDB files hold up to 9999.999."""
CLOSEST_CA = 1.0
"""Two C-alphas closer than this (angstrom) are one residue twice; in a cis peptide they are 2.8 apart."""
PEPTIDE_BOND_MAX = 2.0
"""Longest C-N distance of a peptide bond (angstrom), as in the residue graph."""
N_CA_RANGE = (1.0, 2.0)
"""The median N-CA bond of a chain lies within (angstrom; ideal 1.46)."""
SHARE_MAX = 0.1
"""A chain is refused if more of its residues, and more than one, overlap or share an identifier."""

Coordinates = NDArray[np.floating[Any]]


def clean(coordinates: Coordinates) -> tuple[Coordinates, NDArray[np.bool_]]:
    """Impossible positions of one chain become NaN.

    Args:
        coordinates: (L, 4, 3) N, CA, C, O in angstrom, NaN where missing.

    Returns:
        The cleaned coordinates, and (L,) which residues lie on an earlier one.
    """
    xyz = coordinates.copy()
    xyz[~(np.abs(xyz) < FARTHEST).all(-1)] = np.nan
    origin = (xyz == 0).all(-1)
    if origin.sum() > 1:  # placeholders; a single atom may well lie there
        xyz[origin] = np.nan
    overlapping = _on_an_earlier_one(xyz[:, 1])
    xyz[overlapping] = np.nan
    return xyz, overlapping


def check_backbone(coordinates: Coordinates, given: Coordinates, overlapping: int, repeated: int) -> None:
    """Refuse a chain that has no usable backbone.

    Args:
        coordinates: (L, 4, 3) after cleaning.
        given: (L, 4, 3) before it.

    Raises:
        ProteinError: with the reason.
    """
    length = len(coordinates)
    there: NDArray[np.bool_] = np.all(np.isfinite(given), axis=-1)  # (L, 4)
    atoms = np.count_nonzero(there, axis=0)
    if not atoms[1]:
        raise ProteinError("no C-alpha atom")
    if not atoms[0] and not atoms[2]:
        raise ProteinError("only C-alpha atoms: N and C are needed")
    if not given[there].any():
        raise ProteinError("all coordinates are zero")
    few = max(1, SHARE_MAX * length)
    if overlapping > few:
        raise ProteinError(f"{overlapping} of {length} residues lie on another one")
    if repeated > few:
        raise ProteinError(f"{repeated} of {length} residues repeat the number of another (two chains?)")
    complete = np.isfinite(coordinates[:, :REQUIRED_ATOMS]).all((1, 2))
    if not complete.any():
        raise ProteinError(f"none of {length} residues has finite N, CA and C atoms")
    bond = float(np.median(np.linalg.norm(coordinates[complete, 0] - coordinates[complete, 1], axis=-1)))
    if not N_CA_RANGE[0] < bond < N_CA_RANGE[1]:
        raise ProteinError(f"N and CA are {bond:.3g} apart (median; 1.46 angstrom in proteins)")


def peptide_bonds(coordinates: Coordinates) -> NDArray[np.bool_]:
    """(L - 1,) whether C of a residue of (L, 4, 3) and N of the next are bonded."""
    return np.linalg.norm(coordinates[1:, 0] - coordinates[:-1, 2], axis=-1) < PEPTIDE_BOND_MAX


def _on_an_earlier_one(ca: Coordinates) -> NDArray[np.bool_]:
    """(L,) whether a C-alpha of (L, 3) is too close to one before it; missing ones are not."""
    there = np.flatnonzero(np.isfinite(ca).all(-1))
    found = np.zeros(len(ca), np.bool_)
    if len(there) < 2:
        return found
    near = cKDTree(ca[there]).query(ca[there], k=2, distance_upper_bound=CLOSEST_CA)[0][:, 1]
    close = there[np.isfinite(near)]
    if len(close) > 2 * max(1, SHARE_MAX * len(ca)):
        found[close[1:]] = True  # too many to tell which
    elif len(close):
        pairs = cKDTree(ca[close]).query_pairs(CLOSEST_CA, output_type="ndarray")
        found[close[pairs.max(1)]] = True
    return found
