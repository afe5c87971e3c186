"""Inspection of structure files: one row per chain, or per file without one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from bioblobs.errors import BioBlobsError
from bioblobs.proteins.record import ProteinError
from bioblobs.structures.files import StructureError, find_structures
from bioblobs.structures.reader import Chain, StructureFile, read_chains


@dataclass
class Finding:
    """Chain of a file, or a file that cannot be read.

    Attributes:
        file: the file.
        reason: for skipping the chain or file; empty if it can be read.
        format: ``PDB`` or ``mmCIF``.
        models: models of the file; the first is read.
        chain: author chain id.
        label: ``label_asym_id`` (mmCIF).
        residues: residues of the chain.
        usable: of these, with a complete backbone.
        without_backbone: of these, without.
        first: author number (and insertion code) of the first residue.
        last: of the last one.
        modified: residues that count as another: {"MSE->M": 4}.
        altlocs: residues with alternate locations; one is kept.
        insertions: residues with an insertion code.
        breaks: places where the chain is broken.
        repeated: residues whose number occurred before.
        overlapping: residues that lie on an earlier one; left out.
        left_out: water, nucleotides and others of the same author chain.
    """

    file: str
    reason: str = ""
    format: str = ""
    models: int = 0
    chain: str = ""
    label: str = ""
    residues: int = 0
    usable: int = 0
    without_backbone: int = 0
    first: str = ""
    last: str = ""
    modified: dict[str, int] = field(default_factory=dict)
    altlocs: int = 0
    insertions: int = 0
    breaks: int = 0
    repeated: int = 0
    overlapping: int = 0
    left_out: dict[str, int] = field(default_factory=dict)


NAMES = [each.name for each in fields(Finding)]
"""Columns of a table of findings."""
_SHOWN = {
    "chain": "chain",
    "label": "label",
    "residues": "residues",
    "usable": "usable",
    "first": "first",
    "last": "last",
    "modified": "modified",
    "altlocs": "altlocs",
    "insertions": "ins.codes",
    "breaks": "breaks",
    "left_out": "left out",
}
"""Columns of the readable table, and their heads."""


def files_of(paths: Iterable[str]) -> list[Path]:
    """List the files that paths name; of a folder, the structure files in it.

    Raises:
        BioBlobsError: a folder has no structure files.
    """
    found: list[Path] = []
    for name in paths:
        path = Path(name)
        inside = find_structures(path) if path.is_dir() else [path]
        if not inside:
            raise BioBlobsError(f"{path}: no structure files (.pdb, .ent, .cif, .mmcif; also .gz, .bz2)")
        found += inside
    return found


def inspect_file(path: Path) -> list[Finding]:
    """Inspect one file; an error becomes a finding."""
    try:
        found = read_chains(path)
    except StructureError as error:
        return [Finding(str(path), error.reason)]
    return [_finding(found, chain) for chain in found.chains]


def _finding(file: StructureFile, chain: Chain) -> Finding:
    notes = [str(chain.protein)] if isinstance(chain.protein, ProteinError) else []
    return Finding(
        file=str(file.path),
        reason="; ".join(notes),
        format=file.format,
        models=file.models,
        chain=chain.name,
        label=chain.label,
        residues=chain.residues,
        usable=0 if notes else chain.usable,
        without_backbone=chain.residues - chain.usable,
        first=chain.first,
        last=chain.last,
        modified=chain.modified,
        altlocs=chain.alternates,
        insertions=chain.insertions,
        breaks=chain.breaks,
        repeated=chain.repeated,
        overlapping=chain.overlapping,
        left_out=chain.left_out,
    )


def as_rows(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Convert to plain rows for JSON."""
    return [asdict(finding) for finding in findings]


def as_cells(findings: Iterable[Finding]) -> list[dict[str, str]]:
    """Convert to rows for CSV, counts by name in one cell: ``MSE->M 4, SEP->S 1``."""
    return [{name: _cell(value) for name, value in row.items()} for row in as_rows(findings)]


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in sorted(value.items()))
    return str(value)


def as_text(findings: list[Finding]) -> str:
    """Format a readable table: a line per file, and its chains below."""
    rows = as_cells(findings)
    cells = [[row[name] if row[name] not in ("", "0") else "-" for name in _SHOWN] for row in rows]
    widths = [max(map(len, column)) for column in zip(_SHOWN.values(), *cells, strict=True)]
    lines = ["  ".join(["  ", *map(str.ljust, _SHOWN.values(), widths)]).rstrip()]
    file = None
    for finding, cell in zip(findings, cells, strict=True):
        if finding.file != file:
            file = finding.file
            models = f", first of {finding.models} models" if finding.models > 1 else ""
            lines.append(f"{file}  ({finding.format}{models})" if finding.format else file)
        if finding.format:
            lines.append("  ".join(["  ", *map(str.ljust, cell, widths)]).rstrip())
        if finding.overlapping or finding.repeated:
            lines.append(f"      numbers that repeat: {finding.repeated}, overlapping: {finding.overlapping}")
        if finding.reason:
            lines.append(f"      skipped: {finding.reason}")
    return "\n".join(lines)
