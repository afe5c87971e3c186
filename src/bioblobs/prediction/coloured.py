"""The user's own structure, all atoms of its first model, with blobs in the columns that viewers colour by.

B-factor: rank of the blob that the residue is in, from 1 on, 0 none.
Occupancy: importance of that blob, 0 where there is none (PDB files keep two decimals). A blob that argues
against the class has 0 too: file formats want 0 to 1, so signed contributions are in the scripts and tables.
Chains and residues keep their names and numbers. A chain without a name is called by the first free letter,
and parts of one id that repeat numbers are called ``A.1``, ``A.2`` as in the tables, so that scripts can name
them.
"""

from __future__ import annotations

import re
import string
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import gemmi
import numpy as np
from numpy.typing import NDArray

from bioblobs.prediction.predicted import ChainPrediction, StructurePrediction
from bioblobs.structures.files import READ_ERRORS, StructureError, in_one_line, parse

Format = Literal["cif", "pdb", "both"]
PDB_ATOMS, PDB_NUMBERS, PDB_FARTHEST = 99_999, range(-999, 10_000), 9_999
"""Largest values that fit the columns of a PDB file."""
_NO_ANISOTROPY = gemmi.SMat33f(0, 0, 0, 0, 0, 0)
_CA = 1
_UNSAFE = re.compile("[^A-Za-z0-9_.-]")
"""Characters of chain names that mean something else in scripts."""


@dataclass
class Coloured:
    """A structure with blobs, and what each predicted chain is called in it."""

    structure: gemmi.Structure
    chain_names: dict[str, str]


def coloured(prediction: StructurePrediction) -> Coloured:
    """Read the file again and mark its blobs.

    Raises:
        StructureError: it cannot be read any more.
    """
    parts = any(chain.chain != _author(chain) for chain in prediction.chains)
    structure = parse(prediction.path, split_at_ter=parts).structure
    try:
        return _mark(structure, prediction)
    except READ_ERRORS as error:
        raise StructureError(prediction.path, in_one_line(error)) from error


def _mark(structure: gemmi.Structure, prediction: StructurePrediction) -> Coloured:
    del structure[1:]
    model = structure[0]
    for chain in model:
        for residue in chain:
            for atom in residue:
                atom.occ = atom.b_iso = 0
                atom.aniso = _NO_ANISOTROPY
    sites = _sites(model)
    names: dict[str, str] = {}
    taken: set[int] = set()
    for predicted in prediction.chains:
        owners = _mark_chain(sites, predicted, taken)
        taken |= owners
        names[predicted.chain] = _UNSAFE.sub("_", predicted.chain) or _free_letter(model)
        for position in owners:
            model[position].name = names[predicted.chain]
    _complete(structure)
    return Coloured(structure, names)


Site = tuple[str, int, str]
"""Author chain, number and insertion code."""


def _sites(model: gemmi.Model) -> dict[Site, list[tuple[int, gemmi.Residue]]]:
    """Residues of each name, with the position of their chain: several where numbers repeat."""
    found: dict[Site, list[tuple[int, gemmi.Residue]]] = defaultdict(list)
    for position, chain in enumerate(model):
        name = chain.name.strip()
        for residue in chain:
            number = residue.seqid.num
            if number is not None:
                found[name, number, residue.seqid.icode.strip()].append((position, residue))
    return found


def _mark_chain(
    sites: dict[Site, list[tuple[int, gemmi.Residue]]], chain: ChainPrediction, taken: set[int]
) -> set[int]:
    """Write the blobs of a chain; the positions of the model's chains that it is."""
    protein, author = chain.protein, _author(chain)
    codes = protein.insertion_codes.astype(str)
    owners: set[int] = set()
    marks = {row: blob for blob in chain.blobs for row in blob.residues}
    for row, number in enumerate(protein.residue_numbers.tolist()):
        candidates = sites[author, number, codes[row]]
        owner = _owner(candidates, protein.coordinates[row, _CA], taken)
        owners.add(owner)
        if (blob := marks.get(row)) is None:
            continue
        for position, residue in candidates:
            if position == owner:  # all conformers, whatever their residue names
                for atom in residue:
                    atom.b_iso, atom.occ = blob.rank, blob.importance
    return owners


def _owner(candidates: list[tuple[int, gemmi.Residue]], ca: NDArray[np.float32], taken: set[int]) -> int:
    """The chain whose residue of that name has its C-alpha there."""
    owners = {position for position, _ in candidates}
    owners = owners - taken or owners  # copies of a chain may lie on one another
    if len(owners) > 1:
        owners = {
            position
            for position, residue in candidates
            for atom in residue
            if atom.name == "CA" and np.array_equal(np.array(atom.pos.tolist(), np.float32), ca)
        } or owners
    if not owners:
        raise ValueError("the file has changed since it was read")
    return min(owners)


def _author(chain: ChainPrediction) -> str:
    return str(chain.protein.chain_ids[0].decode())


def _free_letter(model: gemmi.Model) -> str:
    taken = {chain.name for chain in model}
    return next(letter for letter in string.ascii_uppercase + string.ascii_lowercase if letter not in taken)


def _complete(structure: gemmi.Structure) -> None:
    """Add what mmCIF requires and PDB files may lack: entities, and places in their sequences."""
    structure.setup_entities()
    for entity in structure.entities:
        if entity.entity_type == gemmi.EntityType.Polymer and not entity.full_sequence and entity.subchains:
            residues = structure[0].get_subchain(entity.subchains[0])
            entity.full_sequence = [residue.name for residue in residues.first_conformer()]
    structure.assign_label_seq_id()


def unfit_for_pdb(structure: gemmi.Structure) -> str:
    """Reason why a structure cannot be a PDB file; empty if it can."""
    model = structure[0]
    if long := [chain.name for chain in model if len(chain.name) > 1]:
        return f"chain id {long[0]} has more than one character"
    if model.count_atom_sites() + len(model) > PDB_ATOMS:
        return f"more than {PDB_ATOMS} atoms"
    for chain in model:
        for residue in chain:
            if residue.seqid.num not in PDB_NUMBERS:
                return f"residue number {residue.seqid.num}"
            if len(residue.name) > 3:
                return f"residue name {residue.name} has more than three characters"
    box = structure.calculate_box()
    if max(map(abs, box.minimum.tolist() + box.maximum.tolist())) > PDB_FARTHEST:
        return f"a coordinate beyond {PDB_FARTHEST} angstrom"
    return ""


def write_coloured(made: Coloured, folder: Path, name: str, format: Format) -> tuple[list[str], str]:
    """Write ``<name>.cif`` and ``<name>.pdb``, as asked for.

    Returns:
        The names of the files, the one for scripts first, and why there is no PDB file (then mmCIF it is).
    """
    unfit = unfit_for_pdb(made.structure) if format != "cif" else ""
    files = []
    if format != "pdb" or unfit:
        made.structure.make_mmcif_document().write_file(str(folder / f"{name}.cif"))
        files.append(f"{name}.cif")
    if format != "cif" and not unfit:
        made.structure.write_pdb(str(folder / f"{name}.pdb"))
        files.append(f"{name}.pdb")
    return files, unfit
