"""Run all stages one after the other, without DVC (run_partoken_multistage.py).

The stages are the ones that dvc.yaml runs; only the paths differ.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bioblobs.config.flags import as_flags, as_yaml
from bioblobs.config.parsing import parse
from bioblobs.config.schema import Config, Paths
from bioblobs.errors import BioBlobsError, one_line_errors
from bioblobs.io import write_json, write_text
from bioblobs.stages import download
from bioblobs.stages.run_folder import RUN_CONFIG, folder_to_resume, new_run_folder, store_path
from bioblobs.store.packed import open_store

DONE = "done.json"
"""Stages that are done, in a run's folder."""


def run(args: Sequence[str]) -> Path:
    """Run from download to report with ``key=value`` overrides; return the run's folder.

    ``--resume FOLDER`` goes on with a run that was interrupted, with the parameters that it was begun with.
    """
    folder = folder_to_resume(args)
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
        write_text(folder / RUN_CONFIG, as_yaml(config))
    try:
        _run_stages(config, paths)
    except BaseException:
        print(f"to go on: python run_partoken_multistage.py --resume {folder}", file=sys.stderr)
        raise
    print(f"done: {folder}")
    return folder


def _run_stages(config: Config, paths: Paths) -> None:
    """Run every stage that is not done yet, in order; the run's folder records which are done."""
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
    """Train here, or in one process per device, which Lightning starts by the stage's own command."""
    words = ["fit", "--config", str(Path(paths.output) / RUN_CONFIG)]
    words += [f"--paths.{name}={value}" for name, value in vars(paths).items()]
    if config.train.devices > 1:
        source = str(Path(__file__).resolve().parents[2])
        command = [sys.executable, "-m", "bioblobs.stages", f"train_stage{stage}", *words]
        if status := subprocess.run(command, env={**os.environ, "PYTHONPATH": source}).returncode:
            sys.exit(status)
        return
    from bioblobs.training.stage import Stage0CLI, Stage1CLI

    (Stage0CLI, Stage1CLI)[stage](words)


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


def _say(title: str) -> None:
    print(f"== {title}", flush=True)


def main(args: Sequence[str] | None = None) -> None:
    """Command line of run_partoken_multistage.py."""
    with one_line_errors():
        run(sys.argv[1:] if args is None else args)


if __name__ == "__main__":
    main()
