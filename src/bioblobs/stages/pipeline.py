"""All stages in one process, without DVC: what run_partoken_multistage.py calls.

The stages are the ones that dvc.yaml runs; only the paths differ.
"""

from __future__ import annotations

import datetime
import difflib
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from bioblobs.datasets.prepare import identity, open_store
from bioblobs.datasets.source import source_state
from bioblobs.errors import BioBlobsError, one_line_errors
from bioblobs.parameters.parsing import parse
from bioblobs.parameters.schema import Config, Paths, leaf_keys
from bioblobs.stages import download

DEFAULT_CONFIG = "params.yaml"


def run(args: Sequence[str]) -> Path:
    """From download to report, with ``key=value`` overrides; the run's folder."""
    flags = as_flags(args)
    config, _ = parse("BioBlobs multi-stage training", flags)
    if config.train.devices > 1:
        raise BioBlobsError(
            f"train.devices: {config.train.devices}, but this script runs in one process; use dvc repro"
        )
    download.run(config, Paths())
    folder = new_run_folder(Path("outputs") / "partoken-multistage" / config.data.dataset_name)
    paths = Paths(
        prepared=str(store_path(config)),
        output=str(folder),
        metrics=str(folder / "metrics"),
        plots=str(folder / "plots"),
    )
    print(f"writing to {folder}", flush=True)
    from bioblobs.stages import evaluate, faithfulness, init_codebook, interpret, leakage, report
    from bioblobs.training.stage import Stage0CLI, Stage1CLI

    placed = [*flags, *(f"--paths.{name}={value}" for name, value in vars(paths).items())]
    try:
        _prepare(config, paths)
    except BioBlobsError:
        folder.rmdir()  # a run that could not begin leaves no folder
        raise
    _say("leakage between the splits")
    leakage.run(config, paths)
    _say("stage 0: baseline")
    Stage0CLI(["fit", *placed])
    _say("codebook: k-means")
    init_codebook.run(config, paths)
    _say("stage 1: joint fine-tuning")
    Stage1CLI(["fit", *placed])
    _say("evaluation on the test set")
    evaluate.run(config, paths)
    _say("interpretability")
    interpret.run(config, paths)
    _say("faithfulness")
    faithfulness.run(config, paths)
    _say("report")
    report.run(config, paths)
    print(f"done: {folder}")
    return folder


def as_flags(args: Sequence[str]) -> list[str]:
    """``key=value`` -> ``--key=value``; ``--config`` defaults to params.yaml, before any override.

    Raises:
        BioBlobsError: a word that is neither, or a key that params.yaml does not have.
    """
    flags: list[str] = []
    config = ["--config", DEFAULT_CONFIG]
    words = iter(args)
    keys = set(leaf_keys())
    for word in words:
        key, equals, _ = word.partition("=")
        if word == "--config":
            config = ["--config", next(words, "")]
        elif word.startswith("--config="):
            config = [word]
        elif word.startswith("--"):
            flags.append(word)
        elif not equals:
            raise BioBlobsError(f"{word}: expected key=value, as in train.batch_size=64")
        elif key not in keys:
            raise BioBlobsError(f"{key}: no such key{_closest(key, keys)}; params.yaml lists them all")
        else:
            flags.append(f"--{word}")
    return [*config, *flags]


def store_path(config: Config) -> Path:
    """Where the script keeps a prepared store: named by everything that shapes it, the source included."""
    shaping = [identity(config.data, config.train.seed), source_state(config.data)]
    digest = hashlib.sha256(json.dumps(shaping, sort_keys=True).encode()).hexdigest()[:12]
    return Path(config.data.data_dir) / "stores" / f"{config.data.dataset_name}-{digest}"


def new_run_folder(parent: Path) -> Path:
    """``multistage_{date}``, or ``multistage_{date}_2`` and so on for the later runs of a day."""
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


def _prepare(config: Config, paths: Paths) -> None:
    """Prepare, unless the store is there already and whole; the run gets the data report either way."""
    from bioblobs.stages import prepare

    try:
        open_store(paths.prepared, config.data, config.train.seed).verify()
    except BioBlobsError:
        _say("prepare")
        prepare.run(config, paths)
    else:
        _say(f"prepared data: {paths.prepared}")
        prepare.publish_report(paths)


def _closest(key: str, keys: set[str]) -> str:

    near = difflib.get_close_matches(key, keys, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _say(title: str) -> None:
    print(f"== {title}", flush=True)


def main() -> None:
    """Command line of run_partoken_multistage.py."""
    with one_line_errors():
        run(sys.argv[1:])
