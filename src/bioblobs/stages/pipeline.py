"""All stages one after the other, without DVC: what run_partoken_multistage.py calls.

The stages are the ones that dvc.yaml runs; only the paths differ.
"""

from __future__ import annotations

import datetime
import difflib
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from bioblobs.config.parsing import parse
from bioblobs.config.ranges import plain
from bioblobs.config.reads import Group
from bioblobs.config.schema import Config, Paths, leaf_keys
from bioblobs.errors import BioBlobsError, one_line_errors
from bioblobs.io import write_json, write_text
from bioblobs.sources.source import source_state
from bioblobs.stages import download
from bioblobs.store.packed import open_store

DEFAULT_CONFIG = "params.yaml"
RUN_CONFIG, DONE = "config.yaml", "done.json"
"""In a run's folder: its parameters, and the stages that are done."""


def run(args: Sequence[str]) -> Path:
    """From download to report, with ``key=value`` overrides; the run's folder.

    ``--resume FOLDER`` goes on with a run that was interrupted, with the parameters that it was begun with.
    """
    folder = _folder_to_resume(args)
    flags = ["--config", str(folder / RUN_CONFIG)] if folder else as_flags(args)
    config, _ = parse("BioBlobs multi-stage training", flags)
    if config.train.num_nodes > 1:
        raise BioBlobsError(
            f"train.num_nodes: {config.train.num_nodes}, but this script runs on one machine; "
            "docs/several_devices.md has the commands for several"
        )
    download.run(config, Paths())
    resumed = folder is not None
    folder = folder or new_run_folder(Path("outputs") / "partoken-multistage" / config.data.dataset_name)
    paths = Paths(
        prepared=str(store_path(config)),
        output=str(folder),
        metrics=str(folder / "metrics"),
        plots=str(folder / "plots"),
    )
    print(f"{'going on with' if resumed else 'writing to'} {folder}", flush=True)
    try:
        _prepare(config, paths)
    except BioBlobsError:
        if not resumed:
            folder.rmdir()  # a run that could not begin leaves no folder
        raise
    if not resumed:
        write_text(folder / RUN_CONFIG, yaml.safe_dump(_tree(vars(config)), sort_keys=False))
    try:
        _run_stages(config, paths)
    except BaseException:
        print(f"to go on: python run_partoken_multistage.py --resume {folder}", file=sys.stderr)
        raise
    print(f"done: {folder}")
    return folder


def _run_stages(config: Config, paths: Paths) -> None:
    """Every stage that is not done yet, in order; which are done is kept in the run's folder."""
    from bioblobs.stages import evaluate, faithfulness, init_codebook, interpret, leakage, report

    stages: dict[str, Callable[[], None]] = {
        "leakage between the splits": lambda: leakage.run(config, paths),
        "stage 0: baseline": lambda: _train(0, config, paths),
        "codebook: k-means": lambda: init_codebook.run(config, paths),
        "stage 1: joint fine-tuning": lambda: _train(1, config, paths),
        "evaluation on the test set": lambda: evaluate.run(config, paths),
        "interpretability": lambda: interpret.run(config, paths),
        "faithfulness": lambda: faithfulness.run(config, paths),
        "report": lambda: report.run(config, paths),
    }
    record = Path(paths.output) / DONE
    done = json.loads(record.read_text()) if record.exists() else []
    for title, stage in stages.items():
        if title in done:
            _say(f"{title} (done before)")
            continue
        _say(title)
        stage()
        done.append(title)
        write_json(record, done)


def _train(stage: int, config: Config, paths: Paths) -> None:
    """A training stage: here, or in a process a device, which Lightning starts by the stage's own command."""
    words = ["fit", "--config", str(Path(paths.output) / RUN_CONFIG)]
    words += [f"--paths.{name}={value}" for name, value in vars(paths).items()]
    if config.train.devices > 1:
        source = str(Path(__file__).resolve().parents[2])
        command = [sys.executable, "-m", f"bioblobs.stages.train_stage{stage}", *words]
        if status := subprocess.run(command, env={**os.environ, "PYTHONPATH": source}).returncode:
            sys.exit(status)
        return
    from bioblobs.training.stage import Stage0CLI, Stage1CLI

    (Stage0CLI, Stage1CLI)[stage](words)


def _folder_to_resume(args: Sequence[str]) -> Path | None:
    """The folder that ``--resume`` names.

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


def _tree(values: Any) -> Any:
    """Groups as plain dictionaries."""
    if isinstance(values, Group):
        values = vars(values)
    if isinstance(values, dict):
        return {key: _tree(value) for key, value in values.items()}
    return plain(values)


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
    shaping = [config.data.identity(), source_state(config.data)]
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
        open_store(paths.prepared, config.data.identity()).verify()
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
