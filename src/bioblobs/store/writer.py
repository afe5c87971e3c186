"""Write a packed store as its proteins come, and put it in its place when all is well."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bioblobs.errors import BioBlobsError
from bioblobs.io import own_folder, put_in_place, scratch_of, unlock, writing
from bioblobs.proteins.record import Protein
from bioblobs.store.array_file import HEADER, ArrayEntry, ArrayFile, write_array
from bioblobs.store.blocks import (
    EDGE_ARRAYS,
    EMBEDDING_TYPE,
    EMBEDDINGS,
    RESIDUE_ARRAYS,
    Block,
    list_width,
    make_block,
    widened,
)
from bioblobs.store.packed import FORMAT, META, TABLE, seal

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Error numbers of a full disk."""


class StoreWriter:
    """Append proteins to a folder beside the store's place; :meth:`finish` moves it there.

    Use as a context manager: an exception inside leaves nothing at ``path`` but what was there before, and
    a process that is killed leaves a folder of another name, which no one opens and the next run removes.

    Raises:
        BioBlobsError: another process is writing the same store, or there is no room on the disk.
    """

    def __init__(self, path: Path, edge_types: str, embedding_dim: int = 0) -> None:
        self.path, self.edge_types, self.embedding_dim = Path(path), edge_types, embedding_dim
        self.scratch = scratch_of(self.path)
        self.lengths: list[int] = []
        self.widths: list[int] = []
        self.files: dict[str, ArrayFile] = {}
        self.moved = False

    def __enter__(self) -> StoreWriter:
        with writing(self.path):
            self.lock = own_folder(self.scratch, "preparing this store", self.path)
        for name, dtype in [*((n, d) for n, (d, _) in RESIDUE_ARRAYS.items()), *EDGE_ARRAYS.items()]:
            self.files[name] = ArrayFile(self.scratch / f"{name}.npy", dtype)
        if self.embedding_dim:
            self.files[EMBEDDINGS] = ArrayFile(self.scratch / f"{EMBEDDINGS}.npy", EMBEDDING_TYPE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self.files.values():
            with suppress(OSError):  # closing writes what is buffered; the disk may be full
                file.file.close()
        if not self.moved:  # else another process may have begun its own of this name
            shutil.rmtree(self.scratch, ignore_errors=True)
        unlock(self.lock)
        if isinstance(error, OSError) and error.errno in FULL:
            raise BioBlobsError(
                f"{self.path}: no room to write the store ({error.strerror}); nothing was left behind"
            ) from error

    def append(self, block: Block) -> None:
        """Append proteins that a worker has made ready."""
        for name, values in block.arrays.items():
            self.files[name].append(values)
        self.lengths += block.lengths
        self.widths += block.widths

    def add(self, protein: Protein) -> None:
        """Append one protein; its residues without a complete backbone are left out."""
        self.append(make_block([protein], self.edge_types))

    def finish(
        self,
        labels: NDArray[Any],
        split: NDArray[np.uint8],
        table: pd.DataFrame,
        meta: Mapping[str, Any],
    ) -> None:
        """Write what belongs to whole proteins and put the store in its place."""
        total = sum(self.lengths)
        entries = {name: self.files[name].close((total, *row)) for name, (_, row) in RESIDUE_ARRAYS.items()}
        for name in EDGE_ARRAYS:
            entries[name] = self._close_lists(name)
        if self.embedding_dim:
            entries[EMBEDDINGS] = self.files[EMBEDDINGS].close((total, self.embedding_dim))
        offsets = np.cumsum([0, *self.lengths], dtype="<i8")
        for name, values in (("offsets", offsets), ("labels", labels), ("split", split.astype("u1"))):
            entries[name] = write_array(self.scratch / f"{name}.npy", values)
        listed = table.to_csv(index=False).encode()
        (self.scratch / TABLE).write_bytes(listed)
        others = [path for path in self.scratch.rglob("*") if path.is_file() and path.suffix != ".npy"]
        about = {path.relative_to(self.scratch).as_posix(): _about(path) for path in sorted(others)}
        record = {"format": FORMAT, **meta, "residues": total, "arrays": entries}
        record |= {"table": about.pop(TABLE), "report": about}
        record["content_sha256"] = seal(record)
        (self.scratch / META).write_text(json.dumps(record, indent=1) + "\n")
        put_in_place(self.scratch, self.path)
        self.moved = True

    def _close_lists(self, name: str) -> ArrayEntry:
        """Neighbour lists of one width are right as they are; others are padded in one more pass."""
        file, total = self.files[name], sum(self.lengths)
        width = list_width(self.widths)
        if set(self.widths) <= {width}:
            return file.close((total, width))
        file.file.close()
        ragged = file.path.rename(file.path.with_suffix(".ragged"))
        padded = self.files[name] = ArrayFile(file.path, file.dtype)
        with ragged.open("rb") as source:
            source.seek(HEADER)
            for length, own in zip(self.lengths, self.widths, strict=True):
                lists = np.fromfile(source, file.dtype, length * own).reshape(length, own)
                padded.append(widened(lists, width, name).tobytes())
        ragged.unlink()
        return padded.close((total, width))


def _about(path: Path) -> dict[str, Any]:
    """Size and hash of a small file."""
    content = path.read_bytes()
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
