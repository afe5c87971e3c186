"""The user's own structure, all atoms of its first model, with blobs in the columns that viewers colour by.

B-factor: rank of the blob that the residue is in, from 1 on, 0 none.
Occupancy: importance of that blob, 0 where there is none (PDB files keep two decimals). A blob that argues
against the class has 0 too: file formats want 0 to 1, so signed contributions are in the scripts and tables.
What both columns held before is in two columns more of the mmCIF file.
Chains and residues keep their names and numbers, as far as a file can hold them (:mod:`.writable`), and parts
of one id that repeat numbers are called ``A.1``, ``A.2`` as in the tables.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass

import gemmi
import numpy as np
from numpy.typing import NDArray

from bioblobs.prediction.predicted import ChainPrediction, StructurePrediction
from bioblobs.prediction.writable import PLAIN, clean, decodable, free_name, is_chain_name
from bioblobs.structures.content import READ_ERRORS
from bioblobs.structures.files import StructureError, in_one_line, parse

_NO_ANISOTROPY = gemmi.SMat33f(0, 0, 0, 0, 0, 0)
_CA = 1


@dataclass(frozen=True)
class Place:
    """A predicted residue in the coloured structure.

    Attributes:
        chain: name of its chain there.
        label: ``label_asym_id`` there.
        number: author number.
        code: insertion code as it is written there; empty if there is none.
        serials: first and last serial number of its atoms, of each conformer that is written apart.
        alone: True if chain, number and code, in either case, are those of no other residue.
    """

    chain: str
    label: str
    number: int
    code: str
    serials: tuple[tuple[int, int], ...]
    alone: bool


@dataclass(frozen=True)
class Coloured:
    """A structure with blobs.

    Attributes:
        structure: one model; atoms are numbered from 1.
        originals: (A, 2) occupancy and B-factor of each atom in the user's file.
        places: of each predicted chain the residues that the model saw, in their order.
        notes: names that no file can hold, and what is written instead.
    """

    structure: gemmi.Structure
    originals: NDArray[np.float32]
    places: list[list[Place]]
    notes: list[str]


def coloured(prediction: StructurePrediction) -> Coloured:
    """Read the file again and mark its blobs.

    Raises:
        StructureError: it cannot be read any more, or a chain not be marked; the reason names the chain.
    """
    parts = any(chain.chain != _author(chain) for chain in prediction.chains)
    structure = parse(prediction.path, split_at_ter=parts).structure
    try:
        return _mark(structure, prediction)
    except READ_ERRORS as error:
        raise StructureError(prediction.path, in_one_line(error)) from error


@dataclass(eq=False)
class _Site:
    """A residue of the file: position of its chain in the model, and the atoms of one conformer or of all."""

    position: int
    residue: gemmi.Residue
    serials: tuple[int, int]

    @property
    def owner(self) -> tuple[int, str]:
        """Chain and subchain: two polymers may share an author id."""
        return self.position, self.residue.subchain


_Sites = dict[tuple[str, int, str], list[_Site]]
"""By author chain, number and insertion code; several where numbers repeat."""


def _mark(structure: gemmi.Structure, prediction: StructurePrediction) -> Coloured:
    del structure[1:]
    model = structure[0]
    decodable(model)
    sites, originals = _blank(model)
    found: list[list[list[_Site]]] = []
    taken: set[tuple[int, str]] = set()
    for chain in prediction.chains:
        try:
            found.append(_mark_chain(sites, chain, taken))
        except READ_ERRORS as error:
            raise ValueError(f"chain {chain.chain or 'without id'}: {in_one_line(error)}") from error
        taken |= {site.owner for row in found[-1] for site in row}
    notes = _rename(model, prediction.chains, found)
    notes += clean(model)
    _complete(structure)
    counts = Counter(_key(chain, residue) for chain in model for residue in chain)
    places = [[_place(model, row, counts) for row in rows] for rows in found]
    return Coloured(structure, originals, places, notes)


def _blank(model: gemmi.Model) -> tuple[_Sites, NDArray[np.float32]]:
    """Number the atoms, and remove what their columns hold; return the residues by name, and that."""
    sites: _Sites = defaultdict(list)
    originals: list[tuple[float, float]] = []
    for position, chain in enumerate(model):
        name = chain.name.strip()
        for residue in chain:
            first = len(originals) + 1
            for atom in residue:
                originals.append((atom.occ, atom.b_iso))
                atom.serial = len(originals)
                atom.occ = atom.b_iso = 0
                atom.aniso = _NO_ANISOTROPY
            number = residue.seqid.num
            if number is not None and len(originals) >= first:
                site = _Site(position, residue, (first, len(originals)))
                sites[name, number, residue.seqid.icode.strip()].append(site)
    return sites, np.array(originals, np.float32).reshape(-1, 2)


def _mark_chain(sites: _Sites, chain: ChainPrediction, taken: set[tuple[int, str]]) -> list[list[_Site]]:
    """Write the blobs of a chain; return what the file has of each of its residues."""
    protein, author = chain.protein, _author(chain)
    codes = protein.insertion_codes.astype(str)
    marks = {row: blob for blob in chain.blobs for row in blob.residues}
    rows: list[list[_Site]] = []
    for row, number in enumerate(protein.residue_numbers.tolist()):
        candidates = sites[author, number, codes[row]]
        owner = _owner(candidates, protein.coordinates[row, _CA], protein.origin, taken)
        rows.append([site for site in candidates if site.owner == owner])
        if (blob := marks.get(row)) is None:
            continue
        for site in rows[-1]:  # all conformers, whatever their residue names
            for atom in site.residue:
                atom.b_iso, atom.occ = blob.rank, blob.importance
    return rows


def _owner(
    candidates: list[_Site],
    ca: NDArray[np.float32],
    origin: tuple[float, float, float],
    taken: set[tuple[int, str]],
) -> tuple[int, str]:
    """The chain whose residue of that name has its C-alpha there."""
    owners = {site.owner for site in candidates}
    owners = owners - taken or owners  # copies of a chain may lie on one another
    if len(owners) > 1:
        owners = {
            site.owner
            for site in candidates
            for atom in site.residue
            if atom.name == "CA" and np.allclose(np.array(atom.pos.tolist()) - origin, ca, rtol=0, atol=1e-3)
        } or owners
    if not owners:
        raise ValueError("the file has changed since it was read")
    return min(owners)


def _author(chain: ChainPrediction) -> str:
    return str(chain.protein.chain_ids[0].decode())


def _rename(model: gemmi.Model, chains: list[ChainPrediction], found: list[list[list[_Site]]]) -> list[str]:
    """Give each chain its name in the coloured file, that of no other chain; notes on ids that are lost.

    Parts get the names that the tables have. A chain without an id, or with one that no file can hold, gets
    the first free letter, digit or pair of letters.
    """
    wanted = {position: chain.name.strip() for position, chain in enumerate(model)}
    mine = [{site.position for row in rows for site in row} for rows in found]
    for chain, positions in zip(chains, mine, strict=True):
        if sum(bool(positions & other) for other in mine) == 1:
            wanted |= dict.fromkeys(positions, chain.chain)
    kept = {name for name in wanted.values() if is_chain_name(name)}
    given: dict[str, str] = {}
    notes = []
    for position, name in wanted.items():
        if name not in kept and name not in given:
            given[name] = free_name(kept | set(given.values()))
            if not re.fullmatch(r"(\.\d+)?", name):
                notes.append(f"chain id {name!r} is written as {given[name]}")
        model[position].name = given.get(name, name)
    return notes


def _key(chain: gemmi.Chain, residue: gemmi.Residue) -> tuple[str, int, str]:
    """What viewers choose a residue by; PyMOL takes insertion codes in either case for one another."""
    return chain.name, residue.seqid.num or 0, residue.seqid.icode.strip().upper()


def _place(model: gemmi.Model, row: list[_Site], counts: Counter[tuple[str, int, str]]) -> Place:
    """Where a residue is, once everything has its name."""
    chain, first = model[row[0].position], row[0].residue
    return Place(
        chain=chain.name,
        label=first.subchain,
        number=first.seqid.num or 0,
        code=first.seqid.icode.strip(),
        serials=tuple(site.serials for site in row),
        alone=counts[_key(chain, first)] == len(row),
    )


def _complete(structure: gemmi.Structure) -> None:
    """Add what mmCIF requires and PDB files may lack: entities, and places in their sequences.

    Entities are called 1, 2, ...; ``label_asym_id`` is A, B, ... unless the file has plain ones.
    """
    structure.setup_entities()
    model = structure[0]
    for number, entity in enumerate(structure.entities, 1):
        if entity.entity_type == gemmi.EntityType.Polymer and not entity.full_sequence and entity.subchains:
            residues = model.get_subchain(entity.subchains[0])
            entity.full_sequence = [residue.name for residue in residues.first_conformer()]
        entity.name = str(number)
    structure.assign_label_seq_id()
    _label_neutrally(structure)


def _label_neutrally(structure: gemmi.Structure) -> None:
    model = structure[0]
    labels = dict.fromkeys(residue.subchain for chain in model for residue in chain)
    own = structure.input_format == gemmi.CoorFormat.Mmcif
    kept = {label for label in labels if own and PLAIN.fullmatch(label)}
    given: dict[str, str] = {label: label for label in kept}
    for label in labels:
        if label not in kept:
            given[label] = free_name(set(given.values()))
    for chain in model:
        for residue in chain:
            residue.subchain = given[residue.subchain]
    for entity in structure.entities:
        entity.subchains = [given[label] for label in entity.subchains if label in given]
