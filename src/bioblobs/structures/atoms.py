"""Flat arrays of a parsed model, and the choice of one conformer per residue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gemmi
import numpy as np
from numpy.typing import NDArray

from bioblobs.proteins.record import ATOMS

UNKNOWN, POLYMER = 0, 1
"""gemmi's numbers of entity types in flat arrays; unknown where the file does not say."""
_PLACES = np.array([name.encode() for name in ATOMS])


@dataclass
class AtomTable:
    """First model of a structure: A atoms, R residues, in file order.

    A residue is a run of atoms of one chain, number, insertion code, name and subchain.

    Attributes:
        xyz: (A, 3) angstrom.
        place: (A,) N, CA, C, O as 0 to 3; -1: another atom.
        altloc: (A,) label of the alternate location, 0: none.
        occupancy: (A,).
        residue: (A,) residue of each atom.
        first: (R,) first atom of each residue.
        chain: (R,) position of the chain in the model.
        number: (R,) author residue number.
        insertion_code: (R,) S1, b"" where there is none.
        name: (R,) residue name, bytes.
        entity: (R,) :data:`POLYMER`, :data:`UNKNOWN` or another, as entities or TER records say.
        hetero: (R,) True where it is written as HETATM.
    """

    xyz: NDArray[np.float64]
    place: NDArray[np.int64]
    altloc: NDArray[np.int8]
    occupancy: NDArray[np.float64]
    residue: NDArray[np.int64]
    first: NDArray[np.int64]
    chain: NDArray[np.int64]
    number: NDArray[np.int32]
    insertion_code: NDArray[np.bytes_]
    name: NDArray[np.bytes_]
    entity: NDArray[np.uint8]
    hetero: NDArray[np.bool_]

    def has(self, place: int) -> NDArray[np.bool_]:
        """Tell which residues have the backbone atom, (R,)."""
        return np.bincount(self.residue[self.place == place], minlength=len(self.first)) > 0


def flatten(structure: gemmi.Structure) -> AtomTable:
    """Flatten a structure of one model; rename its chains to their positions."""
    for position, chain in enumerate(structure[0]):
        chain.name = str(position)  # two chains may share an id, and an id may be long
    flat = _flat(structure)
    names, chains = np.asarray(flat.residue_names), np.asarray(flat.chain_ids)
    keys: list[NDArray[Any]] = [flat.resnums, flat.icodes, names, chains, np.asarray(flat.subchains)]
    new = np.zeros(len(names), np.bool_)
    new[:1] = True
    for key in keys:
        new[1:] |= key[1:] != key[:-1]
    first = np.flatnonzero(new)
    atoms = np.asarray(flat.atom_names)[:, None] == _PLACES
    return AtomTable(
        xyz=np.array(flat.pos),
        place=np.where(atoms.any(1), atoms.argmax(1), -1),
        altloc=np.array(flat.altlocs),
        occupancy=np.nan_to_num(np.array(flat.occ, np.float64)),
        residue=new.cumsum() - 1,
        first=first,
        chain=chains[first].astype(np.int64),
        number=np.array(flat.resnums)[first],
        insertion_code=np.char.strip(np.array(flat.icodes)[first].view("S1")),
        name=names[first],
        entity=np.array(flat.entity_type)[first],
        hetero=np.array(flat.het_flags)[first] == ord("H"),
    )


def _flat(structure: gemmi.Structure) -> gemmi.FlatStructure:
    """Make gemmi's flat arrays; cut names to the seven characters that they hold."""
    try:
        flat = gemmi.FlatStructure(structure)
    except RuntimeError:
        for chain in structure[0]:
            for residue in chain:
                residue.name, residue.subchain = residue.name[:7], residue.subchain[:7]
                residue.entity_id = ""
        flat = gemmi.FlatStructure(structure)
    flat.strings_as_numbers = False
    return flat


@dataclass
class Backbone:
    """Backbone of S residues, one conformer each.

    Attributes:
        residue: (S,) row in the atom table of the residue that is kept.
        coordinates: (S, 4, 3) N, CA, C, O in angstrom, NaN where missing.
        alternates: (S,) True where the residue had alternate locations (of any atom).
        repeated: (S,) True where an atom name occurs twice in the conformer; the first is kept.
    """

    residue: NDArray[np.int64]
    coordinates: NDArray[np.float64]
    alternates: NDArray[np.bool_]
    repeated: NDArray[np.bool_]


def choose_conformers(table: AtomTable, residues: NDArray[np.int64]) -> Backbone:
    """Choose one conformer per residue: the alternate location with most occupancy of its backbone.

    Ties go to the first label. Atoms without a label belong to every conformer. Neighbouring residues of
    one number and different names whose atoms all carry labels are one residue (microheterogeneity).

    Args:
        residues: ascending rows of the table.
    """
    site_of, count = _sites(table, residues)
    atoms = np.flatnonzero((table.place >= 0) & (site_of[table.residue] >= 0))
    residue, altloc = table.residue[atoms], table.altloc[atoms]
    site = site_of[residue]
    labelled = altloc != 0
    codes, inverse = np.unique(residue[labelled] * 256 + altloc[labelled], return_inverse=True)
    occupancy = np.round(np.bincount(inverse, table.occupancy[atoms][labelled]), 3)
    owner, label = codes // 256, codes % 256
    order = np.lexsort((owner, label, -occupancy, site_of[owner]))  # by site, then best first
    best = order[np.unique(site_of[owner][order], return_index=True)[1]]
    kept = residues[np.unique(site_of[residues], return_index=True)[1]]
    chosen = np.zeros(count, np.int64)
    kept[site_of[owner[best]]], chosen[site_of[owner[best]]] = owner[best], label[best]
    mine = (residue == kept[site]) & (~labelled | (altloc == chosen[site]))
    coordinates = np.full((count, len(ATOMS), 3), np.nan)
    used = atoms[mine][::-1]  # backwards: the first atom of a name is written last
    coordinates[site[mine][::-1], table.place[used]] = table.xyz[used]
    slots = site[mine] * len(ATOMS) + table.place[atoms[mine]]
    most = np.bincount(slots, minlength=count * len(ATOMS)).reshape(count, len(ATOMS)).max(1)
    with_label = site_of[table.residue[table.altloc != 0]]
    alternates = np.bincount(with_label[with_label >= 0], minlength=count) > 0
    return Backbone(kept, coordinates, alternates, most > 1)


def _sites(table: AtomTable, residues: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """Number the residues along the sequence: (R,) place, -1 for residues left out; and their count."""
    bare = np.bincount(
        table.residue[(table.place >= 0) & (table.altloc == 0)], minlength=len(table.first)
    ).astype(np.bool_)
    left, right = residues[:-1], residues[1:]
    same = (table.chain[left] == table.chain[right]) & (table.number[left] == table.number[right])
    same &= table.insertion_code[left] == table.insertion_code[right]
    same &= ~bare[left] & ~bare[right]
    site = np.full(len(table.first), -1)
    site[residues] = np.concatenate([[0], (~same).cumsum()])[: len(residues)]
    return site, int(site.max(initial=-1)) + 1
