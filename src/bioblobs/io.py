"""Small results: files and folders written whole or not at all, and numbers as people read them."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from bioblobs.errors import BioBlobsError

if TYPE_CHECKING:  # commands that only read files start without it
    import pandas as pd

NO_ROOM, NO_RIGHT, TAKEN = (
    "make room and run it again",
    "make its folder writable, or name another",
    "move it away",
)
REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), NO_ROOM),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), NO_RIGHT),
    **dict.fromkeys((errno.EEXIST, errno.EISDIR, errno.ENOTDIR), TAKEN),
}
"""Error of the system -> what to do about a file that could not be written for it."""
OF_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
"""Errors of an open file that is written, which the system gives no name."""


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
        BioBlobsError: another process is writing ``path``, or it cannot be written.
    """
    scratch = scratch_of(path)
    with writing(path):
        lock = own_folder(scratch, named=path)
        moved = False
        try:
            if _aside(path).exists() and not path.exists():  # killed while it put another in its place
                os.replace(_aside(path), path)
            yield scratch
            put_in_place(scratch, path)
            moved = True
        finally:
            if not moved:  # else another process may have begun its own of this name
                shutil.rmtree(scratch, ignore_errors=True)
            unlock(lock)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an error of the system in writing ``path``, inside the block, into one line that names the file.

    Errors of other files, such as one that is read meanwhile, are left as they are: they name theirs.

    Raises:
        BioBlobsError: ``path`` cannot be written; of a folder, with the file in it where that is known.
    """
    try:
        yield
    except OSError as error:
        place, scratch = path, scratch_of(path)
        if error.filename is None:
            own = error.errno in OF_WRITING
        else:
            named = Path(os.fsdecode(error.filename))
            own = named == path or named in path.parents or named.is_relative_to(scratch)
            place = path / named.relative_to(scratch) if named.is_relative_to(scratch) else path
            if not own and named.is_relative_to(path):
                own, place = True, named
        if not own:
            raise
        remedy = REMEDIES.get(error.errno or 0, "run it again")
        raise BioBlobsError(f"{place}: not written ({error.strerror}); {remedy}") from error


def scratch_of(path: Path) -> Path:
    """Name of the scratch file or folder of ``path``, hidden and on the same disk."""
    return path.with_name(f".{path.name}.partial")


def _aside(path: Path) -> Path:
    """Name of a folder whose place is being taken."""
    return path.with_name(f".{path.name}.old.partial")


_LOCKS: set[int] = set()
"""Handles of this process's locks."""


def _close_locks() -> None:
    for handle in _LOCKS:
        os.close(handle)
    _LOCKS.clear()


# A forked child has the handle too, and would hold the lock of a parent that was killed.
os.register_at_fork(after_in_child=_close_locks)


def lock_folder(folder: Path, doing: str = "writing here", named: Path | None = None) -> int:
    """Make a folder that belongs to this process alone, and return the lock on it (see :func:`unlock`).

    The lock is an open handle. The system frees it when the process ends, in whatever way.

    Args:
        doing: what the other process does, for the error.
        named: folder that the error names; None: this one.

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
                _LOCKS.add(handle)
                return handle
        except BlockingIOError as error:
            os.close(handle)
            raise BioBlobsError(f"{named or folder}: another process is {doing}; wait for it") from error
        except FileNotFoundError:
            pass  # moved away by a process that has just finished
        os.close(handle)


def unlock(lock: int) -> None:
    """Free a lock, for other processes and for this one."""
    _LOCKS.discard(lock)
    os.close(lock)


def own_folder(folder: Path, doing: str = "writing here", named: Path | None = None) -> int:
    """Lock a folder as :func:`lock_folder` does, and empty it."""
    lock = lock_folder(folder, doing, named)
    try:
        empty_folder(folder)
    except BaseException:
        unlock(lock)
        raise
    return lock


def empty_folder(folder: Path) -> None:
    """Remove all that is in a folder."""
    for path in folder.iterdir():
        _remove(path)


def _remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)


def put_in_place(scratch: Path, path: Path) -> None:
    """Rename a finished file or folder to ``path``; what was there is removed.

    A folder with content cannot be replaced in one step: the old one goes aside first, and comes back
    after an error.
    """
    old = _aside(path)
    if path.exists() and (path.is_dir() or scratch.is_dir()):
        _remove(old)
        os.replace(path, old)
        try:
            os.replace(scratch, path)
        except BaseException:
            os.replace(old, path)
            raise
    else:
        os.replace(scratch, path)
    with suppress(OSError):  # the new one is in its place; the next one removes the old
        _remove(old)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class _NamedFile(io.FileIO):
    """File whose errors of writing have its name, which the system's do not."""

    def write(self, content: Any, /) -> int:
        try:
            return super().write(content)
        except OSError as error:
            error.filename = str(self.name)
            raise


