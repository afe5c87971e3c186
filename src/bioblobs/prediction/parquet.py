"""Tables of predictions as Parquet files, beside the CSV ones, where pyarrow is installed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bioblobs.errors import BioBlobsError

ROWS = 10_000
"""Rows of a row group: what is held in memory."""
WHOLE = {"length", "rank", "slot", "code", "size"}
NUMBERS = {"probability", "logit", "base", "in_blobs", "importance", "contribution"}
BY_CLASS = ("p_", "c_")
"""Prefixes of the columns that have one number per class; every other column is text."""


def check_parquet() -> None:
    """Refuse to begin without pyarrow.

    Raises:
        BioBlobsError: it is not installed.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise BioBlobsError("--parquet needs pyarrow: pip install pyarrow, or leave --parquet out") from error


class ParquetTable:
    """A table of fixed columns to which rows are added, with the methods of csv.DictWriter that are used."""

    def __init__(self, path: Path, columns: Iterable[str]) -> None:
        import pyarrow
        from pyarrow.parquet import ParquetWriter

        self.schema = pyarrow.schema([(name, _kind(name)) for name in columns])
        self.writer = ParquetWriter(path, self.schema)
        self.rows: list[Mapping[str, Any]] = []

    def writerows(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add rows; those that a row group is short of wait."""
        self.rows += rows
        if len(self.rows) >= ROWS:
            self._flush()

    def close(self) -> None:
        """Write what waits."""
        self._flush()
        self.writer.close()

    def _flush(self) -> None:
        import pyarrow

        if self.rows:
            self.writer.write_table(pyarrow.Table.from_pylist(self.rows, self.schema))
            self.rows = []


def _kind(name: str) -> Any:
    import pyarrow

    if name in WHOLE:
        return pyarrow.int64()
    return pyarrow.float64() if name in NUMBERS or name.startswith(BY_CLASS) else pyarrow.string()
