"""Folder of predictions: what it may hold, and writing it whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bioblobs.errors import BioBlobsError
from bioblobs.io import REMEDIES, whole_folder

PREDICTIONS, TABLE, BLOBS, SKIPPED = "predictions.json", "predictions.csv", "blobs.csv", "skipped.csv"
STRUCTURES, PAGE = "structures", "index.html"


def parquet_name(table: str) -> str:
    """Name of the Parquet file of a CSV table."""
    return str(Path(table).with_suffix(".parquet"))


OURS = {PREDICTIONS, TABLE, BLOBS, SKIPPED, STRUCTURES, PAGE, parquet_name(TABLE), parquet_name(BLOBS)}
"""Names that a folder of predictions may hold; one with anything else is never overwritten."""


def check_output(folder: Path, overwrite: bool, inputs: Iterable[Path] = ()) -> None:
    """Refuse a folder that must not be written, before any work.

    Raises:
        BioBlobsError: it is a file, it is not empty (without ``overwrite``), or it holds other files than
            predictions, or structures that are to be read.
    """
    folder = folder.absolute()
    if folder.exists() and not folder.is_dir():
        raise BioBlobsError(f"{folder}: is a file; name a folder for the results")
    held = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if not held:
        return
    if not overwrite:
        raise BioBlobsError(f"{folder}: is there already; name another folder, or add --overwrite")
    if PREDICTIONS not in held or held - OURS:
        other = min(held - OURS, default="")
        raise BioBlobsError(
            f"{folder}: not overwritten, since it holds {other or f'no {PREDICTIONS}'}; name another folder"
        )
    for path in inputs:
        if path.resolve().is_relative_to(folder.resolve()):
            raise BioBlobsError(f"{folder}: not overwritten, since {path} is to be read from it")


@contextmanager
def output_folder(folder: Path, overwrite: bool = False, inputs: Iterable[Path] = ()) -> Iterator[Path]:
    """Take a folder, and yield a scratch folder that takes its name at the end, or is removed after an error.

    Raises:
        BioBlobsError: another process is writing the same folder, it cannot be made, or it must not be
            written (:func:`check_output`).
    """
    inputs = list(inputs)
    check_output(folder, overwrite, inputs)
    with ExitStack() as stack:
        try:
            scratch = stack.enter_context(whole_folder(folder.resolve()))
        except BioBlobsError as error:
            if not (cause := _lasting(error.__cause__)):
                raise
            raise BioBlobsError(f"{folder}: cannot be made ({cause}); name another folder") from error
        check_output(folder, overwrite, inputs)  # again, since another process may just have finished it
        yield scratch


def _lasting(error: BaseException | None) -> str:
    """Name the cause if the folder can never be made there, as in /proc; else it is empty."""
    if not isinstance(error, OSError) or isinstance(error, BlockingIOError):  # another process writes it
        return ""
    return "" if error.errno in REMEDIES else error.strerror or str(error)
