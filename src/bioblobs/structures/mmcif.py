"""mmCIF files: block with coordinates, missing columns filled in, then parsed by gemmi."""

from __future__ import annotations

import re

import gemmi
from gemmi import cif

PREFIX = "_atom_site."
MMCIF = re.compile(rb"(?:\s|#[^\n]*\n)*+(?:data_|loop_|_atom_site\.|_entry\.id)", re.IGNORECASE)
"""Begin of an mmCIF file; the line ``data_`` may be missing."""
ATOM_SITE = re.compile(rb"^\s*_atom_site\.", re.IGNORECASE | re.MULTILINE)
_DATA = re.compile(rb"^\s*data_", re.IGNORECASE | re.MULTILINE)
_TAG = re.compile(rb"^[ \t]*(?:_[^\s]+[ \t]*|loop_[ \t]*)$", re.IGNORECASE | re.MULTILINE)
_ROWS = re.compile(rb"^(?:ATOM|HETATM)\s[^\n]*\n", re.MULTILINE)
_PAIRS = (
    ("label_atom_id", "auth_atom_id"),
    ("label_comp_id", "auth_comp_id"),
    ("label_asym_id", "auth_asym_id"),
    ("auth_seq_id", "label_seq_id"),
    ("auth_asym_id", "label_asym_id"),
    ("auth_comp_id", "label_comp_id"),
    ("auth_atom_id", "label_atom_id"),
)
"""Columns, and those that say the same."""
_CONSTANT = {
    "label_alt_id": ".",
    "occupancy": "1.00",
    "B_iso_or_equiv": "0.00",
    "pdbx_PDB_ins_code": "?",
}
_NEEDED = ("Cartn_x", "Cartn_y", "Cartn_z", "label_atom_id", "label_comp_id", "auth_seq_id")
_NULL = ("?", ".")


def parse_mmcif(text: bytes, atoms_max: int) -> tuple[gemmi.Structure, dict[str, str]]:
    """Parse an mmCIF file; return the structure, and parents of residues: {"MSE": "MET"}.

    Raises:
        ValueError: no block has coordinates, or a column is missing that nothing can stand for.
    """
    document = _document(text)
    block = next((each for each in document if each.find_loop(PREFIX + "Cartn_x")), None)
    block = block or next((each for each in document if each.find_mmcif_category(PREFIX)), None)
    if block is None:
        if any("_atom_site_" in tag for each in document for tag in each.get_mmcif_category_names()):
            raise ValueError("a CIF file of a small molecule, without residues")
        raise ValueError("no block of this mmCIF file has coordinates (_atom_site)")
    _fill(block, atoms_max)
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
        if (whole := _until_last_row(text)) is None:
            raise
        return cif.read_string(whole)


def _until_last_row(text: bytes) -> bytes | None:
    """Cut what follows the table of atoms, if it is a sentence and no row of that table."""
    end = max((found.end() for found in _ROWS.finditer(text)), default=0)
    rest = text[end:].strip()
    if not end or not rest or re.match(rb"(?i)ATOM|HETATM|[\d.?_]|loop_|data_", rest.lstrip(b"# \n")):
        return None
    return text[:end]


def _fill(block: cif.Block, atoms_max: int) -> None:
    """Give the table of atoms the columns that it lacks, and lower-case tags their usual case."""
    table = block.find_mmcif_category(PREFIX)
    loop = table.loop if table else None
    if loop is None:
        raise ValueError("one atom only")
    tags = [tag.lower() for tag in loop.tags]
    if (rows := loop.length()) > atoms_max:
        raise ValueError(f"more than {atoms_max:,} atoms; too large")

    def column(name: str) -> list[str] | None:
        tag = (PREFIX + name).lower()
        return loop.values[tags.index(tag) :: len(tags)] if tag in tags else None

    columns = {name: column(name) for name in {each for pair in _PAIRS for each in pair}}
    values: dict[str, list[str]] = {}
    for name, other in _PAIRS:
        mine, theirs = columns[name], values.get(other) or columns[other]
        if mine is None and theirs is not None:
            values[name] = theirs
        elif mine is not None and theirs is not None and not set(_NULL).isdisjoint(mine):
            values[name] = [b if a in _NULL else a for a, b in zip(mine, theirs, strict=True)]
    for name in _NEEDED:
        if (PREFIX + name).lower() not in tags and name not in values:
            if any(tag.startswith("_atom_site.fract_") for tag in tags):
                raise ValueError("fractional coordinates only; columns _atom_site.Cartn_x, _y, _z are needed")
            raise ValueError(f"no column {PREFIX}{name}, and none that could stand for it")
    if columns["label_asym_id"] is None and "label_asym_id" not in values:
        entity = column("label_entity_id")
        names = {each: chr(ord("A") + number) for number, each in enumerate(dict.fromkeys(entity or []))}
        few = entity and len(names) <= 26
        values["label_asym_id"] = [names[each] for each in entity or []] if few else ["A"] * rows
        values.setdefault("auth_asym_id", values["label_asym_id"])
    values["id"] = [str(number) for number in range(1, rows + 1)]
    if column("type_symbol") is None:
        atoms = values.get("label_atom_id") or columns["label_atom_id"] or []
        values["type_symbol"] = [(each.strip("'\"0123456789") or "X")[0] for each in atoms]
    for name, value in _CONSTANT.items():
        if column(name) is None:
            values[name] = [value] * rows
    content = {_usual(tag): loop.values[place :: len(tags)] for place, tag in enumerate(loop.tags)} | dict(
        values.items()
    )
    fresh = block.init_mmcif_loop(PREFIX, list(content))
    fresh.set_all_values(list(content.values()))


_USUAL = {
    name.lower(): name
    for name in (
        *(name for pair in _PAIRS for name in pair),
        *_CONSTANT,
        *_NEEDED,
        "group_PDB",
        "label_entity_id",
        "type_symbol",
        "pdbx_PDB_model_num",
        "pdbx_formal_charge",
    )
}


def _usual(tag: str) -> str:
    name = tag[len(PREFIX) :]
    return _USUAL.get(name.lower(), name)


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
