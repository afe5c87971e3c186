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
offsets.npy            (P + 1,) int64      protein p is residues offsets[p] : offsets[p + 1]
labels.npy             (P,) int64          class index, -1: a class that training never saw;
                       (P, C) bool         or one column per class (multi-label)
split.npy              (P,) uint8          0 train, 1 val, 2 test
proteins.csv                               id, length, split, label(s) of each protein
meta.json                                  format, parameters, classes, task; of every file its size
                                           and hash; and content_sha256, the hash of all of that
=====================  ==================  ==========================================================
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bioblobs.errors import BioBlobsError
from bioblobs.splits import SPLITS
from bioblobs.store.array_file import array_digest
from bioblobs.store.arrays import Packed
from bioblobs.store.blocks import EDGE_ARRAYS, RESIDUE_ARRAYS

FORMAT = 2
PER_RESIDUE = (*RESIDUE_ARRAYS, *EDGE_ARRAYS)
ARRAYS = (*PER_RESIDUE, "offsets", "labels", "split")
TABLE, META = "proteins.csv", "meta.json"


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
            self.meta = json.loads((self.path / META).read_text())
            found = self.meta.get("format")
            if found != FORMAT:
                raise BioBlobsError(f"{self.path}: store format {found}, expected {FORMAT}; prepare again")
            if self.meta["content_sha256"] != seal(self.meta):
                raise ValueError(f"{META} was changed")
            super().__init__({name: self._mapped(name) for name in ARRAYS}, self.meta)
            if (self.path / TABLE).stat().st_size != self.meta["table"]["bytes"]:
                raise ValueError(f"{TABLE} is not as long as it was")
            self._check_rows()
        except (ValueError, OSError, EOFError, AttributeError, LookupError, TypeError) as error:
            raise BioBlobsError(f"{self.path}: damaged store ({error}); prepare it again") from error

    def _mapped(self, name: str) -> NDArray[Any]:
        """An array, once its header and its file's size are what meta.json says."""
        file, entry = self.path / f"{name}.npy", self.meta["arrays"][name]
        array = np.load(file, mmap_mode="r", allow_pickle=False)
        if array.dtype.str != entry["dtype"] or list(array.shape) != entry["shape"]:
            held = f"{array.dtype.str} {list(array.shape)}"
            raise ValueError(f"{file.name} holds {held}, not {entry['dtype']} {entry['shape']}")
        if file.stat().st_size != array.offset + array.nbytes:
            raise ValueError(f"{file.name} is longer than its header says")
        return array.view(np.ndarray)  # a memmap's own class costs time at every index

    def _check_rows(self) -> None:
        """Arrays fit together: every protein has residues, and every residue is one protein's."""
        sizes = {name: len(getattr(self, name)) for name in PER_RESIDUE}
        total = int(self.offsets[-1])
        if wrong := [name for name, size in sizes.items() if size != total]:
            raise ValueError(f"{wrong[0]}.npy has {sizes[wrong[0]]} rows for {total} residues")
        if self.offsets[0] != 0 or (np.diff(self.offsets) <= 0).any():
            raise ValueError("offsets.npy does not rise")
        if not len(self) == len(self.labels) == len(self.split):
            raise ValueError("labels.npy and split.npy are not of as many proteins as offsets.npy")

    def __reduce__(self) -> tuple[type[Store], tuple[Path]]:
        """Other processes open the store anew; pickled maps would carry its whole content."""
        return Store, (self.path,)

    def table(self) -> pd.DataFrame:
        """proteins.csv: one row per protein."""
        return pd.read_csv(
            self.path / "proteins.csv", dtype={"id": str, "labels": str}, keep_default_na=False
        )

    def rows(self, split: str) -> NDArray[np.int64]:
        """Rows of the proteins of "train", "val" or "test"."""
        return np.flatnonzero(self.split == SPLITS.index(split))

    def require(self, parameters: Mapping[str, Any]) -> None:
        """Refuse the store if it was prepared with other parameters than these.

        Raises:
            BioBlobsError: naming the first key that differs.
        """
        for key, wanted in parameters.items():
            had = self.meta["parameters"].get(key)
            if had != wanted:
                raise BioBlobsError(
                    f"{self.path}: prepared with data.{key}={had}, but {wanted} is asked for; "
                    "run the prepare stage again"
                )

    def verify(self) -> None:
        """Compare every file with its hash (reads everything).

        Raises:
            BioBlobsError: naming the file whose content is not what was written.
        """
        found = {f"{name}.npy": array_digest(self.path / f"{name}.npy") for name in ARRAYS}
        found[TABLE] = hashlib.sha256((self.path / TABLE).read_bytes()).hexdigest()
        wanted = {f"{name}.npy": self.meta["arrays"][name]["sha256"] for name in ARRAYS}
        wanted[TABLE] = self.meta["table"]["sha256"]
        for name, digest in found.items():
            if digest != wanted[name]:
                raise BioBlobsError(
                    f"{self.path}: {name} is not what was written (its hash differs); prepare it again"
                )


def open_store(path: Path | str, parameters: Mapping[str, Any]) -> Store:
    """Open the store at ``path`` once it is sure that it was prepared with these parameters.

    Raises:
        BioBlobsError: there is none, it is damaged, or it was prepared with others.
    """
    store = Store(path)
    store.require(parameters)
    return store


def seal(meta: Mapping[str, Any]) -> str:
    """The content hash: of everything else that meta.json says, each file's hash included."""
    rest = {key: value for key, value in meta.items() if key != "content_sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
