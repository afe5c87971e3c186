"""Flat arrays of a parsed model."""

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
    atoms = np.char.upper(np.asarray(flat.atom_names))[:, None] == _PLACES
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
        name=np.char.upper(names[first]),
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
