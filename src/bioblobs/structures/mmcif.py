"""mmCIF files: block with coordinates, missing columns filled in, then parsed by gemmi."""

from __future__ import annotations

import re

import gemmi
from gemmi import cif

from bioblobs.structures.mmcif_columns import PREFIX, complete_columns

MMCIF = re.compile(rb"(?:\s|#[^\n]*\n)*+(?:data_|loop_|_atom_site\.|_entry\.id)", re.IGNORECASE)
"""Begin of an mmCIF file; the line ``data_`` may be missing."""
ATOM_SITE = re.compile(rb"^\s*_atom_site\.", re.IGNORECASE | re.MULTILINE)
_DATA = re.compile(rb"^\s*data_", re.IGNORECASE | re.MULTILINE)
_TAG = re.compile(rb"^[ \t]*(?:_[^\s]+[ \t]*|loop_[ \t]*)$", re.IGNORECASE | re.MULTILINE)
_ODD_ROW = re.compile(rb"^(?:ATOM|HETATM)[ \t][\t\x20-\x7e]*[^\n\t\x20-\x7e]", re.MULTILINE)
_ROWS = re.compile(rb"^(?:ATOM|HETATM)\s[^\n]*\n", re.MULTILINE)


def parse_mmcif(text: bytes, atoms_max: int) -> tuple[gemmi.Structure, dict[str, str]]:
    """Parse an mmCIF file; return the structure, and parents of residues: {"MSE": "MET"}.

    Raises:
        ValueError: no block has coordinates, or a column is missing that nothing can stand for.
    """
    document = _document(text)
    block = next((each for each in document if _has_coordinates(each)), None)
    block = block or next((each for each in document if each.find_mmcif_category(PREFIX)), None)
    if block is None:
        if any("_atom_site_" in tag for each in document for tag in each.get_mmcif_category_names()):
            raise ValueError("a CIF file of a small molecule, without residues")
        raise ValueError("no block of this mmCIF file has coordinates (_atom_site)")
    complete_columns(block, atoms_max)
    structure = gemmi.make_structure_from_block(block)
    structure.merge_chain_parts()
    split_polymers(structure)
    parents: dict[str, str] = {}
    for each in document:
        table = each.find("_chem_comp.", ["id", "mon_nstd_parent_comp_id"])
        parents |= {row.str(0): row.str(1) for row in table if row.str(1)}
    return structure, parents


def _document(text: bytes) -> cif.Document:
    if not _DATA.search(text):
        text = b"data_x\n" + text
    elif not MMCIF.match(text) and (begin := _DATA.search(text)):
        text = text[begin.start() :]
    try:
        return cif.read_string(text)
    except (RuntimeError, ValueError):
        if odd := _ODD_ROW.search(text):
            line = text.count(b"\n", 0, odd.start()) + 1
            raise ValueError(f"line {line}: a character that is not plain ASCII") from None
        if (whole := _until_last_row(text)) is None:
            raise
        return cif.read_string(whole)


def _has_coordinates(block: cif.Block) -> bool:
    """Tell whether a block has a table of atoms with at least one coordinate."""
    column = block.find_loop(PREFIX + "Cartn_x")
    return any(value[:1] not in "?." for value in column)


def _until_last_row(text: bytes) -> bytes | None:
    """Cut what follows the table of atoms, if it is a sentence and no row of that table."""
    end = max((found.end() for found in _ROWS.finditer(text)), default=0)
    rest = text[end:].strip()
    if not end or not rest or re.match(rb"(?i)ATOM|HETATM|[\d.?_]|loop_|data_", rest.lstrip(b"# \n")):
        return None
    return text[:end]


def split_polymers(structure: gemmi.Structure) -> None:
    """Make a chain of each polymer (``label_asym_id`` and entity of its own) under one author id."""
    polymers = {
        subchain
        for entity in structure.entities
        if entity.entity_type == gemmi.EntityType.Polymer
        for subchain in entity.subchains
    }
    for model in structure:
        chains = []
        for chain in model:
            own: dict[str, gemmi.Chain] = {}
            for residue in chain:
                if residue.entity_type == gemmi.EntityType.Polymer or residue.subchain in polymers:
                    own.setdefault(residue.subchain, gemmi.Chain(chain.name))
            if len(own) < 2:
                chains.append(chain.clone())
                continue
            parts = list(own.values())
            for residue in chain:
                own.get(residue.subchain, parts[0]).add_residue(residue)
            chains += parts
        if len(chains) > len(model):
            while len(model):
                del model[0]
            for chain in chains:
                model.add_chain(chain)
