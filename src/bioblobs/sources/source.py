"""What a source of proteins offers; every source becomes the same store."""

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

    Reading is in two steps, so that the heavy one can be done by several processes: ``items`` runs in the
    main process and hands out what is raw, and ``read`` makes proteins of it wherever it is called.

    Attributes:
        split_name: what assigned the splits.
    """

    split_name: str

    def table(self) -> pd.DataFrame:
        """One row a protein, in the source's order: id, length, labels (tuple of str), split.

        Columns ``file`` and ``chain``, where there are any, go to the report of skipped proteins, and so do
        the rows that have a text in a column ``error``: what could not be read is known by then.
        """

    def items(self, rows: Sequence[int]) -> Iterator[Any]:
        """Raw, small, picklable pieces that hold the proteins of ascending rows of the table, in order."""

    @staticmethod
    def read(item: Any) -> list[Protein | ProteinError]:
        """The proteins of one item; an error in place of one that cannot be read.

        A static method or a function, so that worker processes get it by name.
        """

    def class_names(self) -> dict[str, str]:
        """Readable name of class identifiers, where known."""

    def left_out(self) -> dict[str, int]:
        """How many things the table never lists, by reason."""


def open_source(data: DataConfig) -> Source:
    """The source that ``data.source`` names."""
    if data.source == "sample":
        from bioblobs.sources.sample import SampleSource

        return SampleSource(data)
    if data.source == "folder":
        from bioblobs.sources.folder import FolderSource

        return FolderSource(data)
    from bioblobs.sources.proteinshake import ProteinShakeSource

    return ProteinShakeSource(data)


def source_state(data: DataConfig) -> list[tuple[str, int, int]]:
    """Name, size and time of change of each file that ``data.source`` reads."""
    if data.source == "folder":
        from bioblobs.sources.folder import folder_state

        return folder_state(data)
    folder = {"sample": "sample", "proteinshake": f"raw/{data.dataset_name}"}[data.source]
    files = sorted(path for path in (Path(data.data_dir) / folder).glob("*") if path.is_file())
    return [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]


def check_split_column(column: str, available: Sequence[str], data: DataConfig) -> None:
    """Refuse a split that the data do not bring (ProteinShake would make an unseeded random one)."""
    if column not in available:
        key = "data.split" if data.split == "random" else "data.split_similarity_threshold"
        splits = ", ".join(sorted(name for name in available if "split" in name)) or "none"
        raise BioBlobsError(f"{key}: the data have no column {column}; they have {splits}")
