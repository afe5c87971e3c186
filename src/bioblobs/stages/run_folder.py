"""Folders of the pipeline without DVC: of a run, and of the prepared store that runs share."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from bioblobs.config.schema import Config
from bioblobs.errors import BioBlobsError
from bioblobs.sources.source import source_state

RUN_CONFIG = "config.yaml"
"""Parameters of a run, in its folder."""


def folder_to_resume(args: Sequence[str]) -> Path | None:
    """Return the folder that ``--resume`` names; None without ``--resume``.

    Raises:
        BioBlobsError: it is no run's, or there are other words.
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
    return folder


def new_run_folder(parent: Path) -> Path:
    """Make ``multistage_{date}``, or ``multistage_{date}_2`` and so on for later runs of a day."""
    day = f"multistage_{datetime.date.today().isoformat()}"
    count = 1
    while True:
        folder = parent / (day if count == 1 else f"{day}_{count}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            count += 1
        else:
            return folder


def store_path(config: Config) -> Path:
    """Return the place of the script's prepared store, named by everything that shapes it and its source."""
    shaping = [config.data.identity(), source_state(config.data)]
    digest = hashlib.sha256(json.dumps(shaping, sort_keys=True).encode()).hexdigest()[:12]
    return Path(config.data.data_dir) / "stores" / f"{config.data.dataset_name}-{digest}"
