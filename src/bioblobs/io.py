"""Small results: files and folders written whole or not at all, and numbers as people read them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from bioblobs.errors import BioBlobsError


@contextmanager
def whole_file(path: Path, sync: bool = False) -> Iterator[Path]:
    """Yield a scratch file beside ``path`` that takes its name at the end, or is removed after an error.

    Args:
        sync: flush the content to disk before it takes the name, so that it survives a power cut.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = scratch_of(path)
    try:
        yield scratch
        if sync:
            _flush(scratch)
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``path`` that takes its name at the end, or is removed after an error.

    A killed process leaves the scratch folder; the next writer of ``path`` empties it.

    Raises:
        BioBlobsError: another process is writing ``path``.
    """
    scratch = scratch_of(path)
    lock = own_folder(scratch)
    moved = False
    try:
        yield scratch
        put_in_place(scratch, path)
        moved = True
    finally:
        if not moved:  # else another process may have begun its own of this name
            shutil.rmtree(scratch, ignore_errors=True)
        os.close(lock)


def scratch_of(path: Path) -> Path:
    """Name of the scratch file or folder of ``path``, hidden and on the same disk."""
    return path.with_name(f".{path.name}.partial")


def own_folder(folder: Path, doing: str = "writing here") -> int:
    """Make an empty folder that belongs to this process alone, and return the lock on it.

    The lock is an open handle. The system frees it when the process ends, in whatever way.

    Args:
        doing: what the other process does, for the error.

    Raises:
        BioBlobsError: it belongs to another process.
    """
    import fcntl  # here: Windows has none, and the rest of this module works there

    folder.parent.mkdir(parents=True, exist_ok=True)
    while True:
        folder.mkdir(exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(folder.stat(), os.fstat(handle)):
                break
        except BlockingIOError as error:
            os.close(handle)
            raise BioBlobsError(f"{folder}: another process is {doing}; wait for it") from error
        except FileNotFoundError:
            pass  # moved away by a process that has just finished
        os.close(handle)
    for path in folder.iterdir():  # left by a killed process
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    return handle


def put_in_place(scratch: Path, path: Path) -> None:
    """Rename a finished file or folder to ``path``; what was there is removed.

    A folder with content cannot be replaced in one step: the old one goes aside first, and comes back
    after an error.
    """
    if not path.exists() or not (path.is_dir() or scratch.is_dir()):
        os.replace(scratch, path)
        return
    old = path.with_name(f".{path.name}.old.partial")
    shutil.rmtree(old, ignore_errors=True)
    os.replace(path, old)
    try:
        os.replace(scratch, path)
    except BaseException:
        os.replace(old, path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with whole_file(path) as scratch:
        scratch.write_text(text)


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON; refuse NaN, which JSON does not have."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def write_compact_json(path: Path, content: Any) -> None:
    """Write JSON in one line, for large files that only programs read."""
    write_text(path, json.dumps(content, allow_nan=False) + "\n")


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write CSV with six significant digits, so that plots of two commits differ only where numbers do."""
    write_text(path, table.to_csv(index=False, float_format="%.6g"))


def interval(score: Mapping[str, float | None]) -> str:
    """Format ``{"value": .., "low": .., "high": ..}`` as 0.902 (0.865 to 0.936); None as undefined."""
    value, low, high = (score[name] for name in ("value", "low", "high"))
    if value is None:
        return "undefined"
    return f"{value:.3f}" if low is None or high is None else f"{value:.3f} ({low:.3f} to {high:.3f})"
