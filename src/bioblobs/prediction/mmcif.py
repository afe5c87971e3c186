"""Coloured structures as mmCIF: every name quoted where it must be, and the user's own columns beside ours.

gemmi writes the categories that surround the atoms; it leaves names such as ``_`` or ``a b`` without quotes,
so that no program reads the file again. The atoms are therefore written here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import gemmi

from bioblobs.prediction.coloured import Coloured
from bioblobs.prediction.writable import PLAIN

ORIGINAL_OCCUPANCY, ORIGINAL_B = "bioblobs_original_occupancy", "bioblobs_original_B_iso_or_equiv"
"""Columns with what the user's file has; ours are in the standard ones, which viewers colour by."""
COLUMNS = (
    "group_PDB", "id", "type_symbol", "label_atom_id", "label_alt_id", "label_comp_id", "label_asym_id",
    "label_entity_id", "label_seq_id", "pdbx_PDB_ins_code", "Cartn_x", "Cartn_y", "Cartn_z", "occupancy",
    "B_iso_or_equiv", "pdbx_formal_charge", "auth_seq_id", "auth_comp_id", "auth_asym_id", "auth_atom_id",
    "pdbx_PDB_model_num", ORIGINAL_OCCUPANCY, ORIGINAL_B,
)  # fmt: skip
"""Of ``_atom_site``."""


def as_mmcif(made: Coloured, name: str) -> str:
    """The structure as the text of an mmCIF file.

    Args:
        name: of the data block and the entry, in plain characters.
    """
    structure = made.structure
    structure.name = name
    plain = all(PLAIN.fullmatch(word) for word in _words(structure[0]))
    try:
        return _text(made, gemmi.MmcifOutputGroups(plain))
    except UnicodeDecodeError:  # a title that is not UTF-8
        return _text(made, gemmi.MmcifOutputGroups(False))


def _text(made: Coloured, groups: gemmi.MmcifOutputGroups) -> str:
    for needed in ("entry", "block_name", "cell", "symmetry", "entity", "struct_asym", "atom_type"):
        setattr(groups, needed, True)
    groups.atoms = False
    document = made.structure.make_mmcif_document(groups)
    loop = document.sole_block().init_mmcif_loop("_atom_site.", list(COLUMNS))
    loop.set_all_values([list(column) for column in zip(*_rows(made), strict=True)])
    return document.as_string()


def _words(model: gemmi.Model) -> Iterator[str]:
    """Names that gemmi would write without quotes, in the categories around the atoms."""
    for chain in model:
        yield chain.name
        for residue in chain:
            yield residue.name
            yield residue.seqid.icode.strip() or "A"


def _rows(made: Coloured) -> Iterator[tuple[str, ...]]:
    structure = made.structure
    entities = {subchain: entity.name for entity in structure.entities for subchain in entity.subchains}
    originals = iter(made.originals.tolist())
    for chain in structure[0]:
        author = _quoted(chain.name)
        for residue in chain:
            name, seqid = _quoted(residue.name), residue.seqid
            code = _quoted(seqid.icode.strip()) if seqid.icode.strip() else "?"
            label = (residue.subchain or ".", entities.get(residue.subchain, "."))
            place = "." if residue.label_seq is None else str(residue.label_seq)
            number = "?" if seqid.num is None else str(seqid.num)
            group = "HETATM" if residue.het_flag == "H" else "ATOM"
            for atom, original in zip(residue, originals, strict=False):
                kind = _quoted(atom.name)
                yield (
                    group,
                    str(atom.serial),
                    atom.element.name,
                    kind,
                    "." if atom.altloc == "\0" else _quoted(atom.altloc),
                    name,
                    *label,
                    place,
                    code,
                    *(_number(value, 9) for value in atom.pos.tolist()),
                    _number(atom.occ),
                    _number(atom.b_iso),
                    str(atom.charge) if atom.charge else "?",
                    number,
                    name,
                    author,
                    kind,
                    "1",
                    *map(_number, original),
                )


def _number(value: float, digits: int = 6) -> str:
    return f"{value:.{digits}g}" if math.isfinite(value) else "?"


def _quoted(text: str) -> str:
    return text if PLAIN.fullmatch(text) else gemmi.cif.quote(text)
