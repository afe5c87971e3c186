"""Predictions -> a folder: JSON, tables, coloured structures, scripts and a page; structure by structure."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from bioblobs.errors import BioBlobsError
from bioblobs.io import open_text
from bioblobs.prediction import output_folder as places
from bioblobs.prediction.drawn import Format, drawn
from bioblobs.prediction.json_document import JsonDocument
from bioblobs.prediction.lines import title as task_title
from bioblobs.prediction.parquet import ParquetTable, check_parquet
from bioblobs.prediction.predicted import ChainPrediction, Skipped, StructurePrediction
from bioblobs.prediction.structure_files import shown_name
from bioblobs.prediction.tables import (
    SKIPPED_COLUMNS,
    blob_columns,
    blob_rows,
    prediction_columns,
    prediction_row,
    skipped_rows,
)
from bioblobs.report.viewer import write_viewer

PAGE_CHAINS = 300
"""Chains on the page, the first ones: its size grows with them, and the tables hold them all."""


@dataclass
class Counts:
    """Counts of what was written.

    Attributes:
        files: structure files, the skipped ones included.
        predicted: of these, with a predicted chain.
        chains: predicted chains.
        outside: of these, outside what the model was trained on.
        skipped: files and chains that could not be predicted.
        uncoloured: why a structure has no coloured file, or not the one asked for, or not all of its names.
    """

    files: int = 0
    predicted: int = 0
    chains: int = 0
    outside: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    uncoloured: list[str] = field(default_factory=list)

    def add(self, structure: StructurePrediction) -> None:
        """Count one structure."""
        self.files += 1
        self.predicted += bool(structure.chains)
        self.chains += len(structure.chains)
        self.outside += sum(chain.outside for chain in structure.chains)
        self.skipped += structure.skipped


def save(
    structures: Iterable[StructurePrediction],
    about: Mapping[str, Any],
    folder: Path,
    format: Format = "cif",
    overwrite: bool = False,
    parquet: bool = False,
) -> Counts:
    """Write all predictions of ``structures``, whole or not at all; one of them in memory at a time.

    Args:
        about: the model, as predictions.json has it (:attr:`bioblobs.prediction.model.Model.about`).
        parquet: write both tables as Parquet files, too.

    Raises:
        BioBlobsError: the folder must not be written, there is no room for it, or no chain could be
            predicted.
    """
    if parquet:
        check_parquet()
    with places.output_folder(folder, overwrite) as scratch:
        return write_folder(structures, about, scratch, format, parquet)


def write_folder(
    structures: Iterable[StructurePrediction],
    about: Mapping[str, Any],
    scratch: Path,
    format: Format = "cif",
    parquet: bool = False,
) -> Counts:
    """Write all predictions to the scratch folder that ``output_folder`` gave.

    Raises:
        BioBlobsError: no chain could be predicted.
    """
    with _Writer(scratch, about, format, parquet) as writer:
        for structure in structures:
            writer.add(structure)
    if not writer.counts.chains:
        raise BioBlobsError(_nothing(writer.counts))
    writer.write_page()
    return writer.counts


def write_json(structures: Iterable[StructurePrediction], about: Mapping[str, Any], file: TextIO) -> Counts:
    """Write what predictions.json holds to an open file, without coloured structures.

    Raises:
        BioBlobsError: no chain could be predicted; then nothing is written.
    """
    document, counts = JsonDocument(file, about), Counts()
    for structure in structures:
        document.add(structure)
        counts.add(structure)
    if not counts.chains:
        raise BioBlobsError(_nothing(counts))
    document.end()
    return counts


def _nothing(counts: Counts) -> str:
    if not counts.skipped:
        return "no structure was given"
    first = counts.skipped[0]
    return (
        f"nothing could be predicted of {counts.files} file{'s' if counts.files > 1 else ''}; "
        f"the first, {first.file}: {first.reason}"
    )


class _Writer:
    """Open files of one folder, to which structures are added."""

    def __init__(self, folder: Path, about: Mapping[str, Any], format: Format, parquet: bool) -> None:
        self.folder, self.format, self.counts = folder, format, Counts()
        self.shown: list[ChainPrediction] = []
        self.drawn: list[str] = []
        self.about, self.classes = about, about["classes"]
        self.parquet = parquet

    def __enter__(self) -> _Writer:
        self.open = ExitStack()
        (self.folder / places.STRUCTURES).mkdir()
        self.json = JsonDocument(self._file(places.PREDICTIONS), self.about)
        self.predictions = self._tables(places.TABLE, prediction_columns(self.classes))
        self.blobs = self._tables(places.BLOBS, blob_columns(self.classes))
        self.skipped = self._table(places.SKIPPED, SKIPPED_COLUMNS)
        return self

    def __exit__(self, *error: object) -> None:
        with self.open:
            if error[0] is None:
                self.json.end()

    def add(self, structure: StructurePrediction) -> None:
        """Write one structure."""
        file = shown_name(structure.path)
        files, notes = self._draw(structure) if structure.chains else ([], [])
        self.json.add(structure, files)
        for table in self.predictions:
            table.writerows(map(prediction_row, structure.chains))
        for table in self.blobs:
            table.writerows(row for chain in structure.chains for row in blob_rows(chain))
        self.skipped.writerows(skipped_rows(structure))
        self.shown += structure.chains[: PAGE_CHAINS - len(self.shown)]
        self.counts.add(structure)
        self.counts.uncoloured += [f"{file}: {note}" for note in notes]

    def write_page(self) -> None:
        """The chains in three dimensions, as one HTML file."""
        every, shown = self.counts.chains, self.shown
        note = f"The first {len(shown)} of {every} chains. " if len(shown) < every else ""
        outside = sum(chain.outside for chain in shown)
        if outside:
            these = f"{outside} of {len(shown)} chains" if len(shown) == every else f"Of these, {outside}"
            note += f"{these} are outside what the model was trained on ({places.TABLE} says how)."
        proteins = [chain.protein for chain in shown]
        path, title = self.folder / places.PAGE, "BioBlobs predictions"
        about = {**self.about, "task_title": task_title(self.about)}
        write_viewer(path, shown, proteins, self.classes, title, note, about, self._links())

    def _links(self) -> list[tuple[str, str]]:
        """Title and name of the files that the page links to; of many structures their folder only."""
        links = [("Chains (CSV)", places.TABLE), ("Blobs (CSV)", places.BLOBS)]
        if self.parquet:
            links += [("Chains (Parquet)", places.parquet_name(places.TABLE))]
            links += [("Blobs (Parquet)", places.parquet_name(places.BLOBS))]
        links.append(("All as JSON", places.PREDICTIONS))
        if self.counts.skipped:
            links.append((f"Skipped ({len(self.counts.skipped)})", places.SKIPPED))
        if self.counts.predicted == 1:
            return links + [(name, f"{places.STRUCTURES}/{name}") for name in self.drawn]
        return [*links, ("Coloured structures and scripts", f"{places.STRUCTURES}/")] if self.drawn else links

    def _draw(self, structure: StructurePrediction) -> tuple[list[str], list[str]]:
        """Coloured structure and scripts; names of the structures, and what is not as asked for."""
        made = drawn(structure, self.format)
        for name, text in made.texts.items():
            with open_text(self.folder / places.STRUCTURES / name) as file:
                file.write(text)
        self.drawn = list(made.texts) or self.drawn
        return made.structures, made.notes

    def _file(self, name: str) -> TextIO:
        return self.open.enter_context(open_text(self.folder / name))

    def _table(self, name: str, columns: Iterable[str]) -> csv.DictWriter[str]:
        table = csv.DictWriter(self._file(name), list(columns))
        table.writeheader()
        return table

    def _tables(self, name: str, columns: Iterable[str]) -> list[csv.DictWriter[str] | ParquetTable]:
        """A CSV table, and where asked for the same as Parquet."""
        columns = list(columns)
        made: list[csv.DictWriter[str] | ParquetTable] = [self._table(name, columns)]
        if self.parquet:
            table = ParquetTable(self.folder / places.parquet_name(name), columns)
            self.open.callback(table.close)
            made.append(table)
        return made
