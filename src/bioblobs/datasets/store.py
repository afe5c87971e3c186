"""The packed store: all proteins of a prepared data set as flat arrays, memory-mapped.

P proteins, N residues in all, k neighbours a residue. A store is a folder:

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
                       (P, C) bool         or one column a class (multi-label)
split.npy              (P,) uint8          0 train, 1 val, 2 test
proteins.csv                               id, length, split, label(s) of each protein
meta.json                                  format, parameters, classes, task, content hash
=====================  ==================  ==========================================================
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bioblobs.errors import BioBlobsError
from bioblobs.graphs.neighbours import PADDING, mutual_edges, neighbour_lists
from bioblobs.proteins.record import Protein

FORMAT = 1
SPLITS = ("train", "val", "test")
PER_RESIDUE = (
    "coordinates",
    "residue_types",
    "residue_numbers",
    "insertion_codes",
    "chain_ids",
    "neighbours",
    "mutual",
)
ARRAYS = (*PER_RESIDUE, "offsets", "labels", "split")


_RESIDUE_ARRAYS: dict[str, tuple[np.dtype[Any], tuple[int, ...]]] = {
    "coordinates": (np.dtype("<f4"), (4, 3)),
    "residue_types": (np.dtype("u1"), ()),
    "residue_numbers": (np.dtype("<i4"), ()),
    "insertion_codes": (np.dtype("S1"), ()),
    "chain_ids": (np.dtype("S4"), ()),
}
"""Arrays that are a protein's own, under the names of its record: dtype, shape a residue."""


class StoreWriter:
    """Write a store protein by protein, beside its place, and move it there when all is well.

    Use as a context manager: an exception inside leaves nothing at ``path`` but what was there before.
    """

    def __init__(self, path: Path, edge_types: str) -> None:
        self.path, self.edge_types = Path(path), edge_types
        self.scratch = self.path.with_name(f".{self.path.name}.partial")
        self.lengths: list[int] = []
        self.files: dict[str, IO[bytes]] = {}
        self.lists: list[NDArray[np.int32]] = []

    def __enter__(self) -> StoreWriter:
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)
        for name in _RESIDUE_ARRAYS:
            self.files[name] = (self.scratch / f"{name}.raw").open("wb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self.files.values():
            file.close()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def add(self, protein: Protein) -> None:
        """Append one protein; all of its residues have a complete backbone."""
        for name, (dtype, _) in _RESIDUE_ARRAYS.items():
            self.files[name].write(np.ascontiguousarray(getattr(protein, name), dtype).tobytes())
        self.lists.append(neighbour_lists(protein.coordinates[:, 1], self.edge_types))
        self.lengths.append(len(protein))

    def finish(
        self,
        labels: NDArray[Any],
        split: NDArray[np.uint8],
        table: pd.DataFrame,
        meta: Mapping[str, Any],
    ) -> None:
        """Write what belongs to whole proteins and put the store in its place."""
        total = sum(self.lengths)
        for name, (dtype, shape) in _RESIDUE_ARRAYS.items():
            self.files[name].close()
            raw = np.fromfile(self.scratch / f"{name}.raw", dtype).reshape(total, *shape)
            np.save(self.scratch / f"{name}.npy", raw)
            (self.scratch / f"{name}.raw").unlink()
        width = max((lists.shape[1] for lists in self.lists), default=1) or 1  # a column even without edges
        shape = (total, width)
        neighbours = np.lib.format.open_memmap(self.scratch / "neighbours.npy", "w+", np.dtype("<i4"), shape)
        mutual = np.lib.format.open_memmap(self.scratch / "mutual.npy", "w+", np.dtype("?"), shape)
        start = 0
        for lists in self.lists:
            rows = slice(start, start + len(lists))
            neighbours[rows] = PADDING
            neighbours[rows, : lists.shape[1]] = lists
            mutual[rows, : lists.shape[1]] = mutual_edges(lists)
            start += len(lists)
        del neighbours, mutual
        np.save(self.scratch / "offsets.npy", np.cumsum([0, *self.lengths], dtype="<i8"))
        np.save(self.scratch / "labels.npy", labels)
        np.save(self.scratch / "split.npy", split.astype("u1"))
        table.to_csv(self.scratch / "proteins.csv", index=False)
        digest = _content_hash(self.scratch)
        record = {"format": FORMAT, **meta, "residues": total, "content_sha256": digest}
        (self.scratch / "meta.json").write_text(json.dumps(record, indent=1) + "\n")
        if self.path.exists():
            shutil.rmtree(self.path)
        os.replace(self.scratch, self.path)


class Store:
    """A prepared store, opened read-only; arrays are memory maps under their names in the table above."""

    coordinates: NDArray[np.float32]
    residue_types: NDArray[np.uint8]
    residue_numbers: NDArray[np.int32]
    insertion_codes: NDArray[np.bytes_]
    chain_ids: NDArray[np.bytes_]
    neighbours: NDArray[np.int32]
    mutual: NDArray[np.bool_]
    offsets: NDArray[np.int64]
    labels: NDArray[Any]
    split: NDArray[np.uint8]

    def __init__(self, path: Path | str) -> None:
        """Open a store.

        Raises:
            BioBlobsError: there is none, it is of another format, or a file is missing or damaged.
        """
        self.path = Path(path)
        meta = self.path / "meta.json"
        if not meta.is_file():
            raise BioBlobsError(f"{self.path}: no prepared data there; run the prepare stage first")
        try:
            self.meta: dict[str, Any] = json.loads(meta.read_text())
            found = self.meta.get("format")
            if found != FORMAT:
                raise BioBlobsError(f"{self.path}: store format {found}, expected {FORMAT}; prepare again")
            for name in ARRAYS:
                setattr(self, name, np.load(self.path / f"{name}.npy", mmap_mode="r", allow_pickle=False))
        except (ValueError, OSError, EOFError, AttributeError) as error:
            raise BioBlobsError(f"{self.path}: damaged store ({error}); prepare it again") from error
        sizes = {len(getattr(self, name)) for name in PER_RESIDUE}
        proteins = {len(self.labels), len(self.split)}
        if sizes != {int(self.offsets[-1])} or proteins != {len(self.offsets) - 1}:
            raise BioBlobsError(f"{self.path}: damaged store (lengths disagree); prepare it again")

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def classes(self) -> list[str]:
        """Class identifiers in label order, as training proteins define them."""
        return list(self.meta["classes"])

    @property
    def class_names(self) -> list[str]:
        """Readable name of each class."""
        return list(self.meta["class_names"])

    @property
    def multilabel(self) -> bool:
        """Whether a protein may have several classes."""
        return bool(self.meta["multilabel"])

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(P,) residues of each protein."""
        return np.diff(self.offsets)

    def table(self) -> pd.DataFrame:
        """proteins.csv: one row a protein."""
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
                name = "train.seed" if key == "seed" else f"data.{key}"
                raise BioBlobsError(
                    f"{self.path}: prepared with {name}={had}, but {wanted} is asked for; "
                    "run the prepare stage again"
                )

    def verify(self) -> None:
        """Compare the content hash (reads everything).

        Raises:
            BioBlobsError: the content is not what was written.
        """
        if _content_hash(self.path) != self.meta["content_sha256"]:
            raise BioBlobsError(f"{self.path}: content differs from its hash; prepare it again")


def _content_hash(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in ARRAYS:
        with (folder / f"{name}.npy").open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
