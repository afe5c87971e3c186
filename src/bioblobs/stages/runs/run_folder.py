"""Folders of the pipeline without DVC: of a run, and of the prepared store that runs share."""

from __future__ import annotations

import datetime
import errno
import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from bioblobs.config.schema import Config, Paths
from bioblobs.errors import BioBlobsError
from bioblobs.io import file_digest, write_json, write_text
from bioblobs.sources.source import source_state
from bioblobs.sums import SUMS, Sums

RUN_CONFIG = "config.yaml"
"""Parameters of a run, in its folder."""


def folder_to_resume(args: Sequence[str]) -> Path | None:
    """Return the folder that ``--resume`` names; None without ``--resume``.

    Raises:
        BioBlobsError: it is no run's, or there are other words, or its parameters were changed since.
    """
    words = [
        part for word in args for part in (word.split("=", 1) if word.startswith("--resume=") else [word])
    ]
    if "--resume" not in words:
        return None
    if len(words) != 2 or words[0] != "--resume":
        raise BioBlobsError("--resume FOLDER takes no other words: the run goes on with its own parameters")
    folder = Path(words[1])
    if not (folder / RUN_CONFIG).is_file():
        raise BioBlobsError(f"{folder}: no run to go on with: {RUN_CONFIG} is missing there")
    Sums({"output": folder}).check(folder / RUN_CONFIG)
    return folder


def new_run_folder(parent: Path, config: str) -> Path:
    """Make ``multistage_{date}``, or ``multistage_{date}_2`` and so on for later runs of a day.

    It appears with its parameters in it, so that a run that is killed at any moment can be gone on with.

    Args:
        config: text of its :data:`RUN_CONFIG`.
    """
    day = f"multistage_{datetime.date.today().isoformat()}"
    scratch = parent / f".{day}.{os.getpid()}.partial"
    shutil.rmtree(scratch, ignore_errors=True)
    write_text(scratch / RUN_CONFIG, config)
    digest = {f"output/{RUN_CONFIG}": file_digest(scratch / RUN_CONFIG)}
    write_json(scratch / SUMS / "run.json", digest)
    for count in itertools.count(1):
        folder = parent / (day if count == 1 else f"{day}_{count}")
        try:
            os.rename(scratch, folder)  # replaces none but an empty one
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                raise
        else:
            break
    return folder


def store_path(config: Config) -> Path:
    """Return the place of the script's prepared store, named by everything that shapes it and its source."""
    shaping = [config.data.identity(), source_state(config.data)]
    digest = hashlib.sha256(json.dumps(shaping, sort_keys=True).encode()).hexdigest()[:12]
    return Path(config.data.data_dir) / "stores" / f"{config.data.dataset_name}-{digest}"


def run_paths(folder: Path, prepared: Path) -> Paths:
    """Return the places of a run's results, all in its folder."""
    places = {"output": folder, "metrics": folder / "metrics", "plots": folder / "plots"}
    return Paths(prepared=str(prepared), **{name: str(place) for name, place in places.items()})


def path_words(places: Mapping[str, object]) -> list[str]:
    """Write places as words of a stage's command line."""
    return [f"--paths.{name}={place}" for name, place in places.items()]
