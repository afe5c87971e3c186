"""Checks of parsed coordinates: positions and chains that cannot be a backbone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from bioblobs.proteins.geometry import C_ATOM, CA_ATOM, N_ATOM, Coordinates
from bioblobs.proteins.record import REQUIRED_ATOMS, ProteinError

FARTHEST = 1e5
"""Largest coordinate (angstrom); PDB files hold up to 9999.999."""
FAR = 1000.0
"""Coordinate from which a chain is moved to the origin (angstrom): float32 has steps of 0.0001 there."""
CLOSEST_CA = 1.0
"""Least distance of two C-alphas (angstrom); below it a residue is there twice. In a cis peptide: 2.8."""
N_CA_RANGE = (1.0, 2.0)
"""Range of the median N-CA bond of a chain (angstrom; ideal 1.46)."""
WITHIN_RESIDUE = (0.1, 10.0)
"""Distances of N and C from CA outside of which the atoms are placeholders, or in another cell (angstrom)."""
SHARE_MAX = 0.1
"""Largest share of residues that overlap or share an identifier; one such residue is always allowed."""


def clean(coordinates: Coordinates) -> tuple[Coordinates, NDArray[np.bool_]]:
    """Set impossible positions of one chain to NaN.

    Args:
        coordinates: (L, 4, 3) N, CA, C, O in angstrom, NaN where missing.

    Returns:
        The cleaned coordinates, and (L,) True on residues that lie on an earlier one.
    """
    xyz = coordinates.copy()
    xyz[~(np.abs(xyz) < FARTHEST).all(-1)] = np.nan
    origin = (xyz == 0).all(-1)
    if origin.sum() > 1:  # placeholders; a single atom may well lie there
        xyz[origin] = np.nan
    xyz[_torn(xyz)] = np.nan
    overlapping = _on_an_earlier_one(xyz[:, CA_ATOM])
    xyz[overlapping] = np.nan
    return xyz, overlapping


def origin_of(coordinates: Coordinates) -> tuple[float, float, float]:
    """Find what to subtract from a chain far away, in whole angstrom, so that float32 keeps its digits.

    Args:
        coordinates: (L, 4, 3) in angstrom, NaN where missing.
    """
    there = np.isfinite(coordinates).all(-1)
    if not (np.abs(coordinates[there]) > FAR).any():
        return 0.0, 0.0, 0.0
    x, y, z = np.round(np.median(coordinates[there], axis=0)).tolist()
    return x, y, z


def check_backbone(
    coordinates: Coordinates, given: Coordinates, overlapping: int, repeated: int, cause: str
) -> None:
    """Refuse a chain that has no usable backbone.

    Args:
        coordinates: (L, 4, 3) after cleaning.
        given: (L, 4, 3) before it.
        cause: guess why numbers repeat.

    Raises:
        ProteinError: with the reason.
    """
    length = len(coordinates)
    there: NDArray[np.bool_] = np.all(np.isfinite(given), axis=-1)  # (L, 4)
    atoms = np.count_nonzero(there, axis=0)
    if not atoms[CA_ATOM]:
        raise ProteinError("no C-alpha atom with finite coordinates")
    if not atoms[N_ATOM] and not atoms[C_ATOM]:
        raise ProteinError("only C-alpha atoms: N and C are needed")
    if not given[there].any():
        raise ProteinError("all coordinates are zero")
    few = max(1, SHARE_MAX * length)
    if overlapping > few:
        raise ProteinError(f"{overlapping} of {length} residues lie on another one")
    if repeated > few:
        raise ProteinError(f"{repeated} of {length} residues repeat the number of another ({cause})")
    complete = np.isfinite(coordinates[:, :REQUIRED_ATOMS]).all((1, 2))
    if not complete.any():
        raise ProteinError(f"none of {length} residues has finite N, CA and C atoms")
    bonds = np.linalg.norm(coordinates[complete, N_ATOM] - coordinates[complete, CA_ATOM], axis=-1)
    bond = float(np.median(bonds))
    if not N_CA_RANGE[0] < bond < N_CA_RANGE[1]:
        raise ProteinError(f"N and CA are {bond:.3g} apart (median; 1.46 angstrom in proteins)")


def _torn(xyz: Coordinates) -> NDArray[np.bool_]:
    """Tell which residues of a chain in angstrom have N or C at the place of CA, or far away, (L,)."""
    bonds = np.linalg.norm(xyz[:, [N_ATOM, C_ATOM]] - xyz[:, [CA_ATOM]], axis=-1)  # (L, 2)
    there = bonds[np.isfinite(bonds)]
    if not len(there) or not N_CA_RANGE[0] < np.median(there) < N_CA_RANGE[1]:
        return np.zeros(len(xyz), np.bool_)
    return np.asarray(((bonds < WITHIN_RESIDUE[0]) | (bonds > WITHIN_RESIDUE[1])).any(1))


def _on_an_earlier_one(ca: Coordinates) -> NDArray[np.bool_]:
    """Tell which C-alphas (L, 3) are too close to an earlier one, (L,); missing ones are not."""
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
