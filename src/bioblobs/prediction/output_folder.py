"""A folder of results that is there whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bioblobs.errors import BioBlobsError

PREDICTIONS, TABLE, BLOBS, SKIPPED = "predictions.json", "predictions.csv", "blobs.csv", "skipped.csv"
STRUCTURES, PAGE = "structures", "index.html"
OURS = {PREDICTIONS, TABLE, BLOBS, SKIPPED, STRUCTURES, PAGE}
"""What a folder of predictions may hold; one with anything else is never overwritten."""


def check_output(folder: Path, overwrite: bool, inputs: Iterable[Path] = ()) -> None:
    """Refuse a folder that must not be written, before any work.

    Raises:
        BioBlobsError: it is a file, it is there and not empty (without ``overwrite``), it holds what is not
            ours, or structures that are to be read.
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
def output_folder(folder: Path) -> Iterator[Path]:
    """A scratch folder beside ``folder``, which takes its name at the end, or is removed after an error.

    Of a process that is killed a hidden ``.<name>.<number>.partial`` stays, which the next run removes.
    """
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    scratch = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old.partial")
    scratch.mkdir()
    try:
        yield scratch
        if folder.exists():
            os.replace(folder, old)
        os.replace(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what processes that are no more have left."""
    for left in folder.parent.glob(f".{folder.name}.*.partial"):
        number = left.name.removeprefix(f".{folder.name}.").split(".")[0]
        if number.isdigit() and not Path(f"/proc/{number}").exists():
            shutil.rmtree(left, ignore_errors=True)
