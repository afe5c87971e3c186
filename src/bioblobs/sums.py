"""Digests of what a stage wrote, which later stages compare before they believe a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Protocol, TypeVar

from bioblobs.errors import BioBlobsError
from bioblobs.io import file_digest, noted, read_json, write_json

SUMS = "sums"
"""Folder of the digests of results, in that of the results."""

C = TypeVar("C")
R = TypeVar("R")
P = TypeVar("P", bound="Places")


class Places(Protocol):
    """Folders of a run's results, by name."""

    @property
    def folders(self) -> dict[str, Path]:
        """Name -> folder, ``output`` among them; of a folder within another the inner one first."""


def with_sums(run: Callable[[C, P], R]) -> Callable[[C, P], R]:
    """Let a stage's function write ``output/sums/STAGE.json``: SHA-256 of each text file that it wrote.

    STAGE is the last part of its module's name; a file is listed by its folder, as ``metrics/test.json``.
    """

    @wraps(run)
    def listed(config: C, paths: P) -> R:
        with noted() as files:
            result = run(config, paths)
        written = {_listed(path, paths.folders): digest for path, digest in files.items()}
        write_json(sums_file(paths, run.__module__.rpartition(".")[2]), written)
        return result

    return listed


def sums_file(paths: Places, stage: str) -> Path:
    """Where a stage's digests are."""
    return paths.folders["output"] / SUMS / f"{stage}.json"


def _listed(path: Path, folders: Mapping[str, Path]) -> str:
    for name, folder in folders.items():
        if path.is_relative_to(folder):
            return f"{name}/{path.relative_to(folder).as_posix()}"
    return str(path)


class Sums:
    """What stages wrote, by :func:`with_sums`. A file that none of them lists (of older runs) is not checked.

    Raises:
        BioBlobsError: a list cannot be read.
    """

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self.known: dict[Path, tuple[str, str]] = {}
        for file in sorted((folders["output"] / SUMS).glob("*.json")):
            for listed, digest in read_json(file, dict, f"run {file.stem} again").items():
                name, _, rest = listed.partition("/")
                if name in folders:
                    self.known[folders[name] / rest] = file.stem, digest

    def check(self, path: Path) -> Path:
        """Return the path of a file that is as it was written, or that nothing is known of.

        Raises:
            BioBlobsError: it is not.
        """
        stage, digest = self.known.get(path, ("", None))
        if digest is None:
            return path
        if not path.is_file():
            raise BioBlobsError(f"{path}: not there, though {stage} wrote it; run {stage} again")
        if file_digest(path) != digest:
            raise BioBlobsError(
                f"{path}: damaged: not what {stage} wrote (its SHA-256 differs); run {stage} again"
            )
        return path
