"""Table of a folder of structures: file, chain, labels and split."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NoReturn

from bioblobs.errors import BioBlobsError
from bioblobs.splits import SPLITS
from bioblobs.structures.files import find_structures, stem_of

NAMES = ("labels.csv", "labels.tsv")
"""Default names of the table."""
LABEL_SEPARATOR = "|"
"""Separator between the labels of one chain."""


@dataclass(frozen=True)
class Entry:
    """Row of the table.

    Attributes:
        line: its line in the file, for messages.
        file: the structure file as the table names it.
        path: where it lies; None: there is no such file.
        chain: chain, empty for the only one of the file.
        labels: none, one or several.
        split: train, val, test, or empty.
    """

    line: int
    file: str
    path: Path | None
    chain: str
    labels: tuple[str, ...]
    split: str


@dataclass
class FolderTable:
    """Table of a folder.

    Attributes:
        path: of the table.
        entries: its rows in order.
        has_splits: True if it has the column ``split``.
        unlisted: structure files in the folder that no row names.
    """

    path: Path
    entries: list[Entry]
    has_splits: bool
    unlisted: list[Path]


def find_table(folder: Path, name: str | None) -> Path:
    """Find the table of a folder.

    Args:
        name: of the table, within the folder; None: labels.csv or labels.tsv.

    Raises:
        BioBlobsError: there is no folder or no table, or it is not in the folder.
    """
    if not folder.is_dir():
        raise BioBlobsError(f"data.folder: {folder} is not a folder; put structure files and a table there")
    for candidate in [name] if name else NAMES:
        path = folder / candidate
        if not path.resolve().is_relative_to(folder.resolve()):
            raise BioBlobsError(f"data.table: {candidate} is not in data.folder ({folder}); put it there")
        if path.is_file():
            return path
    wanted = name or " or ".join(NAMES)
    raise BioBlobsError(f"{folder}: no table {wanted} (columns: file, label, and where needed chain, split)")


def read_table(folder: Path, name: str | None) -> FolderTable:
    """Read the table: separated by tabs if its name ends with .tsv, .tab or .txt, else by , or ;.

    Raises:
        BioBlobsError: naming the file, and the line and column that is wrong.
    """
    path = find_table(folder, name)
    files = _Files(folder)
    seen: dict[tuple[str, str], int] = {}
    entries: list[Entry] = []
    columns: list[str] = []
    for line, row in _rows(path):
        columns = list(row)
        entry = _entry(path, files, line, row)
        key = (str(entry.path or entry.file), entry.chain)
        if key in seen:
            _refuse(path, line, "file", f"names the chain of line {seen[key]} again")
        seen[key] = line
        entries.append(entry)
    if not entries:
        raise BioBlobsError(f"{path}: no rows")
    named = {entry.path for entry in entries}
    return FolderTable(path, entries, "split" in columns, [file for file in files.all if file not in named])


class _Files:
    """Structure files of a folder, by the names that a table may give them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.all = folder, find_structures(folder)
        self.by_name: dict[str, list[Path]] = {}
        for path in self.all:
            inside = path.relative_to(folder)
            self.by_name.setdefault(inside.with_name(stem_of(path)).as_posix(), []).append(path)

    def find(self, name: str) -> list[Path]:
        """Find the files of a name, with or without its suffix."""
        exact = self.folder / name
        return [exact] if exact.is_file() else self.by_name.get(PurePosixPath(name).as_posix(), [])


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line number and cells of every row, under lower-case column names."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=_delimiter(path, file.readline()), strict=True)
            file.seek(0)
            columns = [name.strip().lower() for name in next(reader, [])]
            _check_columns(path, columns)
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) != len(columns):
                    many = f"{len(cells)} cells for {len(columns)} columns"
                    raise BioBlobsError(f"{path}: line {reader.line_num} has {many}")
                yield reader.line_num, dict(zip(columns, map(str.strip, cells), strict=True))
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        raise BioBlobsError(f"{path}: not a readable table ({error})") from error


def _delimiter(path: Path, head: str) -> str:
    if path.suffix.lower() in (".tsv", ".tab", ".txt"):
        return "\t"
    return ";" if head.count(";") > head.count(",") else ","  # spreadsheets of some countries


def _check_columns(path: Path, columns: list[str]) -> None:
    for needed in ("file", "label"):
        if columns.count(needed) != 1:
            what = "is missing" if needed not in columns else "is there twice"
            found = ", ".join(" ".join(name.split()) or "(no name)" for name in columns) or "none"
            raise BioBlobsError(f"{path}: column {needed} {what}; columns: {found[:300]}")


def _entry(path: Path, files: _Files, line: int, row: dict[str, str]) -> Entry:
    name, split = row["file"].replace("\\", "/"), row.get("split", "")
    if not name:
        _refuse(path, line, "file", "is empty")
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        _refuse(path, line, "file", f"{name}: expected a file in {files.folder}, named from there")
    if split and split not in SPLITS:
        _refuse(path, line, "split", f"{split}: expected {', '.join(SPLITS)} or nothing")
    found = files.find(name)
    if len(found) > 1:
        several = ", ".join(file.name for file in found)
        _refuse(path, line, "file", f"{name} may be any of {several}: write the whole name")
    labels = {label.strip() for label in row["label"].split(LABEL_SEPARATOR)} - {""}
    there = found[0] if found else None
    return Entry(line, name, there, row.get("chain", ""), tuple(sorted(labels)), split)


def _refuse(path: Path, line: int, column: str, what: str) -> NoReturn:
    raise BioBlobsError(f"{path}: line {line}, column {column}: {what}")
