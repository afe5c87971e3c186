"""The search itself, with a score that needs no training."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bioblobs.errors import BioBlobsError
from bioblobs.search import trials
from bioblobs.search.__main__ import open_study, report, search
from bioblobs.search.space import Dimension
from bioblobs.search.trials import command

SPACE = [
    Dimension("model.k_hop", "int", 1, 9),
    Dimension("model.pooling", "choice", choices=("max", "mean")),
]


def score(name: str, overrides: Sequence[str], log: Path) -> float:
    """Best at k_hop 5; every k_hop of 1 fails."""
    hops = int(dict(word.split("=") for word in overrides)["model.k_hop"])
    if hops == 1:
        raise BioBlobsError(f"{name} failed")
    return 1 / (1 + abs(hops - 5))


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_it_finds_the_best_and_goes_on_where_it_stopped() -> None:
    search(open_study("s", 0, set()), SPACE, ["train.seed=1"], 10, score)
    study = open_study("s", 0, {"s-000"})  # as a second call would
    search(study, SPACE, ["train.seed=1"], 25, score)
    assert [trial.user_attrs["experiment"] for trial in study.trials] == [f"s-{n:03d}" for n in range(25)]
    assert all(trial.user_attrs["overrides"][0] == "train.seed=1" for trial in study.trials)
    assert study.best_value == 1
    best = report(study).splitlines()[1]
    assert "model.k_hop=5" in best
    assert report(study).splitlines()[-1] == f"take the best: dvc exp apply {best.split()[1]} && dvc repro"


def test_the_same_seed_proposes_the_same() -> None:
    proposals = []
    for name in ("a", "b"):
        study = open_study(name, 3, set())
        search(study, SPACE, [], 6, score)
        proposals.append([trial.params for trial in study.trials])
    assert proposals[0] == proposals[1]


def test_a_failed_trial_is_recorded_and_the_search_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    study = open_study("f", 0, set())
    only = [Dimension("model.k_hop", "int", 1, 2)]
    search(study, only, [], 12, score)
    states = {trial.state.name for trial in study.trials}
    assert states == {"COMPLETE", "FAIL"}
    assert " failed" in capsys.readouterr().out
    assert "fail  f-" in report(study)


def test_a_search_that_only_failed_says_so() -> None:
    study = open_study("n", 0, set())
    search(study, [Dimension("model.k_hop", "choice", choices=("1",))], [], 2, score)
    with pytest.raises(BioBlobsError, match="no trial of n"):
        report(study)


def test_a_trial_stopped_by_hand_is_not_left_running() -> None:
    def stopped(name: str, overrides: Sequence[str], log: Path) -> float:
        raise KeyboardInterrupt

    study = open_study("k", 0, set())
    with pytest.raises(KeyboardInterrupt):
        search(study, SPACE, [], 3, stopped)
    assert [trial.state.name for trial in study.trials] == ["FAIL"]


def test_experiments_of_an_earlier_search_are_not_met() -> None:
    with pytest.raises(BioBlobsError, match="old-000: an experiment of an earlier search"):
        open_study("old", 0, {"old-000", "other"})


def test_a_study_of_another_objective_is_not_gone_on_with() -> None:
    study = open_study("o", 0, set())
    search(study, SPACE, [], 1, score)
    open_study("o", 0, set())
    study.set_user_attr("objective", "val_score")
    with pytest.raises(BioBlobsError, match="study o: its trials were not scored by val_monitored"):
        open_study("o", 0, set())


def test_without_optuna_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(BioBlobsError, match="needs Optuna"):
        open_study("s", 0, set())


def test_a_trial_ends_before_the_test_set_is_read() -> None:
    assert command("t", ["model.k_hop=2"]) == [
        "dvc", "exp", "run", "--temp", "--name", "t", "-S", "model.k_hop=2", "train_stage1",
    ]  # fmt: skip


def test_a_trial_is_scored_by_stage_1_on_validation_chains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And ends before any stage reads the test set."""
    metrics = {
        "metrics/stage_0.json": {"val_monitored": 0.6},
        "metrics/stage_1.json": {"val_monitored": 0.7, "val_score": 0.8},
    }
    asked: list[list[str]] = []

    def ran(words: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        asked.append(words)
        return subprocess.CompletedProcess(words, 0)

    monkeypatch.setattr(trials.subprocess, "run", ran)
    monkeypatch.setattr(
        trials.dvc.api, "metrics_show", lambda path, rev: metrics[path] if rev == "t1" else {}
    )
    assert trials.run_trial("t1", ["model.k_hop=3"], tmp_path / "logs" / "t1.txt") == 0.7
    assert asked == [command("t1", ["model.k_hop=3"])] and asked[0][-1] == "train_stage1"
    with pytest.raises(BioBlobsError, match=r"t2: no val_monitored in metrics/stage_1\.json"):
        trials.score("t2")


def test_a_trial_that_fails_says_where_to_read_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ran(words: list[str], stdout: Any, **_: Any) -> subprocess.CompletedProcess[str]:
        stdout.write("x\nERROR: no such key\n")
        return subprocess.CompletedProcess(words, 1)

    monkeypatch.setattr(trials.subprocess, "run", ran)
    with pytest.raises(BioBlobsError, match=r"t1 failed \(ERROR: no such key\); .*t1\.txt has all of it"):
        trials.run_trial("t1", [], tmp_path / "t1.txt")
