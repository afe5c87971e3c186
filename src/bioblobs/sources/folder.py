"""Source of your own structures: a folder of PDB and mmCIF files, and a table that labels their chains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bioblobs.config.schema import DataConfig
from bioblobs.errors import BioBlobsError
from bioblobs.proteins.alphabet import decode
from bioblobs.proteins.geometry import CA_ATOM
from bioblobs.proteins.record import Protein, ProteinError, usable
from bioblobs.sources.folder_scan import Scratch, Stored, scan
from bioblobs.sources.folder_table import Entry, find_table, read_table
from bioblobs.sources.selection import wanted
from bioblobs.sources.tasks import split_column, task_of
from bioblobs.splits import SPLITS
from bioblobs.splits.assign import check_threshold
from bioblobs.structures.files import find_structures, stem_of

Item = Stored | ProteinError
"""Protein as the temporary file holds it, or the reason why there is none."""


class FolderSource:
    """Read the chains that ``data.table`` names from the files of ``data.folder``.

    A file that cannot be read, or has no such chain, loses its own rows only.
    """

    def __init__(self, data: DataConfig) -> None:
        self.data, self.folder = data, Path(data.folder)
        self.listing = read_table(self.folder, data.table)
        if not self.listing.has_splits:
            check_threshold(data.split, data.split_similarity_threshold)
        self.scratch = Scratch()
        self.errors: dict[int, ProteinError] = {}
        self.names: list[str] = []  # of the rows, once the files are read
        self.split_name = "split column of the table" if self.listing.has_splits else split_column(data)

    def left_out(self) -> dict[str, int]:
        """Implement :class:`~bioblobs.sources.source.Source`."""
        count = len(self.listing.unlisted)
        return {"file that the table does not name": count} if count else {}

    def table(self) -> pd.DataFrame:
        """Implement :class:`~bioblobs.sources.source.Source`, with file and chain as the table names them."""
        entries = self.listing.entries
        frame = pd.DataFrame(
            {
                "id": [""] * len(entries),
                "length": 0,
                "labels": [entry.labels for entry in entries],
                "split": [entry.split for entry in entries],
                "file": [entry.file for entry in entries],
                "chain": [entry.chain for entry in entries],
            }
        )
        self.names, sequences = self._scan()
        frame["id"] = self.names
        frame["length"] = [len(sequence) for sequence in sequences]
        frame["error"] = [str(self.errors[row]) if row in self.errors else None for row in frame.index]
        if not self.listing.has_splits:
            frame["split"] = self._assign(frame, sequences)
        return frame

    def items(self, rows: Sequence[int]) -> Iterator[Item]:
        """Implement :class:`~bioblobs.sources.source.Source`."""
        for row in rows:
            if row in self.errors:
                yield self.errors[row]
            else:  # a file's own name may be that of another file
                yield self.scratch.get(row)._replace(id=self.names[row])

    @staticmethod
    def read(item: Item) -> list[Protein | ProteinError]:
        """Implement :class:`~bioblobs.sources.source.Source`."""
        return [item if isinstance(item, ProteinError) else item.protein()]

    def class_names(self) -> dict[str, str]:
        """Implement :class:`~bioblobs.sources.source.Source`: labels are their own names."""
        return {}

    def _scan(self) -> tuple[list[str], list[str]]:
        """Read every file once; return id and sequence of the usable residues per row."""
        entries = self.listing.entries
        of_file: dict[Path, list[int]] = {}
        for row, entry in enumerate(entries):
            if entry.path is None:
                self.errors[row] = ProteinError(f"no such file in {self.folder}")
            else:
                of_file.setdefault(entry.path, []).append(row)
        chains = [entry.chain for entry in entries]
        sequences = [""] * len(entries)
        requests = [(str(path), tuple(entries[row].chain for row in rows)) for path, rows in of_file.items()]
        for rows, outcomes in zip(of_file.values(), scan(requests, self.data.workers), strict=True):
            for row, outcome in zip(rows, outcomes, strict=True):
                if isinstance(outcome, ProteinError):
                    self.errors[row] = outcome
                    continue
                protein, chain = outcome
                chains[row] = chain
                sequences[row] = decode(usable(protein)[0].residue_types)
                self.scratch.put(row, protein)
        return self._distinct(chains), sequences

    def _distinct(self, chains: list[str]) -> list[str]:
        """Make unique ids: with folders, or the whole file name, where the stem is not enough.

        Raises:
            BioBlobsError: two rows name one chain of one file.
        """
        entries = self.listing.entries
        first: dict[tuple[Path | str, str], Entry] = {}
        for entry, chain in zip(entries, chains, strict=True):
            if (other := first.setdefault((entry.path or entry.file, chain), entry)) is not entry:
                name = _name(entry, chain)
                raise BioBlobsError(
                    f"{self.listing.path}: line {entry.line}, column file: {name}, as in line {other.line}"
                )
        names = [_name(entry, chain) for entry, chain in zip(entries, chains, strict=True)]
        for whole in (False, True):
            counts = pd.Series(names).value_counts()
            names = [
                name
                if counts[name] == 1
                else f"{entry.file}_{chain}"
                if whole
                else (Path(entry.file).parent / name).as_posix()
                for name, entry, chain in zip(names, entries, chains, strict=True)
            ]
        return names

    def _assign(self, frame: pd.DataFrame, sequences: list[str]) -> list[str]:
        """Assign a split to the rows that will be used."""
        from bioblobs.splits.assign import assign_splits

        split = [SPLITS[0]] * len(frame)  # of rows that selection will drop anyway, for reasons of its own
        readable = frame[frame["error"].isna()]
        rows = wanted(readable, task_of(self.data), self.data, {}, has_splits=False).index.tolist()
        if not rows:
            return split
        chosen = assign_splits(
            [sequences[row] for row in rows],
            CAlphas(self.scratch, rows),
            [frame["labels"][row] for row in rows],
            self.data.split,
            self.data.split_similarity_threshold,
            self.data.split_fractions,
            self.data.seed,
        )
        for row, name in zip(rows, chosen, strict=True):
            split[row] = name
        return split


class CAlphas(Sequence[NDArray[np.float32]]):
    """C-alphas (L, 3) of the usable residues per row, read on access."""

    def __init__(self, scratch: Scratch, rows: list[int]) -> None:
        self.scratch, self.rows = scratch, rows

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> NDArray[np.float32]: ...
    @overload
    def __getitem__(self, index: slice) -> CAlphas: ...
    def __getitem__(self, index: int | slice) -> NDArray[np.float32] | CAlphas:
        if isinstance(index, slice):
            return CAlphas(self.scratch, self.rows[index])
        protein = self.scratch.get(self.rows[index]).protein()
        return usable(protein)[0].coordinates[:, CA_ATOM]


def folder_state(data: DataConfig) -> list[tuple[str, int, int]]:
    """List name, size and time of change of the table, of every structure file and of every file it names."""
    folder = Path(data.folder)
    named = {entry.path for entry in read_table(folder, data.table).entries if entry.path}
    files = [find_table(folder, data.table), *sorted({*find_structures(folder), *named})]
    found = [(path.relative_to(folder).as_posix(), path.stat()) for path in files]
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in found]


def _name(entry: Entry, chain: str) -> str:
    """Make ``<file stem>_<chain>``, or the stem where the file has no chain ids."""
    stem = stem_of(entry.path) if entry.path else entry.file
    return f"{stem}_{chain}" if chain else stem
