"""A .npy file that grows at its end: nothing of it is held in memory, and it is hashed on the way."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

HEADER = 128
"""Bytes of the header; it is written last, when the number of rows is known."""
BUFFER = 1 << 20


class ArrayEntry(TypedDict):
    """Entry of an array in the store's meta.json; ``sha256`` is of the values, without the header."""

    dtype: str
    shape: list[int]
    sha256: str


class ArrayFile:
    """Append values in C order; :meth:`close` makes it a .npy file."""

    def __init__(self, path: Path, dtype: np.dtype[Any]) -> None:
        self.path, self.dtype = path, dtype
        self.file = path.open("wb", buffering=BUFFER)
        self.file.write(bytes(HEADER))
        self.digest = hashlib.sha256()

    def append(self, values: bytes) -> None:
        """Append values of the file's dtype."""
        self.file.write(values)
        self.digest.update(values)

    def close(self, shape: tuple[int, ...]) -> ArrayEntry:
        """Write the header in its place."""
        head = io.BytesIO()
        described = {"descr": self.dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(head, described)
        assert len(head.getvalue()) == HEADER, "numpy pads the header to 128 bytes and leaves room to grow"
        self.file.seek(0)
        self.file.write(head.getvalue())
        self.file.close()
        return {"dtype": self.dtype.str, "shape": list(shape), "sha256": self.digest.hexdigest()}


def write_array(path: Path, values: np.ndarray[Any, Any]) -> ArrayEntry:
    """A whole array at once."""
    file = ArrayFile(path, values.dtype)
    file.append(np.ascontiguousarray(values).tobytes())
    return file.close(values.shape)


def open_array(path: Path, entry: ArrayEntry) -> np.ndarray[Any, Any]:
    """Map a file that :class:`ArrayFile` wrote, read-only, once its header and size are what ``entry`` says.

    Raises:
        ValueError: they are not; or, as OSError and others, it is no such file at all.
    """
    if not path.is_file():
        raise ValueError("not there")
    array = np.lib.format.open_memmap(path, mode="r")
    if array.dtype.str != entry["dtype"] or list(array.shape) != entry["shape"]:
        held = f"{array.dtype.str} {list(array.shape)}"
        raise ValueError(f"holds {held}, not {entry['dtype']} {entry['shape']}")
    if not array.flags.c_contiguous or array.offset != HEADER:
        raise ValueError("has another header than was written")
    if (size := path.stat().st_size) != HEADER + array.nbytes:
        raise ValueError(f"has {size} bytes, not {HEADER + array.nbytes}")
    return array.view(np.ndarray)  # a memmap's own class costs time at every index


def array_digest(path: Path) -> str:
    """SHA-256 of the values of a file that :class:`ArrayFile` wrote."""
    with path.open("rb") as file:
        file.seek(HEADER)
        return hashlib.file_digest(file, "sha256").hexdigest()
