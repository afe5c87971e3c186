"""Source of the embedded sample: 6,703 chains of the Protein Data Bank (data/sample/README.md)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bioblobs.config.schema import DataConfig
from bioblobs.errors import BioBlobsError
from bioblobs.io import file_digest, read_json
from bioblobs.proteins.alphabet import encode
from bioblobs.proteins.record import Protein, ProteinError
from bioblobs.sources.source import check_split_column
from bioblobs.sources.tasks import EC_NAMES, ec_labels, split_column, task_of

CHAIN_COLUMNS = ("id", "chain", "sequence", "residue_number", "insertion_code", "origin", "backbone")
"""Columns that a protein is made of."""
SUMS, RESTORE = "sums.json", "restore it with git checkout"
_BATCH_ROWS = 256


class SampleSource:
    """Read ``<data_dir>/sample/chains.parquet``, coordinates by row group."""

    def __init__(self, data: DataConfig) -> None:
        self.data, self.task = data, task_of(data)
        self.folder = Path(data.data_dir) / "sample"
        path = self.folder / "chains.parquet"
        check_sum(path)
        try:
            self.file = pq.ParquetFile(path)
        except FileNotFoundError as error:
            raise BioBlobsError(f"{path}: the sample is missing; {RESTORE}") from error
        except (pa.ArrowException, OSError) as error:
            raise BioBlobsError(f"{path}: not a readable parquet file ({error})") from error
        if missing := {*CHAIN_COLUMNS, "length", self.task.sample_column} - set(self.file.schema_arrow.names):
            raise BioBlobsError(f"{path}: column {min(missing)} is missing")
        self.split_name = split_column(data)
        check_split_column(self.split_name, self.file.schema_arrow.names, data)

    def table(self) -> pd.DataFrame:
        """Implement :class:`~bioblobs.sources.source.Source`."""
        column, split = self.task.sample_column, split_column(self.data)
        frame = self._read(["id", "length", column, split])
        labels = [_as_labels(value) for value in frame[column]]
        if column == "ec":
            labels = [ec_labels(numbers, self.data.ec_level) for numbers in labels]
        return pd.DataFrame(
            {"id": frame["id"], "length": frame["length"], "labels": labels, "split": frame[split]}
        )

    def items(self, rows: Sequence[int]) -> Iterator[tuple[Any, ...]]:
        """Implement :class:`~bioblobs.sources.source.Source`: the cells of :data:`CHAIN_COLUMNS`."""
        wanted, row = iter(rows), 0
        target = next(wanted, None)
        for batch in self._batches(list(CHAIN_COLUMNS)):
            cells = batch.to_pandas().itertuples(index=False, name=None)
            for item in cells:
                if row == target:
                    yield item
                    target = next(wanted, None)
                row += 1
            if target is None:
                return

    @staticmethod
    def read(item: tuple[Any, ...]) -> list[Protein | ProteinError]:
        """Implement :class:`~bioblobs.sources.source.Source`."""
        return [_protein(*item)]

    def class_names(self) -> dict[str, str]:
        """Implement :class:`~bioblobs.sources.source.Source`."""
        if self.task.name_kind is None:
            return EC_NAMES
        path = self.folder / "label_names.tsv"
        check_sum(path)
        try:
            names = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
            names = names[names["kind"] == self.task.name_kind]
            return dict(zip(names["id"], names["name"], strict=True))
        except (KeyError, OSError, ValueError) as error:
            said = " ".join(str(error).split())
            raise BioBlobsError(f"{path}: not a table of kind, id, name ({said}); {RESTORE}") from error

    def left_out(self) -> dict[str, int]:
        """Implement :class:`~bioblobs.sources.source.Source`."""
        return {}

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


def check_sum(path: Path) -> None:
    """Compare a file of the sample with its digest in sums.json beside it, where there is one.

    Raises:
        BioBlobsError: they differ, or sums.json cannot be read.
    """
    listed = path.with_name(SUMS)
    if listed.is_file() and path.is_file():
        digest = read_json(listed, dict, RESTORE).get(path.name)
        if digest is not None and digest != file_digest(path):
            raise BioBlobsError(f"{path}: damaged or changed (its SHA-256 is not that in {SUMS}); {RESTORE}")


def _protein(
    name: str, chain: str, sequence: str, numbers: Any, codes: Any, origin: Any, backbone: Any
) -> Protein | ProteinError:
    if any(value is None for value in (sequence, chain, numbers, origin, backbone)):
        return ProteinError("a cell of its row is empty")
    length = len(sequence)
    codes = codes if isinstance(codes, str) else " " * length
    if not len(backbone) / 12 == len(numbers) == len(codes) == length:
        return ProteinError("sequence, numbering and coordinates differ in length")
    return Protein(
        id=name,
        residue_types=encode(sequence),
        residue_numbers=np.asarray(numbers, np.int32),
        insertion_codes=np.char.strip(np.frombuffer(codes.encode(), "S1")),
        chain_ids=np.full(length, chain.encode(), "S4"),
        coordinates=decode_backbone(backbone, origin),
    )


def decode_backbone(steps: Any, origin: Any) -> np.ndarray:
    """Unpack the sample's coordinates: (L, 4, 3) N, CA, C, O in angstrom (data/sample/README.md).

    ``steps`` are int16 hundredths of an angstrom, (4, 3, L) flattened: CA as steps along the chain,
    N and C from CA, O from C; ``origin`` is added at the end.
    """
    delta = np.asarray(steps, np.int32).reshape(4, 3, -1)
    ca = delta[1].cumsum(-1)
    xyz = np.stack([ca + delta[0], ca, ca + delta[2], ca + delta[2] + delta[3]])
    return (xyz.transpose(2, 0, 1) / 100 + np.asarray(origin, np.float64)).astype(np.float32)


def _as_labels(value: Any) -> tuple[str, ...]:
    """Convert a cell, which is a list, a number or empty, to the labels of a chain."""
    if value is None:
        return ()
    if isinstance(value, np.ndarray | list):
        return tuple(sorted({str(item) for item in value}))
    return () if np.isnan(value) else (str(int(value)),)
