"""Resume interrupted training stages.

DVC deletes a stage's outputs before it runs the stage. So the work in progress lies in a folder of its
own, ``<output>/unfinished/stage_N-<digest>``, named by the digest of everything that shapes the result: a
run of the same work finds it, and any other does not. A finished stage moves the folder to its place.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import bioblobs
from bioblobs.checkpoints.file import FORMAT, read_checkpoint
from bioblobs.errors import BioBlobsError
from bioblobs.io import empty_folder, lock_folder, put_in_place, read_json, write_json, writing

IDENTITY, LAST = "identity.json", "last.ckpt"
CODE = (
    *("checkpoints", "config", "graphs", "models", "ops", "proteins", "store", "training"),
    *("errors.py", "evaluation/scores.py", "inference/process.py", "io.py", "splits/__init__.py"),
)
"""Folders and files of this package that a training stage imports; a test compares them with its imports."""
SOURCES = (".py", ".cpp", ".h")
LIBRARIES = ("torch", "lightning", "numpy")


@dataclasses.dataclass(frozen=True)
class Unfinished:
    """Working folder of a stage, and its start.

    Attributes:
        folder: of its checkpoints and curve, until it is finished.
        resume: the checkpoint that it goes on from; None: from the start.
        note: what to tell the user; None: nothing.
    """

    folder: Path
    resume: Path | None
    note: str | None


def work_identity(keys: Mapping[str, Any], inputs: Mapping[str, str]) -> dict[str, Any]:
    """Everything that shapes a training run, flat.

    Args:
        keys: parameters, nested or not.
        inputs: hash of each input.
    """
    made = {f"{name} version": version(name) for name in LIBRARIES}
    return {**_flat(keys), **inputs, **made, "checkpoint format": FORMAT, "code": code_digest()}


def code_digest(parts: Sequence[str] = CODE) -> str:
    """Hash of the source files in folders and files of this package, compiled ones included."""
    root = Path(bioblobs.__file__).parent
    digest = hashlib.sha256()
    for path in code_files(root, parts):
        digest.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return digest.hexdigest()


def code_files(root: Path, parts: Sequence[str] = CODE) -> list[Path]:
    """List the source files of folders and files in the package at ``root``."""
    places = [root / part for part in parts]
    found = {path for place in places for path in (place.rglob("*") if place.is_dir() else [place])}
    return sorted(path for path in found if path.suffix in SOURCES)


def take_folder(parent: Path, stage: int, identity: dict[str, Any]) -> int:
    """Make the folder of this work, and lock it against another training (:func:`bioblobs.io.unlock`).

    Raises:
        BioBlobsError: another process trains there, or it cannot be made.
    """
    folder = _folder(parent, stage, identity)
    with writing(folder):
        return lock_folder(folder, "training here")


def _folder(parent: Path, stage: int, identity: dict[str, Any]) -> Path:
    content = json.dumps(identity, sort_keys=True, default=str)
    return parent / f"stage_{stage}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def find_unfinished(parent: Path, stage: int, identity: dict[str, Any]) -> Unfinished:
    """Find the folder of this work in ``parent``, and the checkpoint to go on from."""
    folder = _folder(parent, stage, identity)
    last = folder / LAST
    if last.is_file():
        try:
            done = read_checkpoint(last)
        except BioBlobsError as error:
            return Unfinished(folder, None, f"starting anew: {error}")
        return Unfinished(folder, last, f"going on with {folder}, saved {_place(done)}")
    others = (path.parent for path in sorted(parent.glob(f"stage_{stage}-*/{IDENTITY}")))
    other = next((path for path in others if path != folder and (path / LAST).is_file()), None)
    if other is None:
        return Unfinished(folder, None, None)
    return Unfinished(
        folder, None, f"starting anew: {other} is of other work ({_difference(other, identity)})"
    )


def begin_folder(work: Unfinished, identity: dict[str, Any]) -> None:
    """Make the folder; nothing of a beginning without a checkpoint stays in it."""
    work.folder.mkdir(parents=True, exist_ok=True)
    if work.resume is None:
        empty_folder(work.folder)  # not removed: it may be locked
    write_json(work.folder / IDENTITY, json.loads(json.dumps(identity, sort_keys=True, default=str)))


def move_finished(work: Path, place: Path) -> None:
    """Put a finished stage's folder in its place, where an earlier run's may be.

    Killed before the last step, the stage finds its work still unfinished, and does this again.
    """
    (work / IDENTITY).unlink(missing_ok=True)
    with writing(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        put_in_place(work, place)
    if not any(work.parent.iterdir()):
        work.parent.rmdir()


def _place(checkpoint: Mapping[str, Any]) -> str:
    return f"in epoch {checkpoint['epoch']} after step {checkpoint['global_step']}"


def _difference(other: Path, identity: Mapping[str, Any]) -> str:
    try:
        had = read_json(other / IDENTITY, dict, "")
    except BioBlobsError:
        return f"its {IDENTITY} cannot be read"
    now = json.loads(json.dumps(identity, default=str))
    name = next((key for key in {**now, **had} if had.get(key) != now.get(key)), "")
    if name == "code" or name.endswith("sha256"):
        return f"another {name}"
    return f"{name}: {had.get(name)} there, {now.get(name)} here"


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in tree.items():
        found |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found
