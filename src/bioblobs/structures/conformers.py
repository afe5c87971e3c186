"""Choice of one conformer per residue, among alternate locations and residue types."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bioblobs.proteins.geometry import CA_ATOM
from bioblobs.proteins.record import ATOMS, REQUIRED_ATOMS
from bioblobs.structures.atoms import AtomTable

ONE_PLACE = 2.0
"""Largest distance of the C-alphas of two residue types at one place (angstrom)."""
_SLOTS = len(ATOMS)


@dataclass
class Backbone:
    """Backbone of S residues, one conformer each.

    Attributes:
        residue: (S,) row in the atom table of the residue that is kept.
        coordinates: (S, 4, 3) N, CA, C, O in angstrom, NaN where missing.
        alternates: (S,) True where the residue had alternate locations (of any atom).
        repeated: (S,) True where an atom name occurs twice in the conformer; the first is kept.
        apart: (S,) distance of the first and last of these C-alphas in angstrom; 0 or NaN without.
    """

    residue: NDArray[np.int64]
    coordinates: NDArray[np.float64]
    alternates: NDArray[np.bool_]
    repeated: NDArray[np.bool_]
    apart: NDArray[np.float64]

    def take(self, rows: NDArray[np.int64]) -> Backbone:
        """Return some of the residues."""
        return Backbone(**{name: values[rows] for name, values in vars(self).items()})


def choose_conformers(table: AtomTable, residues: NDArray[np.int64]) -> Backbone:
    """Choose one conformer per place: one with N, CA and C, of these the one of highest mean occupancy.

    Occupancies are those of its backbone atoms that carry the label; where they are equal, of all atoms of
    the residue. Ties go to the first label. Atoms without a label belong to every conformer that has none of
    that name; where all have, they are a conformer of their own.

    Args:
        residues: ascending rows of the table.
    """
    site_of, count = sites(table, residues)
    atoms = np.flatnonzero((table.place >= 0) & (site_of[table.residue] >= 0))
    residue, place = table.residue[atoms], table.place[atoms]
    label = table.altloc[atoms].astype(np.int64) & 255
    bare: NDArray[np.bool_] = _counts(residue * _SLOTS + place, label == 0, len(table.first)) > 0  # (R, 4)
    labelled: NDArray[np.bool_] = _counts(residue * _SLOTS + place, label != 0, len(table.first)) > 0
    alone: NDArray[np.bool_] = np.any(bare & labelled, axis=1) | ~np.any(labelled, axis=1)
    own = (label != 0) | alone[residue]
    codes, inverse = np.unique(residue[own] * 256 + label[own], return_inverse=True)
    owner, named = codes // 256, codes % 256
    weights = table.occupancy[atoms][own]
    occupancy = np.round(
        np.bincount(inverse, weights, len(codes)) / np.bincount(inverse, minlength=len(codes)), 3
    )
    whole = np.bincount(table.residue, table.occupancy, len(table.first))
    whole = np.round(whole / np.bincount(table.residue, minlength=len(table.first)), 3)
    there = _counts(inverse * _SLOTS + place[own], np.ones(len(inverse), np.bool_), len(codes)) > 0  # (K, 4)
    shared = (there | bare[owner]) & (there | (named != 0)[:, None])
    complete = shared[:, :REQUIRED_ATOMS].all(1)
    site = site_of[owner]
    order = np.lexsort((owner, named, -whole[owner], -occupancy, ~complete, site))  # by site, then best first
    best = order[np.unique(site[order], return_index=True)[1]]
    kept = residues[np.unique(site_of[residues], return_index=True)[1]]
    chosen, covered = np.zeros(count, np.int64), np.zeros((count, _SLOTS), np.bool_)
    kept[site[best]], chosen[site[best]], covered[site[best]] = owner[best], named[best], there[best]
    at = site_of[residue]
    mine = (residue == kept[at]) & ((label == chosen[at]) | ((label == 0) & ~covered[at, place]))
    coordinates = np.full((count, _SLOTS, 3), np.nan)
    last = coordinates.copy()
    used = atoms[mine]
    last[at[mine], place[mine]] = table.xyz[used]
    coordinates[at[mine][::-1], place[mine][::-1]] = table.xyz[used[::-1]]  # the first of a name is kept
    most = _counts(at[mine] * _SLOTS + place[mine], np.ones(len(used), np.bool_), count).max(1, initial=0)
    with_label = site_of[table.residue[table.altloc != 0]]
    alternates = np.bincount(with_label[with_label >= 0], minlength=count) > 0
    apart = np.linalg.norm(last[:, CA_ATOM] - coordinates[:, CA_ATOM], axis=-1)
    return Backbone(kept, coordinates, alternates, most > 1, apart)


def sites(table: AtomTable, residues: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """Number the places along the sequence: (R,) place, -1 for residues left out; and their count.

    Residues of one chain, number and insertion code are at one place if one of them carries labels on all
    its backbone atoms, or their C-alphas lie within :data:`ONE_PLACE`, wherever in the chain they stand.
    """
    count = len(table.first)
    bare = np.bincount(table.residue[(table.place >= 0) & (table.altloc == 0)], minlength=count) > 0
    codes = table.insertion_code[residues].view(np.uint8) if len(residues) else np.zeros(0, np.uint8)
    keys = np.stack([table.chain[residues], table.number[residues], codes])
    order = np.lexsort(keys[::-1])
    new = np.ones(len(residues), np.bool_)
    new[1:] = (keys[:, order][:, 1:] != keys[:, order][:, :-1]).any(0)
    first = residues[order[np.flatnonzero(new)[new.cumsum() - 1]]] if len(residues) else residues
    leader, own = np.zeros(count, np.int64), np.full((count, 3), np.nan)
    leader[residues[order]] = first
    alpha = np.flatnonzero(table.place == CA_ATOM)[::-1]
    own[table.residue[alpha]] = table.xyz[alpha]
    mine = leader[residues]
    near = np.linalg.norm(own[residues] - own[mine], axis=-1) < ONE_PLACE
    joined = (mine != residues) & (~bare[residues] | ~bare[mine] | near)
    site = np.full(count, -1)
    site[residues[~joined]] = np.arange(np.count_nonzero(~joined))
    site[residues[joined]] = site[mine[joined]]
    return site, int(site.max(initial=-1)) + 1


def _counts(index: NDArray[np.int64], used: NDArray[np.bool_], rows: int) -> NDArray[np.int64]:
    """Count per row and backbone atom, (rows, 4)."""
    return np.bincount(index[used], minlength=rows * _SLOTS).reshape(rows, _SLOTS)
