"""Predictions -> a folder: JSON, tables, coloured structures, scripts and a page; structure by structure."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from bioblobs import __version__
from bioblobs.errors import BioBlobsError
from bioblobs.prediction import output_folder as places
from bioblobs.prediction.coloured import Format, coloured, write_coloured
from bioblobs.prediction.predicted import ChainPrediction, Skipped, StructurePrediction
from bioblobs.prediction.saved import SCHEMA_VERSION
from bioblobs.prediction.scripts import chimerax_script, pymol_script
from bioblobs.prediction.tables import (
    SKIPPED_COLUMNS,
    blob_columns,
    blob_rows,
    prediction_columns,
    prediction_row,
    skipped_rows,
)
from bioblobs.report.viewer import write_viewer
from bioblobs.structures.files import StructureError

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
        uncoloured: why a structure has no coloured file, or not the one asked for.
    """

    files: int = 0
    predicted: int = 0
    chains: int = 0
    outside: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    uncoloured: list[str] = field(default_factory=list)


def save(
    structures: Iterable[StructurePrediction],
    about: Mapping[str, Any],
    folder: Path,
    format: Format = "cif",
    overwrite: bool = False,
) -> Counts:
    """Write all predictions of ``structures``, whole or not at all; one of them in memory at a time.

    Args:
        about: the model, as predictions.json has it (:attr:`bioblobs.prediction.model.Model.about`).

    Raises:
        BioBlobsError: the folder must not be written, or no chain could be predicted.
    """
    places.check_output(folder, overwrite)
    with places.output_folder(folder) as scratch:
        with _Writer(scratch, about, format) as writer:
            for structure in structures:
                writer.add(structure)
        if not writer.counts.chains:
            raise BioBlobsError(_nothing(writer.counts))
        writer.write_page()
    return writer.counts


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

    def __init__(self, folder: Path, about: Mapping[str, Any], format: Format) -> None:
        self.folder, self.format, self.counts = folder, format, Counts()
        self.shown: list[ChainPrediction] = []
        self.about, self.classes = about, about["classes"]
        self.head = {
            "schema_version": SCHEMA_VERSION,
            "bioblobs_version": __version__,
            "model": about,
        }

    def __enter__(self) -> _Writer:
        self.open = ExitStack()
        (self.folder / places.STRUCTURES).mkdir()
        self.json = self._file(places.PREDICTIONS)
        self.json.write(json.dumps(self.head, allow_nan=False)[:-1] + ', "structures": [')
        self.predictions = self._table(places.TABLE, prediction_columns(self.classes))
        self.blobs = self._table(places.BLOBS, blob_columns(self.classes))
        self.skipped = self._table(places.SKIPPED, SKIPPED_COLUMNS)
        return self

    def __exit__(self, *error: object) -> None:
        with self.open:
            if error[0] is None:
                self.json.write("\n]}\n")

    def add(self, structure: StructurePrediction) -> None:
        """Write one structure."""
        files, note = self._draw(structure) if structure.chains else ([], "")
        record = {
            "file": str(structure.path),
            "name": structure.name,
            "models": structure.models,
            "coloured": files,
            "chains": [chain.to_json() for chain in structure.chains],
            "skipped": [{"chain": each.chain, "reason": each.reason} for each in structure.skipped],
        }
        self.json.write(",\n" if self.counts.files else "\n")
        self.json.write(json.dumps(record, allow_nan=False))
        self.predictions.writerows(map(prediction_row, structure.chains))
        self.blobs.writerows(row for chain in structure.chains for row in blob_rows(chain))
        self.skipped.writerows(skipped_rows(structure))
        self.shown += structure.chains[: PAGE_CHAINS - len(self.shown)]
        self.counts.files += 1
        self.counts.predicted += bool(structure.chains)
        self.counts.chains += len(structure.chains)
        self.counts.outside += sum(chain.outside for chain in structure.chains)
        self.counts.skipped += structure.skipped
        self.counts.uncoloured += [f"{structure.path}: {note}"] if note else []

    def write_page(self) -> None:
        """The chains in three dimensions, as one HTML file."""
        every, shown = self.counts.chains, self.shown
        note = f"The first {len(shown)} of {every} chains. " if len(shown) < every else ""
        outside = sum(chain.outside for chain in shown)
        if outside:
            note += f"{outside} of them are outside what the model was trained on ({places.TABLE} says how)."
        proteins = [chain.protein for chain in shown]
        path, title = self.folder / places.PAGE, "BioBlobs predictions"
        write_viewer(path, shown, proteins, self.classes, title, note, self.about)

    def _draw(self, structure: StructurePrediction) -> tuple[list[str], str]:
        """Coloured structure and scripts; their names, and what is not as asked for."""
        folder, name = self.folder / places.STRUCTURES, structure.name
        try:
            made = coloured(structure)
        except StructureError as error:
            return [], f"no coloured structure ({error.reason})"
        files, unfit = write_coloured(made, folder, name, self.format)
        for suffix, script in (("pml", pymol_script), ("cxc", chimerax_script)):
            text = script(structure, files[0], made.chain_names)
            (folder / f"{name}.{suffix}").write_text(text, encoding="utf-8")
        return files, f"written as mmCIF, since a PDB file cannot hold it ({unfit})" if unfit else ""

    def _file(self, name: str) -> IO[str]:
        return self.open.enter_context((self.folder / name).open("w", newline="", encoding="utf-8"))

    def _table(self, name: str, columns: Iterable[str]) -> csv.DictWriter[str]:
        table = csv.DictWriter(self._file(name), list(columns))
        table.writeheader()
        return table
