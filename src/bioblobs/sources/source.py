"""Interface of a source of proteins; every source becomes the same store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from bioblobs.config.schema import DataConfig
from bioblobs.errors import BioBlobsError
from bioblobs.proteins.record import Protein, ProteinError


class Source(Protocol):
    """Proteins with labels and a split.

    Reading has two steps, so that several processes can share the heavy one: ``items`` runs in the main
    process and yields raw data; ``read`` makes proteins of it in any process.

    Attributes:
        split_name: origin of the splits.
    """

    split_name: str

    def table(self) -> pd.DataFrame:
        """List the proteins, one row each, in order: id, length, labels (tuple of str), split.

        Columns ``file`` and ``chain``, where there are any, go to the report of skipped proteins. So do rows
        with a text in a column ``error``, which cannot be read.
        """

    def items(self, rows: Sequence[int]) -> Iterator[Any]:
        """Yield small, picklable raw pieces that hold the proteins of ascending rows, in order."""

    @staticmethod
    def read(item: Any) -> list[Protein | ProteinError]:
        """Read the proteins of one item; an error in place of one that cannot be read.

        A static method or a function, so that worker processes get it by name.
        """

    def class_names(self) -> dict[str, str]:
        """Return readable names of classes, where known."""

    def left_out(self) -> dict[str, int]:
        """Count things that the table does not list, by reason."""


def open_source(data: DataConfig) -> Source:
    """Open the source that ``data.source`` names."""
    if data.source == "sample":
        from bioblobs.sources.sample import SampleSource

        return SampleSource(data)
    if data.source == "folder":
        from bioblobs.sources.folder import FolderSource

        return FolderSource(data)
    from bioblobs.sources.proteinshake import ProteinShakeSource

    return ProteinShakeSource(data)


def source_state(data: DataConfig) -> list[tuple[str, int, int]]:
    """List name, size and time of change of each file that ``data.source`` and ``data.embeddings`` name."""
    if data.embeddings is None:
        return _state(data)
    from bioblobs.sources.embeddings import embeddings_state

    return [*_state(data), *embeddings_state(data.embeddings)]


def _state(data: DataConfig) -> list[tuple[str, int, int]]:
    if data.source == "folder":
        from bioblobs.sources.folder import folder_state

        return folder_state(data)
    folder = {"sample": "sample", "proteinshake": f"raw/{data.dataset_name}"}[data.source]
    files = sorted(path for path in (Path(data.data_dir) / folder).glob("*") if path.is_file())
    return [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]


def check_split_column(column: str, available: Sequence[str], data: DataConfig) -> None:
    """Refuse a split column that the data do not have (ProteinShake would make an unseeded random one)."""
    if column not in available:
        key = "data.split" if data.split == "random" else "data.split_similarity_threshold"
        splits = ", ".join(sorted(name for name in available if "split" in name)) or "none"
        raise BioBlobsError(f"{key}: the data have no column {column}; they have {splits}")
