"""The packed store: all proteins of a prepared data set as flat arrays, memory-mapped.

P proteins, N residues in all, k neighbours per residue. A store is a folder:

=====================  ==================  ==========================================================
coordinates.npy        (N, 4, 3) float32   N, CA, C, O in angstrom; O may be NaN
residue_types.npy      (N,) uint8          index into the residue alphabet
residue_numbers.npy    (N,) int32          author residue number
insertion_codes.npy    (N,) S1             author insertion code
chain_ids.npy          (N,) S4             author chain
neighbours.npy         (N, k) int32        rows within the protein, nearest first; -1: none
mutual.npy             (N, k) bool         the neighbour lists the residue as well
embeddings.npy         (N, E) float16      of an encoder that made them elsewhere; not there without
offsets.npy            (P + 1,) int64      protein p is residues offsets[p] : offsets[p + 1]
labels.npy             (P,) int64          class index, -1: a class that training never saw;
                       (P, C) bool         or one column per class (multi-label)
split.npy              (P,) uint8          0 train, 1 val, 2 test
proteins.csv                               id, length, split, label(s) of each protein
report/                                    the data report: small JSON and CSV files
meta.json                                  format, parameters, classes, task; of every file its size
                                           and hash; and content_sha256, the hash of all of that
=====================  ==================  ==========================================================
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bioblobs.errors import BioBlobsError
from bioblobs.proteins.record import Protein
from bioblobs.splits import SPLITS
from bioblobs.store.array_file import array_digest, open_array
from bioblobs.store.arrays import Packed
from bioblobs.store.blocks import EDGE_ARRAYS, EMBEDDINGS, RESIDUE_ARRAYS
from bioblobs.store.ranges import check_residues, check_rows

FORMAT = 3
PER_RESIDUE = (*RESIDUE_ARRAYS, *EDGE_ARRAYS)
ARRAYS = (*PER_RESIDUE, "offsets", "labels", "split")
TABLE, META = "proteins.csv", "meta.json"
DAMAGE = (ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, OSError, RecursionError)
"""Errors of reading bytes that are no longer what was written, beside ValueError and TypeError."""


class Store(Packed):
    """A prepared store, opened read-only; arrays are memory maps under their names in the table above."""

    split: NDArray[np.uint8]

    def __init__(self, path: Path | str) -> None:
        """Open a store: reads meta.json and the arrays with one row per protein, and maps the others.

        Raises:
            BioBlobsError: there is none, it is of another format, or a file is missing or damaged.
        """
        self.path = Path(path)
        if not (self.path / META).is_file():
            raise BioBlobsError(f"{self.path}: no prepared data there; run the prepare stage first")
        try:
            self.meta = self._read_meta()
            super().__init__({name: self._mapped(name) for name in self._arrays()}, self.meta)
            for name, entry in self._files().items():
                if (size := (self.path / name).stat().st_size) != entry["bytes"]:
                    raise ValueError(f"{name} has {size} bytes, not {entry['bytes']}")
            check_rows(self)
        except (*DAMAGE, ValueError, TypeError) as error:
            raise self._damaged(error) from error

    def _read_meta(self) -> dict[str, Any]:
        """Content of meta.json, once its own hash is right."""
        try:
            meta: dict[str, Any] = json.loads((self.path / META).read_bytes().decode())
            found = meta.get("format")
        except (RecursionError, ValueError, AttributeError) as error:
            raise ValueError(f"{META}: {error}") from error
        if found != FORMAT:
            raise BioBlobsError(
                f"{self.path}: a store of format {found}, this version reads {FORMAT}; "
                "run the prepare stage again"
            )
        if meta["content_sha256"] != seal(meta):
            raise ValueError(f"{META} was changed")
        return meta

    def _arrays(self) -> list[str]:
        """Names of the arrays that this store has."""
        return [*ARRAYS, *([EMBEDDINGS] if EMBEDDINGS in self.meta["arrays"] else [])]

    def _mapped(self, name: str) -> NDArray[Any]:
        """An array, once its header and its file's size are what meta.json says."""
        file, entry = self.path / f"{name}.npy", self.meta["arrays"][name]
        try:
            return open_array(file, entry)
        except Exception as error:  # numpy's parser raises a dozen kinds on a header that is not its own
            raise ValueError(f"{file.name}: {error}") from error

    def _files(self) -> dict[str, dict[str, Any]]:
        """Size and hash of each file that is no array."""
        return {TABLE: self.meta["table"], **self.meta["report"]}

    def _damaged(self, error: BaseException) -> BioBlobsError:
        said = " ".join(str(error).split())[:300] or type(error).__name__
        return BioBlobsError(f"{self.path}: damaged store ({said}); run the prepare stage again")

    def __reduce__(self) -> tuple[type[Store], tuple[Path]]:
        """Other processes open the store anew; pickled maps would carry its whole content."""
        return Store, (self.path,)

    def table(self) -> pd.DataFrame:
        """proteins.csv: one row per protein.

        Raises:
            BioBlobsError: it is not what was written.
        """
        listed = io.BytesIO(self.read_file(TABLE))
        return pd.read_csv(listed, dtype={"id": str, "labels": str}, keep_default_na=False)

    def read_file(self, name: str) -> bytes:
        """Content of a file that is no array, once its hash is right.

        Raises:
            BioBlobsError: it is not what was written.
        """
        try:
            content = (self.path / name).read_bytes()
        except OSError as error:
            raise self._damaged(error) from error
        if hashlib.sha256(content).hexdigest() != self._files()[name]["sha256"]:
            raise self._damaged(ValueError(f"{name} is not what was written: its hash differs"))
        return content

    @property
    def report(self) -> dict[str, bytes]:
        """Content of each file of the data report, by its name."""
        return {Path(name).name: self.read_file(name) for name in self.meta["report"]}

    def protein(self, row: int, name: str) -> Protein:
        """A protein, under the identifier that the table has for it; arrays are views of the maps."""
        span = slice(int(self.offsets[row]), int(self.offsets[row + 1]))
        return Protein(
            name,
            self.residue_types[span],
            self.residue_numbers[span],
            self.insertion_codes[span],
            self.chain_ids[span],
            self.coordinates[span],
        )

    def rows(self, split: str) -> NDArray[np.int64]:
        """Rows of the proteins of "train", "val" or "test"."""
        return np.flatnonzero(self.split == SPLITS.index(split))

    def require(self, parameters: Mapping[str, Any]) -> None:
        """Refuse the store if it was prepared with other parameters than these.

        Raises:
            BioBlobsError: naming the first key that differs.
        """
        for key in (*parameters, EMBEDDINGS):  # the last: named only where there are any
            had, wanted = self.meta["parameters"].get(key), parameters.get(key)
            if had != wanted:
                raise BioBlobsError(
                    f"{self.path}: prepared with data.{key}={had}, but {wanted} is asked for; "
                    "run the prepare stage again"
                )

    def verify(self) -> None:
        """Compare every file with its hash, and every number with its range (reads everything).

        Raises:
            BioBlobsError: naming the file whose content is not what was written.
        """
        try:
            for name in self._arrays():
                if array_digest(self.path / f"{name}.npy") != self.meta["arrays"][name]["sha256"]:
                    raise ValueError(f"{name}.npy is not what was written: its hash differs")
            check_residues(self)
        except (*DAMAGE, ValueError) as error:
            raise self._damaged(error) from error
        for name in self._files():
            self.read_file(name)


def open_store(path: Path | str, parameters: Mapping[str, Any]) -> Store:
    """Open the store at ``path`` once it is sure that it is whole and was prepared with these parameters.

    Reads all of it once: 0.3 s for the sample's 86 MB.

    Raises:
        BioBlobsError: there is none, it is damaged, or it was prepared with others.
    """
    store = Store(path)
    store.require(parameters)
    store.verify()
    return store


def seal(meta: Mapping[str, Any]) -> str:
    """The content hash: of everything else that meta.json says, each file's hash included."""
    rest = {key: value for key, value in meta.items() if key != "content_sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
