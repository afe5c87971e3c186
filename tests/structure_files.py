"""Proteins written as PDB and mmCIF files, by gemmi, for tests that read them back."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import gemmi
import numpy as np

from bioblobs.proteins.alphabet import decode
from bioblobs.proteins.record import ATOMS, Protein
from conftest import random_chain

FORMATS = ("pdb", "cif")
DATA = Path(__file__).resolve().parent / "data" / "structures"


def long_chain(length: int, seed: int) -> np.ndarray:
    """(L, 4, 3) a random chain pulled apart, so that it cannot cross itself; at a file's precision."""
    drift = np.zeros((length, 1, 3), np.float32)
    drift[:, 0, 0] = 5 * np.arange(length)
    return np.round(random_chain(length, seed) + drift, 3)


def residue(name: str, number: int, code: bytes | str = b"", het: bool = False) -> gemmi.Residue:
    """A residue without atoms."""
    made = gemmi.Residue()
    made.name, made.het_flag = name, "H" if het else "A"
    made.seqid = gemmi.SeqId(number, (code.decode() if isinstance(code, bytes) else code) or " ")
    return made


def atom(name: str, xyz: Iterable[float], altloc: str = "\0", occupancy: float = 1.0) -> gemmi.Atom:
    """An atom; a hydrogen, nitrogen, carbon or oxygen by the first letter of its name."""
    made = gemmi.Atom()
    made.name, made.element = name, gemmi.Element(name[0])
    made.pos = gemmi.Position(*(float(value) for value in xyz))
    made.altloc, made.occ = altloc, occupancy
    return made


def chain_of(protein: Protein, name: str | None = None) -> gemmi.Chain:
    """A protein's residues, with the backbone atoms that are not NaN."""
    made = gemmi.Chain(protein.chain_ids[0].decode() if name is None else name)
    letters = decode(protein.residue_types)
    for i, letter in enumerate(letters):
        three = "UNK" if letter == "X" else gemmi.expand_one_letter(letter, gemmi.ResidueKind.AA)
        each = residue(three, int(protein.residue_numbers[i]), protein.insertion_codes[i])
        for k, kind in enumerate(ATOMS):
            if np.isfinite(protein.coordinates[i, k]).all():
                each.add_atom(atom(kind, protein.coordinates[i, k]))
        made.add_residue(each)
    return made


def structure_of(*chains: gemmi.Chain) -> gemmi.Structure:
    """One model of these chains."""
    made, model = gemmi.Structure(), gemmi.Model(1)
    for chain in chains:
        model.add_chain(chain)
    made.add_model(model)
    return made


def write(structure: gemmi.Structure, path: Path) -> Path:
    """The structure as a file of the format that its suffix says."""
    structure.setup_entities()
    structure.assign_label_seq_id()
    if path.suffix == ".pdb":
        structure.write_pdb(str(path))
    else:
        structure.make_mmcif_document().write_file(str(path))
    return path
