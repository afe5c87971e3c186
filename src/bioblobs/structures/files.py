"""Structure files: their names, and parsing by gemmi."""

from __future__ import annotations

import bz2
import gzip
import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import gemmi

from bioblobs.errors import BioBlobsError

SUFFIXES = (".pdb", ".ent", ".cif", ".mmcif")
"""Suffixes of structure files, in either case, with or without one of :data:`PACKED`."""
PACKED = {".gz": (b"\x1f\x8b", gzip.decompress), ".bz2": (b"BZh", bz2.decompress)}
"""Packed files: suffix, first bytes and function that unpacks."""
READ_ERRORS = (RuntimeError, ValueError, IndexError, UnicodeDecodeError, OSError, EOFError, zlib.error)
"""Exceptions of gemmi, gzip and bz2 on files that are damaged or of another kind."""
PDB_COLUMNS = 76
"""Columns of a PDB line that are read, up to the segment id; programs differ in the last four."""
_MMCIF = re.compile(rb"(?:\s|#[^\n]*\n)*data_", re.IGNORECASE)
_PDB_MODEL = re.compile(rb"^MODEL ", re.MULTILINE)
_PDB_END_OF_MODEL = re.compile(rb"^ENDMDL", re.MULTILINE)
_PDB_ATOM = re.compile(rb"^(?:ATOM  |HETATM)", re.MULTILINE)


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
        return f"{self.path}: {self.reason}"


@dataclass
class Parsed:
    """Parsed file.

    Attributes:
        structure: gemmi's structure, of which the first model counts.
        format: ``PDB`` or ``mmCIF``.
        models: number of models in the file.
        parents: standard amino acid of modified residues according to the file: {"MSE": "MET"}.
    """

    structure: gemmi.Structure
    format: str
    models: int
    parents: dict[str, str]


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
        content = _content(path)
        if not content.strip():
            raise ValueError("empty file")
        if _MMCIF.match(content):
            return _parse_mmcif(content)
        if _PDB_ATOM.search(content):
            return _parse_pdb(content, split_at_ter)
    except READ_ERRORS as error:
        raise StructureError(path, in_one_line(error)) from error
    raise StructureError(path, "neither PDB nor mmCIF: no ATOM record and no data_ block")


def _content(path: Path) -> bytes:
    content = path.read_bytes()
    for begin, unpack in PACKED.values():
        if content.startswith(begin):
            content = unpack(content)
    content = content.removeprefix(b"\xef\xbb\xbf")  # byte-order mark of some editors
    return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _parse_pdb(content: bytes, split_at_ter: bool) -> Parsed:
    begins = [found.start() for found in _PDB_MODEL.finditer(content)]
    ends = [found.start() for found in _PDB_END_OF_MODEL.finditer(content)]
    cut = min([*begins[1:2], *ends[:1]], default=len(content))  # other models may be damaged, or many
    structure = gemmi.read_pdb_string(content[:cut], PDB_COLUMNS, split_chain_on_ter=split_at_ter)
    for model in structure:
        if _is_named_by_segments(model):
            model.split_chains_by_segments(gemmi.HowToNameCopiedChain.Short)
    if not split_at_ter:
        structure.merge_chain_parts()
    models = max(len(begins), len(ends), len(structure))
    return Parsed(structure, "PDB", models, _modified(structure))


def _is_named_by_segments(model: gemmi.Model) -> bool:
    """Tell whether only segment ids tell the chains apart (as simulation programs write)."""
    if any(chain.name.strip() for chain in model):
        return False
    return len({residue.segment for chain in model for residue in chain}) > 1


def _parse_mmcif(content: bytes) -> Parsed:
    document = gemmi.cif.Document()
    structure = gemmi.read_structure_string(content, format=gemmi.CoorFormat.Mmcif, save_doc=document)
    parents = _modified(structure)
    for block in document:
        table = block.find("_chem_comp.", ["id", "mon_nstd_parent_comp_id"])
        parents |= {row.str(0): row.str(1) for row in table if row.str(1)}
    return Parsed(structure, "mmCIF", len(structure), parents)


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
    words = re.sub(r"^string:(\d+):\d+\(\d+\):", r"line \1:", " ".join(str(error).split()))
    return words[:200] or type(error).__name__
