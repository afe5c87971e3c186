"""The stages in order, for the pipeline without DVC; a run's folder records which are done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from bioblobs.config.schema import Config, Paths
from bioblobs.errors import BioBlobsError
from bioblobs.io import write_json
from bioblobs.stages.run_folder import RUN_CONFIG
from bioblobs.store.packed import open_store

DONE = "done.json"
"""Stages that are done, in a run's folder."""


def run_stages(config: Config, paths: Paths) -> None:
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


def prepare_once(config: Config, paths: Paths) -> None:
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
