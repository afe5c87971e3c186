"""Columns of ``_atom_site``: checked, put into order, and filled in where a file lacks them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from gemmi import cif

PREFIX = "_atom_site."
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
_COORDINATES = ("Cartn_x", "Cartn_y", "Cartn_z")
_NEEDED = (*_COORDINATES, "label_atom_id", "label_comp_id", "auth_seq_id")
_NULL = frozenset(("?", ".", "''", '""'))
_READ_RAW = (
    *_COORDINATES,
    *("label_alt_id", "pdbx_PDB_ins_code", "label_seq_id", "auth_seq_id"),
    *("occupancy", "B_iso_or_equiv", "pdbx_formal_charge", "pdbx_PDB_model_num", "group_PDB"),
)
"""Columns that gemmi reads as they are, quotes included."""
_GROUP = re.compile(r"(?i)atom|hetatm|[?.]")
_NUMBER = re.compile(r"-?\d{1,9}[A-Za-z]?|[?.]")
_INTEGER = re.compile(r"[-+]?\d{1,9}|[?.]")
_CHECKED = {
    "group_PDB": (_GROUP, "neither ATOM nor HETATM; is a value missing before it?"),
    "auth_seq_id": (_NUMBER, "not a residue number"),
    "pdbx_PDB_model_num": (_INTEGER, "not a model number"),
    "label_alt_id": (re.compile(r"."), "more than one character"),
    "pdbx_PDB_ins_code": (re.compile(r"."), "more than one character"),
}
"""Columns whose every value must be like this, and what is wrong with others."""
_OPTIONAL = ("label_seq_id", "pdbx_formal_charge")
"""Whole numbers that nothing depends on: others are left out."""
_USUAL = {
    name.lower(): name
    for name in (
        *(name for pair in _PAIRS for name in pair),
        *_CONSTANT,
        *_NEEDED,
        *_READ_RAW,
        "label_entity_id",
        "type_symbol",
    )
}


def complete_columns(block: cif.Block, atoms_max: int) -> None:
    """Give the table of atoms the columns that it lacks, tags their usual case, and each chain few runs.

    Raises:
        ValueError: a column is missing that nothing can stand for, a value cannot be, or too many atoms.
    """
    table = block.find_mmcif_category(PREFIX)
    loop = table.loop if table else None
    if loop is None:
        raise ValueError("one atom only")
    if (rows := loop.length()) > atoms_max:
        raise ValueError(f"more than {atoms_max:,} atoms; too large")
    tags, values = [_usual(tag) for tag in loop.tags], loop.values
    columns = {tag: values[place :: len(tags)] for place, tag in enumerate(tags)}
    for name in _READ_RAW:
        if name in columns and not {"'", '"', ";"}.isdisjoint(each[:1] for each in set(columns[name])):
            columns[name] = [cif.as_string(each) or "?" for each in columns[name]]
    _check(columns)
    _fill(columns, rows)
    if (order := _order(columns)) is not None:
        columns = {name: [column[row] for row in order] for name, column in columns.items()}
    columns["id"] = [str(number) for number in range(1, rows + 1)]
    fresh = block.init_mmcif_loop(PREFIX, list(columns))
    fresh.set_all_values(list(columns.values()))


def _usual(tag: str) -> str:
    name = tag[len(PREFIX) :]
    return _USUAL.get(name.lower(), name)


def _check(columns: dict[str, list[str]]) -> None:
    """Name the first value that cannot be."""
    for name, (form, wrong) in _CHECKED.items():
        column = columns.get(name, [])
        if odd := {each for each in set(column) if not form.fullmatch(each) and each not in _NULL}:
            row, value = next((row, each) for row, each in enumerate(column, 1) if each in odd)
            raise ValueError(f"atom {row}: {PREFIX}{name} {value}: {wrong}")
    for name in _OPTIONAL:
        if odd := {each for each in set(columns.get(name, [])) if not _INTEGER.fullmatch(each)}:
            columns[name] = ["?" if each in odd else each for each in columns[name]]
    for name in _COORDINATES:
        if columns.get(name) and re.fullmatch(r"[-+]?\d+,\d+", columns[name][0]):
            raise ValueError(
                f"atom 1: {PREFIX}{name} {columns[name][0]}: a decimal comma in place of a point"
            )
    models = columns.get("pdbx_PDB_model_num", [])
    if not _NULL.isdisjoint(models):
        usual = next((each for each in models if each not in _NULL), "1")
        columns["pdbx_PDB_model_num"] = [usual if each in _NULL else each for each in models]


def _fill(columns: dict[str, list[str]], rows: int) -> None:
    """Add the columns that are missing, and single values from columns that say the same."""
    for name, other in _PAIRS:
        mine, theirs = columns.get(name), columns.get(other)
        if mine is None and theirs is not None:
            columns[name] = theirs
        elif mine is not None and theirs is not None and not _NULL.isdisjoint(mine):
            columns[name] = [b if a in _NULL else a for a, b in zip(mine, theirs, strict=True)]
    for name in _NEEDED:
        if name not in columns:
            if any(tag.lower().startswith("fract_") for tag in columns):
                raise ValueError("fractional coordinates only; columns _atom_site.Cartn_x, _y, _z are needed")
            raise ValueError(f"no column {PREFIX}{name}, and none that could stand for it")
    if "label_asym_id" not in columns:
        entity = columns.get("label_entity_id", [])
        names = {each: chr(ord("A") + number) for number, each in enumerate(dict.fromkeys(entity))}
        few = entity and len(names) <= 26
        columns["label_asym_id"] = [names[each] for each in entity] if few else ["A"] * rows
        columns.setdefault("auth_asym_id", columns["label_asym_id"])
    if "type_symbol" not in columns:
        atoms = columns["label_atom_id"]
        columns["type_symbol"] = [(each.strip("'\"0123456789") or "X")[0] for each in atoms]
    for name, value in _CONSTANT.items():
        columns.setdefault(name, [value] * rows)


def _order(columns: dict[str, list[str]]) -> Sequence[int] | None:
    """Order rows by model and chain, each as it first occurs; None where chains have a few runs only.

    gemmi looks through all chains at each new run: 80,000 waters, each by its chain, took minutes.
    """
    chains = columns["auth_asym_id"]
    keys = list(zip(columns.get("pdbx_PDB_model_num", [""] * len(chains)), chains, strict=True))
    runs = 1 + sum(one != two for one, two in itertools.pairwise(keys))
    first: dict[tuple[str, str], int] = {}
    for key in keys:
        first.setdefault(key, len(first))
    if runs <= 10 * len(first):
        return None
    return sorted(range(len(keys)), key=lambda row: first[keys[row]])
