"""Structure files: their names, and parsing by gemmi."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import gemmi

from bioblobs.errors import BioBlobsError, joined_lines
from bioblobs.structures.content import PACKED, READ_ERRORS, foreign, printable, read_content
from bioblobs.structures.mmcif import ATOM_SITE, MMCIF, parse_mmcif
from bioblobs.structures.pdb import ATOM_RECORD, parse_pdb
from bioblobs.structures.pdb_columns import Flaw

SUFFIXES = (".pdb", ".ent", ".cif", ".mmcif")
"""Suffixes of structure files, in either case, with or without one of :data:`PACKED`."""
ATOMS_MAX = 5_000_000
"""Most atoms of a file that is read; the largest entries of the PDB have about half."""


class StructureError(BioBlobsError):
    """Structure file that cannot be used.

    Attributes:
        path: the file.
        reason: without the file's name.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)  # both, so that the error can come from another process
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return joined_lines(f"{self.path}: {self.reason}")


@dataclass
class Parsed:
    """Parsed file.

    Attributes:
        structure: gemmi's structure, of which the first model counts.
        format: ``PDB`` or ``mmCIF``.
        models: number of models in the file.
        parents: standard amino acid of modified residues according to the file: {"MSE": "MET"}.
        flaws: lines of a PDB file that could not be read; their chains are not to be believed.
        by_segment: True where segment ids name the chains of a PDB file.
    """

    structure: gemmi.Structure
    format: str
    models: int
    parents: dict[str, str]
    flaws: list[Flaw] = field(default_factory=list)
    by_segment: bool = False


def suffix_of(path: Path) -> str:
    """Return the suffix of a structure file: ``.pdb``, ``.cif.gz``; empty for other files."""
    name = path.name.lower()
    packed = next((ending for ending in PACKED if name.endswith(ending)), "")
    ending = Path(name.removesuffix(packed)).suffix
    return ending + packed if ending in SUFFIXES else ""


def stem_of(path: Path) -> str:
    """Return the file name without ``.pdb``, ``.cif.gz`` and so on."""
    return path.name[: len(path.name) - len(suffix_of(path))]


def find_structures(folder: Path) -> list[Path]:
    """List the structure files in a folder and its subfolders, without hidden ones, sorted by path.

    Linked folders are followed, each once.
    """
    return sorted(
        path
        for parent in _folders(folder)
        for path in parent.iterdir()
        if suffix_of(path) and path.is_file() and not path.name.startswith(".")
    )


def _folders(top: Path) -> Iterator[Path]:
    """Yield the folder and its subfolders that are not hidden."""
    seen: set[str] = set()
    for name, inner, _ in os.walk(top, followlinks=True):
        real = os.path.realpath(name)
        if real in seen:  # a link to a folder above it
            inner.clear()
            continue
        seen.add(real)
        inner[:] = sorted(each for each in inner if not each.startswith("."))
        yield Path(name)


def parse(path: Path, split_at_ter: bool = False) -> Parsed:
    """Parse a PDB or mmCIF file, plain or packed; the content decides which, not the name.

    Args:
        split_at_ter: a chain ends at each TER of a PDB file, though the same id goes on after it.

    Raises:
        StructureError: the file is missing, damaged, or not a structure.
    """
    try:
        content = read_content(path)
        if not content.strip():
            raise ValueError("empty file")
        if other := foreign(content):
            raise ValueError(f"neither PDB nor mmCIF: {other}")
        if MMCIF.match(content) or ATOM_SITE.search(content):
            structure, parents = parse_mmcif(content, ATOMS_MAX)
            return Parsed(structure, "mmCIF", len(structure), _modified(structure) | parents)
        if ATOM_RECORD.search(content):
            found = parse_pdb(content, split_at_ter, ATOMS_MAX)
            parents = _modified(found.structure)
            return Parsed(found.structure, "PDB", found.models, parents, found.flaws, found.by_segment)
    except READ_ERRORS as error:
        raise StructureError(path, in_one_line(error)) from error
    raise StructureError(path, "neither PDB nor mmCIF: no ATOM record and no data_ block")


def _modified(structure: gemmi.Structure) -> dict[str, str]:
    """Read MODRES records, or the category _pdbx_struct_mod_residue."""
    records = structure.mod_residues
    return {record.res_id.name: record.parent_comp_id for record in records if record.parent_comp_id}


def in_one_line(error: Exception) -> str:
    """Shorten an error to one line without the name of the file."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, UnicodeDecodeError):
        return "characters that are not UTF-8"
    words = re.sub(r"^(?:string|data):(\d+):\d+\(\d+\):", r"line \1:", " ".join(str(error).split()))
    return printable(words)[:200] or type(error).__name__
