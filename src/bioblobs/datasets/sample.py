"""The embedded sample: 6,703 chains of the Protein Data Bank (data/sample/README.md)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bioblobs.datasets.source import check_split_column
from bioblobs.datasets.tasks import EC_NAMES, ec_labels, split_column, task_of
from bioblobs.errors import BioBlobsError
from bioblobs.parameters.schema import DataConfig
from bioblobs.proteins.alphabet import encode
from bioblobs.proteins.record import Protein, ProteinError

CHAIN_COLUMNS = ("id", "chain", "sequence", "residue_number", "insertion_code", "origin", "backbone")
"""What makes a protein."""
_BATCH_ROWS = 256


class SampleSource:
    """Reads ``<data_dir>/sample/chains.parquet``, coordinates row group by row group."""

    def __init__(self, data: DataConfig) -> None:
        self.data, self.task = data, task_of(data)
        self.folder = Path(data.data_dir) / "sample"
        path = self.folder / "chains.parquet"
        try:
            self.file = pq.ParquetFile(path)
        except FileNotFoundError as error:
            raise BioBlobsError(f"{path}: the sample is missing; restore it with git checkout") from error
        except (pa.ArrowException, OSError) as error:
            raise BioBlobsError(f"{path}: not a readable parquet file ({error})") from error
        if missing := {*CHAIN_COLUMNS, "length", self.task.sample_column} - set(self.file.schema_arrow.names):
            raise BioBlobsError(f"{path}: column {min(missing)} is missing")
        check_split_column(split_column(data), self.file.schema_arrow.names, data)

    def table(self) -> pd.DataFrame:
        """See :class:`~bioblobs.datasets.source.Source`."""
        column, split = self.task.sample_column, split_column(self.data)
        frame = self._read(["id", "length", column, split])
        labels = [_as_labels(value) for value in frame[column]]
        if column == "ec":
            labels = [ec_labels(numbers, self.data.ec_level) for numbers in labels]
        return pd.DataFrame(
            {"id": frame["id"], "length": frame["length"], "labels": labels, "split": frame[split]}
        )

    def proteins(self, rows: Sequence[int]) -> Iterator[Protein | ProteinError]:
        """See :class:`~bioblobs.datasets.source.Source`."""
        wanted, row = iter(rows), 0
        target = next(wanted, None)
        for batch in self._batches(list(CHAIN_COLUMNS)):
            frame = batch.to_pandas()
            while target is not None and target < row + len(frame):
                yield self._protein(frame.iloc[target - row])
                target = next(wanted, None)
            row += len(frame)
            if target is None:
                return

    def class_names(self) -> dict[str, str]:
        """See :class:`~bioblobs.datasets.source.Source`."""
        if self.task.name_kind is None:
            return EC_NAMES
        names = pd.read_csv(self.folder / "label_names.tsv", sep="\t", dtype=str)
        names = names[names["kind"] == self.task.name_kind]
        return dict(zip(names["id"], names["name"], strict=True))

    def _read(self, columns: list[str]) -> pd.DataFrame:
        try:
            return self.file.read(columns=columns).to_pandas()
        except (pa.ArrowException, OSError) as error:
            raise BioBlobsError(f"{self.folder}/chains.parquet: damaged file ({error})") from error

    def _batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        try:
            yield from self.file.iter_batches(_BATCH_ROWS, columns=columns)
        except (pa.ArrowException, OSError) as error:
            raise BioBlobsError(f"{self.folder}/chains.parquet: damaged file ({error})") from error

    def _protein(self, row: Any) -> Protein | ProteinError:
        if any(row[name] is None for name in ("sequence", "chain", "residue_number", "origin", "backbone")):
            return ProteinError("a cell of its row is empty")
        length = len(row["sequence"])
        codes = row["insertion_code"] if isinstance(row["insertion_code"], str) else " " * length
        if not len(row["backbone"]) / 12 == len(row["residue_number"]) == len(codes) == length:
            return ProteinError("sequence, numbering and coordinates differ in length")
        return Protein(
            id=row["id"],
            residue_types=encode(row["sequence"]),
            residue_numbers=np.asarray(row["residue_number"], np.int32),
            insertion_codes=np.char.strip(np.frombuffer(codes.encode(), "S1")),
            chain_ids=np.full(length, row["chain"].encode(), "S4"),
            coordinates=decode_backbone(row["backbone"], row["origin"]),
        )


def decode_backbone(steps: Any, origin: Any) -> np.ndarray:
    """(L, 4, 3) N, CA, C, O in angstrom from the sample's packing (data/sample/README.md).

    ``steps`` are int16 hundredths of an angstrom, (4, 3, L) flattened: CA as steps along the chain,
    N and C from CA, O from C; ``origin`` is added at the end.
    """
    delta = np.asarray(steps, np.int32).reshape(4, 3, -1)
    ca = delta[1].cumsum(-1)
    xyz = np.stack([ca + delta[0], ca, ca + delta[2], ca + delta[2] + delta[3]])
    return (xyz.transpose(2, 0, 1) / 100 + np.asarray(origin, np.float64)).astype(np.float32)


def _as_labels(value: Any) -> tuple[str, ...]:
    """Labels of one chain from a cell: a list, a number, or nothing."""
    if value is None:
        return ()
    if isinstance(value, np.ndarray | list):
        return tuple(sorted({str(item) for item in value}))
    return () if np.isnan(value) else (str(int(value)),)