def open_text(path: Path) -> TextIO:
    """Open a UTF-8 text file for writing; line ends stay as they are.

    An error of a full disk has the file's name. What is no text, such as a byte of a file name that is not
    UTF-8, is written as an escape.
    """
    binary = io.BufferedWriter(_NamedFile(str(path), "w"))
    return io.TextIOWrapper(binary, encoding="utf-8", errors="backslashreplace", newline="")


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all.

    Raises:
        BioBlobsError: it cannot be written.
    """
    with writing(path), whole_file(path) as scratch, open_text(scratch) as file:
        file.write(text)
    for written in _WRITTEN:
        written[path] = file_digest(path)


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON; refuse NaN, which JSON does not have."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def write_compact_json(path: Path, content: Any) -> None:
    """Write JSON in one line, for large files that only programs read."""
    write_text(path, json.dumps(content, allow_nan=False) + "\n")


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write CSV with six significant digits, so that plots of two commits differ only where numbers do."""
    write_text(path, table.to_csv(index=False, float_format="%.6g"))


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


_WRITTEN: list[dict[Path, str]] = []


@contextmanager
def noted() -> Iterator[dict[Path, str]]:
    """Yield a dictionary that each text file written until the end is put into, with its digest."""
    _WRITTEN.append({})
    try:
        yield _WRITTEN[-1]
    finally:
        _WRITTEN.pop()


def read_json(path: Path, kind: type, remedy: str) -> Any:
    """Read a small JSON file of ours.

    Args:
        kind: of its content, dict or list.
        remedy: what to do if it can't be read.

    Raises:
        BioBlobsError: it is missing, no JSON, or holds something else.
    """
    try:
        content = json.loads(path.read_bytes().decode())
        if not isinstance(content, kind):
            raise ValueError("other content than was written")
    except (OSError, ValueError, RecursionError) as error:
        said = error.strerror if isinstance(error, OSError) else " ".join(str(error).split())
        raise BioBlobsError(f"{path}: cannot be read ({said}); {remedy}") from error
    return content


def interval(score: Mapping[str, float | None]) -> str:
    """Format ``{"value": .., "low": .., "high": ..}`` as 0.902 (0.865 to 0.936); None as undefined."""
    value, low, high = (score[name] for name in ("value", "low", "high"))
    if value is None:
        return "undefined"
    return f"{value:.3f}" if low is None or high is None else f"{value:.3f} ({low:.3f} to {high:.3f})"


FEW_CHAINS = 50
"""Test chains below which a score says little: the 95 % interval of an accuracy is then wider than 0.2."""


def few_chains(count: int | None) -> str:
    """Warn of a score that rests on few test chains; empty where there are enough, or nobody knows."""
    if count is None or count >= FEW_CHAINS:
        return ""
    chains = "1 test chain is" if count == 1 else f"{count} test chains are"
    return f"{chains} too few to judge a model by its score (fewer than {FEW_CHAINS})"
