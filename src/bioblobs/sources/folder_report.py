"""Report on a folder of structures and its table: what would be trained on, and what would not, and why."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import pandas as pd

from bioblobs.config.schema import DataConfig
from bioblobs.errors import BioBlobsError
from bioblobs.io import few_chains
from bioblobs.proteins.alphabet import decode
from bioblobs.proteins.record import usable
from bioblobs.sources.folder import FolderSource
from bioblobs.sources.selection import select, training_classes
from bioblobs.sources.tasks import task_of
from bioblobs.splits import SPLITS

LISTED = 10
"""Names that a line of the report lists; the others are counted."""
SMALL = 500
"""Training chains below which settings of small data are proposed."""
SMALL_SETTINGS = ("model.codebook_size=64", "train.batch_size=8")
"""Fewer codes than blobs, and more steps per epoch."""


@dataclass
class FolderReport:
    """What a table and its folder give.

    Attributes:
        rows: rows of the table.
        files: structure files of the folder.
        no_file: files that the table names and the folder has not.
        unlisted: files that no row names.
        unreadable: ``id: reason`` of chains that cannot be read.
        repeated: chains with the sequence of an earlier one.
        conflicts: ids of chains with one sequence and different labels, per sequence.
        classes: one row per class: class, chains, train, val, test.
        dropped: chains left out, by reason.
        problem: why nothing can be trained; empty if something can.
        command: what to run next; empty where nothing can be trained.
    """

    rows: int
    files: int
    no_file: list[str]
    unlisted: list[str]
    unreadable: list[str]
    repeated: int = 0
    conflicts: list[str] = field(default_factory=list)
    classes: pd.DataFrame = field(default_factory=pd.DataFrame)
    dropped: dict[str, int] = field(default_factory=dict)
    problem: str = ""
    command: str = ""

    @property
    def chains(self) -> dict[str, int]:
        """Chains of each split that would be used."""
        return {name: int(self.classes[name].sum()) if len(self.classes) else 0 for name in SPLITS}

    def lines(self) -> Iterator[str]:
        """Yield the report as text."""
        yield f"table: {self.rows} rows; folder: {self.files} structure files"
        yield from _listed("named in the table, no such file", self.no_file)
        yield from _listed("file that no row names", self.unlisted)
        yield from _listed("cannot be read", self.unreadable)
        if self.repeated:
            yield f"same sequence as an earlier chain: {self.repeated}"
        yield from _listed("one sequence with different labels", self.conflicts)
        for reason, count in self.dropped.items():
            yield f"left out: {count} ({reason})"
        if len(self.classes):
            yield ""
            yield self.classes.to_string(index=False)
            yield ""
        if self.problem:
            yield f"nothing to train on: {self.problem}"
            return
        parts = ", ".join(f"{count} {name}" for name, count in self.chains.items())
        yield f"would be used: {sum(self.chains.values())} chains of {len(self.classes)} classes ({parts})"
        if note := few_chains(self.chains["test"]):
            yield f"note: {note}"
        yield f"next: {self.command}"


def folder_report(data: DataConfig) -> FolderReport:
    """Read folder and table as the stage ``prepare`` does, up to the split.

    Raises:
        BioBlobsError: the table is missing, or a line of it is wrong.
    """
    source = FolderSource(data)
    entries, unlisted = source.listing.entries, source.listing.unlisted
    table = source.table()
    there = table["error"].isna()
    named = pd.Series([entry.path is not None for entry in entries], index=table.index)
    unreadable = table[~there & named]
    found = FolderReport(
        rows=len(table),
        files=len({entry.path for entry in entries if entry.path}) + len(unlisted),
        no_file=[entry.file for entry in entries if entry.path is None],
        unlisted=[path.relative_to(source.folder).as_posix() for path in unlisted],
        unreadable=[f"{row['id']}: {row['error']}" for _, row in unreadable.iterrows()],
    )
    found.repeated, found.conflicts = _repeats(source, table[there])
    try:
        _choose(found, table[there], data)
    except BioBlobsError as error:
        found.problem = str(error)
    return found


def _choose(found: FolderReport, readable: pd.DataFrame, data: DataConfig) -> None:
    """Fill in classes and what is left out, and propose the next command."""
    if not len(readable):
        raise BioBlobsError("no chain that the table names can be read")
    task = task_of(data)
    chosen = select(readable, task, data)
    found.dropped = chosen.dropped
    counts = {
        name: Counter(label for labels in part["labels"] for label in labels)
        for name, part in chosen.table.groupby("split")
    }
    every = sum(counts.values(), Counter[str]())
    found.classes = pd.DataFrame(
        [
            {"class": label, "chains": total, **{name: counts.get(name, Counter())[label] for name in SPLITS}}
            for label, total in every.most_common()
        ]
    )
    if len(training_classes(chosen.table)) < 2:
        raise BioBlobsError("fewer than two classes have a training chain")
    if empty := [name for name in SPLITS if name not in counts]:
        raise BioBlobsError(f"no chain in {' and '.join(empty)}; give more chains, or a column split")
    found.command = _command(data, found.chains["train"])


def _command(data: DataConfig, training: int) -> str:
    default = DataConfig()
    named = ("source", "folder", "table", "split", "min_class_size", "dataset_name", "task_title")
    keys = [
        f"data.{name}={getattr(data, name)}"
        for name in named
        if getattr(data, name) != getattr(default, name)
    ]
    small = SMALL_SETTINGS if training < SMALL else ()
    return shlex.join(["bioblobs", "run", *keys, *small])


def _repeats(source: FolderSource, readable: pd.DataFrame) -> tuple[int, list[str]]:
    """Number of chains with the sequence of an earlier one, and the ids where labels differ."""
    alike: dict[str, list[int]] = {}
    for row in readable.index:
        protein = source.scratch.get(row).protein()
        alike.setdefault(decode(usable(protein)[0].residue_types), []).append(row)
    groups = [rows for rows in alike.values() if len(rows) > 1]
    differ = [rows for rows in groups if len({readable["labels"][row] for row in rows}) > 1]
    return sum(len(rows) - 1 for rows in groups), [", ".join(readable["id"][rows]) for rows in differ]


def of_folder(data: DataConfig, folder: str, table: str | None) -> DataConfig:
    """Point data keys at a folder of structures."""
    return replace(data, source="folder", folder=folder, table=table or data.table)


def _listed(what: str, names: Iterable[str]) -> Iterator[str]:
    names = list(names)
    if names:
        more = f", and {len(names) - LISTED} more" if len(names) > LISTED else ""
        yield f"{what}: {len(names)} ({'; '.join(names[:LISTED])}{more})"
