"""PDB files: checked line by line, then parsed by gemmi."""

from __future__ import annotations

import re
from dataclasses import dataclass

import gemmi

from bioblobs.structures.pdb_columns import (
    ATOM_LINE,
    LOWER_CASE,
    LOWER_CASE_FROM,
    Checked,
    Flaw,
    check_columns,
)
from bioblobs.structures.pdb_names import without_odd_names
from bioblobs.structures.residue_names import is_amino_acid

COLUMNS = 76
"""Columns of a PDB line that are read, up to the segment id; programs differ in the last four."""
ATOM_RECORD = re.compile(rb"^[ \t]*(?:ATOM|HETATM)(?=[ \t\d])[^\n]*\d", re.MULTILINE | re.IGNORECASE)
_LOWER = re.compile(rb"^(?:atom|hetatm|model|endmdl|ter|end)(?![a-z])", re.MULTILINE | re.IGNORECASE)
_SOME_LOWER = re.compile(rb"^(?!ATOM|HETATM|TER)(?i:atom|hetatm|ter)(?![A-Za-z])", re.MULTILINE)
_RECORD = re.compile(rb"^(?:ATOM  |ATOM \d|HETATM)", re.MULTILINE)
_MODEL = re.compile(rb"^MODEL(?= )", re.MULTILINE)
_END_OF_MODEL = re.compile(rb"^ENDMDL|^END *$", re.MULTILINE)
_SENTENCE = re.compile(rb"^(?:MODEL(?! +\d+ *$)[^\n]*\n?)", re.MULTILINE)
_END = re.compile(rb"^END(?!MDL)[^\n]*\n?", re.MULTILINE | re.IGNORECASE)
_CHAIN = re.compile(ATOM_LINE + rb"[^\n]{15}([^\n])", re.MULTILINE)
_NEEDED = re.compile(rb"^(?:ATOM|HETATM|ANISOU|TER|MODRES|CRYST1)[^\n]*\n?", re.MULTILINE)


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
    text = _SOME_LOWER.sub(lambda found: found.group().upper(), text)
    text, models = _first_model(text)
    if sum(1 for _ in _RECORD.finditer(text)) > atoms_max:
        raise ValueError(f"more than {atoms_max:,} atoms; too large")
    checked = _checked(text)
    if not _RECORD.search(checked.text):
        if checked.flaws:
            raise ValueError(str(checked.flaws[0]))
        raise ValueError("no ATOM record in PDB columns (free format, or indented?)")
    cleaned, long_names = without_odd_names(checked.text)
    structure = _parsed(cleaned, split_at_ter)
    while len(structure) > 1 and not any(len(chain) for chain in structure[0]):
        del structure[0]
    del structure[1:]
    if long_names:
        for residue in (residue for chain in structure[0] for residue in chain):
            residue.name = long_names.get(residue.name, residue.name)
    if LOWER_CASE in cleaned:
        _number_lower_case(structure[0])
    by_segment = any(_is_named_by_segments(model) for model in structure)
    if not by_segment and split_at_ter and not checked.flaws and _repeats_by_segment(structure[0]):
        by_segment = True
        for chain in structure[0]:
            chain.name = ""
    if by_segment:
        structure[0].split_chains_by_segments(gemmi.HowToNameCopiedChain.Short)
    if not split_at_ter:
        structure.merge_chain_parts()
    return PdbFile(structure, max(models, len(structure)), checked.flaws, by_segment)


def _first_model(text: bytes) -> tuple[bytes, int]:
    """Cut a file after its first model that has atoms; other models may be damaged, or many.

    Parts that END divides are one model if they have no chain id in common: files that were joined.
    """
    text = _SENTENCE.sub(b"", text)
    ends = sorted({found.start() for pattern in (_MODEL, _END_OF_MODEL) for found in pattern.finditer(text)})
    stop, models, chains = len(text), 0, set[bytes]()
    for begin, end in zip([0, *ends], [*ends, len(text)], strict=True):
        if not _RECORD.search(text, begin, end):
            continue
        if models == 1 and _END.match(text, begin):
            others = set(_CHAIN.findall(text, begin, end))
            chains = chains or set(_CHAIN.findall(text, 0, stop))
            if b" " not in others | chains and others.isdisjoint(chains):
                stop, chains = end, chains | others
                continue
        models += 1
        if models == 1:
            stop = end
    return _END.sub(b"", text[:stop]), models  # gemmi reads nothing after END


def _parsed(text: bytes, split_at_ter: bool) -> gemmi.Structure:
    """Parse by gemmi; leave the header out if it costs atoms, as damaged DBREF records do."""
    records = sum(1 for _ in _RECORD.finditer(text))
    structure = gemmi.read_pdb_string(text, COLUMNS, split_chain_on_ter=split_at_ter)
    if sum(model.count_atom_sites() for model in structure) != records:
        bare = b"".join(_NEEDED.findall(text))
        structure = gemmi.read_pdb_string(bare, COLUMNS, split_chain_on_ter=split_at_ter)
    return structure


def _number_lower_case(model: gemmi.Model) -> None:
    """Give residues with numbers of hybrid-36 in lower case their numbers."""
    for chain in model:
        for residue in chain:
            if residue.seqid.icode == LOWER_CASE.decode():
                residue.seqid = gemmi.SeqId((residue.seqid.num or 0) + LOWER_CASE_FROM, " ")


def _checked(text: bytes) -> Checked:
    checked = check_columns(text)
    if b"\t" in text and any("tabs" in flaw.cause for flaw in checked.flaws):
        widened = check_columns(text.expandtabs(8))  # an editor may have saved blanks as tabs
        if len(widened.flaws) < len(checked.flaws) and not widened.flaws:
            return widened
    return checked


def _is_named_by_segments(model: gemmi.Model) -> bool:
    """Tell whether only segment ids tell the chains apart (as simulation programs write)."""
    if any(chain.name.strip() for chain in model):
        return False
    return len({residue.segment for chain in model for residue in chain}) > 1


def _repeats_by_segment(model: gemmi.Model) -> bool:
    """Tell whether several segments have amino acids of one chain and number (CHARMM: proteins are P)."""
    for chain in model:
        segments: dict[str, str] = {}
        for residue in chain:
            mine = residue.segment
            if mine and is_amino_acid(residue.name) and segments.setdefault(str(residue.seqid), mine) != mine:
                return True
    return False
