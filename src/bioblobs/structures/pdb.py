"""PDB files: checked line by line, then parsed by gemmi."""

from __future__ import annotations

import re
from dataclasses import dataclass

import gemmi

from bioblobs.structures.pdb_columns import Checked, Flaw, check_columns
from bioblobs.structures.residue_names import LONG_NAMES, STANDARD, is_amino_acid

COLUMNS = 76
"""Columns of a PDB line that are read, up to the segment id; programs differ in the last four."""
ATOM_RECORD = re.compile(rb"^[ \t]*(?:ATOM|HETATM)(?=[ \t\d])[^\n]*\d", re.MULTILINE | re.IGNORECASE)
_LOWER = re.compile(rb"^(?:atom|hetatm|model|endmdl|ter|end)(?![a-z])", re.MULTILINE | re.IGNORECASE)
_RECORD = re.compile(rb"^(?:ATOM  |ATOM \d|HETATM)", re.MULTILINE)
_MODEL = re.compile(rb"^MODEL(?= )", re.MULTILINE)
_END_OF_MODEL = re.compile(rb"^ENDMDL|^END *$", re.MULTILINE)
_SENTENCE = re.compile(rb"^(?:MODEL(?! +\d+ *$)[^\n]*\n?)", re.MULTILINE)
_NAMED = re.compile(rb"^(?:ATOM  |ATOM \d|HETATM)[^\n]{10}([^\n]{6})", re.MULTILINE)
_TER = re.compile(rb"^TER *", re.MULTILINE)


@dataclass
class PdbFile:
    """Parsed PDB file.

    Attributes:
        structure: gemmi's, of the first model.
        models: number of models in the file.
        flaws: lines that could not be read, in order.
        by_segment: True where segment ids name the chains.
    """

    structure: gemmi.Structure
    models: int
    flaws: list[Flaw]
    by_segment: bool


def parse_pdb(text: bytes, split_at_ter: bool, atoms_max: int) -> PdbFile:
    """Parse a PDB file.

    Args:
        split_at_ter: a chain ends at each TER, though the same id goes on after it.

    Raises:
        ValueError: not one line has its fields in their columns, or there are too many atoms.
    """
    if not _RECORD.search(text):
        text = _LOWER.sub(lambda found: found.group().upper(), text)
    text, models = _first_model(text)
    if sum(1 for _ in _RECORD.finditer(text)) > atoms_max:
        raise ValueError(f"more than {atoms_max:,} atoms; too large")
    checked = _checked(text)
    if not _RECORD.search(checked.text):
        if checked.flaws:
            raise ValueError(str(checked.flaws[0]))
        raise ValueError("no ATOM record in PDB columns (free format, or indented?)")
    cleaned, long_names = _without_long_names(checked.text)
    structure = gemmi.read_pdb_string(cleaned, COLUMNS, split_chain_on_ter=split_at_ter)
    while len(structure) > 1 and not any(len(chain) for chain in structure[0]):
        del structure[0]
    del structure[1:]
    if long_names:
        for residue in (residue for chain in structure[0] for residue in chain):
            residue.name = long_names.get(residue.name, residue.name)
    by_segment = any(_is_named_by_segments(model) for model in structure)
    if by_segment:
        structure[0].split_chains_by_segments(gemmi.HowToNameCopiedChain.Short)
    if not split_at_ter:
        structure.merge_chain_parts()
    return PdbFile(structure, max(models, len(structure)), checked.flaws, by_segment)


def _first_model(text: bytes) -> tuple[bytes, int]:
    """Cut a file after its first model that has atoms; other models may be damaged, or many."""
    text = _SENTENCE.sub(b"", text)
    ends = sorted({found.start() for pattern in (_MODEL, _END_OF_MODEL) for found in pattern.finditer(text)})
    parts = [text[begin:end] for begin, end in zip([0, *ends], [*ends, len(text)], strict=True)]
    whole = [part for part in parts if _RECORD.search(part)]
    if len(whole) < 2:
        return text, len(whole)
    return text[: text.index(whole[0]) + len(whole[0])], len(whole)


def _checked(text: bytes) -> Checked:
    checked = check_columns(text)
    if b"\t" in text and any("tabs" in flaw.cause for flaw in checked.flaws):
        widened = check_columns(text.expandtabs(8))  # an editor may have saved blanks as tabs
        if len(widened.flaws) < len(checked.flaws) and not widened.flaws:
            return widened
    return checked


def _without_long_names(text: bytes) -> tuple[bytes, dict[str, str]]:
    """Replace residue names of four letters by others of three; return these with what they stand for.

    The fourth letter lies in column 21, where some programs put the first of a chain id of two.
    """
    found = {each.decode("latin-1") for each in set(_NAMED.findall(text))}
    plain = {each for each in found if each[4] == " "}
    double = {each[4:] for each in found if each[4] != " " and each[5] != " " and _three(each)}
    names: dict[str, str] = {}
    for each in sorted(found):
        if each[4] != " ":
            known = each[1:5] in LONG_NAMES
            if each[5] == " " or (known and each[4:] not in double):
                names[each] = each[1:5]
        elif each[:4] in LONG_NAMES and each[1:4] not in STANDARD and not is_amino_acid(each[1:4]):
            names[each] = each[:4]  # in columns 17 to 20
    if not names:
        return text, {}
    used = {each[1:4] for each in plain}
    free = (code for code in (f"{number:03d}" for number in range(1000)) if code not in used)
    codes: dict[str, str] = {}
    for name in names.values():
        if name not in codes and (code := next(free, "")):
            codes[name] = code
    renamed = {
        each.encode("latin-1"): ((" " if each[4] == " " else each[0]) + codes[name] + " " + each[5]).encode(
            "latin-1"
        )
        for each, name in names.items()
        if name in codes
    }

    def rename(line: re.Match[bytes]) -> bytes:
        new = renamed.get(line.group(1))
        return line.group() if new is None else line.group()[:-6] + new

    return _NAMED.sub(rename, text), {code: name for name, code in codes.items()}


def _three(ident: str) -> bool:
    """Tell whether the first three letters are a name that a fourth would make no other."""
    return ident[1:4] in STANDARD and ident[1:5] not in LONG_NAMES


def _is_named_by_segments(model: gemmi.Model) -> bool:
    """Tell whether only segment ids tell the chains apart (as simulation programs write)."""
    if any(chain.name.strip() for chain in model):
        return False
    return len({residue.segment for chain in model for residue in chain}) > 1
