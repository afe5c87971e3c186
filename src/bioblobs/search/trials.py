"""One trial: a DVC experiment of its own, run beside the workspace, and the score that it reached."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import dvc.api
from dvc.exceptions import DvcException

from bioblobs.errors import BioBlobsError

LAST_STAGE = "train_stage1"
"""Last stage of a trial: the test set is read once, for the trial that is chosen."""
METRICS = "metrics/stage_1.json"
SCORE = "val_monitored"
"""Objective in METRICS: the validation score that chooses the epoch, as ``train.choose_by`` has it."""


def command(name: str, overrides: Sequence[str]) -> list[str]:
    """The command line that makes a trial; anyone can repeat it."""
    settings = [word for override in overrides for word in ("-S", override)]
    return ["dvc", "exp", "run", "--temp", "--name", name, *settings, LAST_STAGE]


def run_trial(name: str, overrides: Sequence[str], log: Path) -> float:
    """Validation score of an experiment with these ``key=value`` overrides; what it prints goes to ``log``.

    Raises:
        BioBlobsError: the experiment failed, with where to read why.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as file:
        done = subprocess.run(command(name, overrides), stdout=file, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise BioBlobsError(f"{name} failed ({_last_error(log)}); {log} has all of it")
    return score(name)


def score(name: str) -> float:
    """Validation score of the experiment ``name``."""
    try:
        return float(dvc.api.metrics_show(METRICS, rev=name)[SCORE])
    except (DvcException, KeyError, TypeError, ValueError, FileNotFoundError) as error:
        raise BioBlobsError(f"{name}: no {SCORE} in {METRICS}") from error


def experiments() -> set[str]:
    """Names of all experiments in the repository."""
    listed = subprocess.run(
        ["dvc", "exp", "list", "--all-commits", "--name-only"], capture_output=True, text=True, check=False
    )
    if listed.returncode:
        raise BioBlobsError(f"dvc exp list failed: {' '.join(listed.stderr.split())}")
    return set(listed.stdout.split())


def _last_error(log: Path) -> str:
    """The last line that says error, in any capitals."""
    lines = log.read_text(errors="replace").replace("\r", "\n").splitlines()
    found = [line.strip() for line in lines if line.lower().lstrip().startswith("error")]
    return found[0] if found else "no error line"
