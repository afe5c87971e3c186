"""Per-residue embeddings of chains, made elsewhere by any encoder: an HDF5 file, or a folder of .npy files.

HDF5 as bio_embeddings and ProtTrans write it: one dataset (residues, width) per chain, named by the chain's
id; where names are remapped, the attribute ``original_id`` has it. A folder holds ``<id>.npy`` per chain. In
names, ``_`` may stand for ``/`` and ``.``, as ProtTrans writes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from bioblobs.errors import BioBlobsError
from bioblobs.proteins.record import REQUIRED_ATOMS, Protein, ProteinError

MISSING = "no embedding"
LENGTH = "embedding of another length"
VALUES = "embedding not finite"
UNREADABLE = "embedding not readable"
KINDS = (MISSING, LENGTH, VALUES, UNREADABLE)
"""What is wrong with an embedding: the part of a reason before its colon."""


def kind_of(reason: str) -> str | None:
    """Kind of a reason for which a chain was left out; None if it is not about embeddings."""
    kind = reason.partition(":")[0]
    return kind if kind in KINDS else None


class Embeddings:
    """The embeddings at ``path``, found by chain id; workers get a copy that opens the file anew.

    Attributes:
        width: numbers per residue.

    Raises:
        BioBlobsError: there is nothing, it can't be read, or its first array is not (residues, width).
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.file: h5py.File | None = None
        try:
            self.names = dict(self._listed())
            if not self.names:
                raise ValueError("it holds no arrays")
            first = next(iter(self.names))
            shape = self._read(first).shape
        except (OSError, ValueError, EOFError) as error:
            said = " ".join(str(error).split())
            raise BioBlobsError(
                f"data.embeddings: {self.path}: {said}; expected an HDF5 file with one dataset per chain, or "
                "a folder of <id>.npy"
            ) from error
        if len(shape) != 2 or 0 in shape:
            raise BioBlobsError(
                f"data.embeddings: {self.path}: {first} has shape {shape}; expected (residues, width): one "
                "row per residue, not one per chain or per layer"
            )
        self.width = int(shape[1])

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "file": None}

    def of(self, protein: Protein) -> NDArray[np.float16]:
        """(L, width) embedding of a protein of L residues.

        One row per residue of the record; or per residue with a complete backbone, which are those that a
        store keeps (the rows of the others are then zero).

        Raises:
            ProteinError: there is none, or it does not fit; the message begins with one of :data:`KINDS`.
        """
        slashless = protein.id.replace("/", "_")
        spellings = (protein.id, slashless, slashless.replace(".", "_"))
        name = next((each for each in spellings if each in self.names), None)
        if name is None:
            raise ProteinError(f"{MISSING}: {self.path.name} has none of this chain")
        try:
            found = self._read(name)
        except (OSError, ValueError, EOFError) as error:
            raise ProteinError(f"{UNREADABLE}: {' '.join(str(error).split())}") from error
        if found.ndim != 2 or found.shape[1] != self.width or found.dtype.kind not in "fiu":
            raise ProteinError(
                f"{UNREADABLE}: {found.dtype} {found.shape}, but the first one is (residues, {self.width})"
            )
        with np.errstate(over="ignore"):  # counts as not finite
            values = found.astype(np.float16)
        complete = np.isfinite(protein.coordinates[:, :REQUIRED_ATOMS]).all((1, 2))
        if len(values) not in (len(protein), complete.sum()):
            raise ProteinError(f"{LENGTH}: {len(values)} rows for {len(protein)} residues")
        if not np.isfinite(values).all():
            raise ProteinError(f"{VALUES}: NaN, infinite, or beyond the range of 16-bit numbers")
        if len(values) == len(protein):
            return values
        padded = np.zeros((len(protein), self.width), np.float16)
        padded[complete] = values
        return padded

    def given(self, protein: Protein | ProteinError) -> Protein | ProteinError:
        """The protein with its embedding; an error where there is no fitting one, or no protein."""
        if isinstance(protein, ProteinError):
            return protein
        try:
            return replace(protein, embeddings=self.of(protein))
        except ProteinError as error:
            return error

    def _listed(self) -> Iterator[tuple[str, str]]:
        """Chain ids, and the name of each one's file or dataset."""
        if self.path.is_dir():
            for file in sorted(self.path.glob("*.npy")):
                yield file.stem, file.name
        elif not self.path.is_file():
            raise ValueError("not there")
        else:
            for key, value in self._opened().items():
                if isinstance(value, h5py.Dataset):
                    original = value.attrs.get("original_id", key)
                    yield original.decode() if isinstance(original, bytes) else str(original), key

    def _opened(self) -> h5py.File:
        if self.file is None:
            self.file = h5py.File(self.path, "r")
        return self.file

    def _read(self, name: str) -> NDArray[Any]:
        place = self.names[name]
        if self.path.is_dir():
            return np.asarray(np.load(self.path / place, allow_pickle=False))
        return np.asarray(self._opened()[place])


def embeddings_state(path: Path | str) -> list[tuple[str, int, int]]:
    """Name, size and time of change of each file behind ``data.embeddings``."""
    place = Path(path)
    files = sorted(place.glob("*.npy")) if place.is_dir() else [place] if place.is_file() else []
    return [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
