"""The predictions of some structures, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, overload

import pandas as pd

from bioblobs.prediction.drawn import Format
from bioblobs.prediction.predicted import ChainPrediction, Skipped, StructurePrediction
from bioblobs.prediction.save import save
from bioblobs.prediction.tables import blob_columns, blob_rows, prediction_columns, prediction_row

if TYPE_CHECKING:
    from bioblobs.prediction.model import Model


class Result(Sequence[ChainPrediction]):
    """One :class:`~bioblobs.prediction.predicted.ChainPrediction` a chain, in the order of the files.

    Attributes:
        model: what predicted them.
        structures: the same, by structure file.
    """

    def __init__(self, model: Model, structures: list[StructurePrediction]) -> None:
        self.model, self.structures = model, structures
        self._chains = [chain for structure in structures for chain in structure.chains]

    def __len__(self) -> int:
        return len(self._chains)

    @overload
    def __getitem__(self, index: int) -> ChainPrediction: ...
    @overload
    def __getitem__(self, index: slice) -> list[ChainPrediction]: ...
    def __getitem__(self, index: int | slice) -> ChainPrediction | list[ChainPrediction]:
        return self._chains[index]

    def __repr__(self) -> str:
        return f"<{len(self)} chains of {len(self.structures)} files, {len(self.skipped)} skipped>"

    def _repr_html_(self) -> str:
        """The table, in notebooks."""
        return str(self.to_frame().to_html(index=False))

    @property
    def skipped(self) -> list[Skipped]:
        """Files and chains that could not be predicted, and why."""
        return [skipped for structure in self.structures for skipped in structure.skipped]

    def to_frame(self) -> pd.DataFrame:
        """One row per chain: the columns of predictions.csv."""
        return pd.DataFrame(map(prediction_row, self), columns=prediction_columns(self.model.classes))

    def blobs_frame(self) -> pd.DataFrame:
        """One row per blob: the columns of blobs.csv."""
        rows = [row for chain in self for row in blob_rows(chain)]
        return pd.DataFrame(rows, columns=blob_columns(self.model.classes))

    def save(self, folder: Path | str, format: Format = "cif", overwrite: bool = False) -> Path:
        """Write tables, JSON, coloured structures and scripts into a new folder, whole or not at all.

        Args:
            format: of the coloured structures: cif, pdb or both.
            overwrite: replace a folder of earlier predictions.

        Raises:
            BioBlobsError: the folder is there already, or no chain was predicted.
        """
        save(self.structures, self.model.about, Path(folder), format, overwrite)
        return Path(folder)
