"""The benchmarks run on this code, and the page shows what they left."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT
from runs import run

SMALL = [
    "--proteins",
    "2",
    "--length",
    "20",
    "--k",
    "5",
    "--width",
    "8",
    "4",
    "--codes",
    "8",
    "--repeats",
    "1",
]


def measured(*words: str) -> dict[str, Any]:
    """What a benchmark prints on its last line."""
    done = run([sys.executable, *words], ROOT, PYTHONPATH="src")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("variant", [[], ["--bf16"], ["--no-compiler", "--recompute", "--step-only"]])
def test_a_case_measures_every_part(variant: list[str]) -> None:
    found = measured("-m", "benchmarks.case", *SMALL, *variant)
    parts = (
        {"step"} if "--step-only" in variant else {"step", "encoder", "partitioner", "inference", "graphs"}
    )
    assert set(found["median_s"]) == set(found["least_s"]) == parts
    assert all(0 < found["least_s"][part] <= found["median_s"][part] for part in parts)
    assert found["peak_mib"] >= found["before_mib"] > 0 and 1 <= found["mean_blob"] <= 15


def test_the_page_shows_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks.speed_pictures import PAGE, RESULTS, accuracy, busy, table

    from marked import between

    text = (ROOT / PAGE).read_text()
    monkeypatch.chdir(ROOT)
    shown = between(text, "speed", table(json.loads(RESULTS.read_text())["sizes"]))
    assert between(between(shown, "busy", busy()), "accuracy", accuracy()) == text


def test_preparing_and_opening_a_simulated_corpus_are_measured(tmp_path: Path) -> None:
    rest = ["--scales", "1", "--folder", str(tmp_path / "store"), "--workers", "1"]
    made, opened = (
        measured("benchmarks/data_scaling.py", "--measure", what, *rest)
        for what in ("prepare", "first_batch")
    )
    assert made["chains"] == 1000 and made["chains_per_second"] > 0
    assert 0 < opened["open_seconds"] < opened["first_batch_seconds"]


def test_what_was_tried_is_read_of_its_curve_and_kept_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks import choices

    (tmp_path / "stage_0").mkdir()
    (tmp_path / "metrics").mkdir()
    head = "epoch,train_cls,val_acc,val_macro_recall,val_cls,val_blob_size,val_coverage"
    epochs = ["0,2.0,0.5,0.3,1.9,20,0.9", "1,1.5,0.8,0.4,1.2,21,0.91", "2,1.0,0.7,0.6,1.4,22,0.92"]
    epochs.append("3,0.9,0.6,0.5,1.1,23,0.93")
    (tmp_path / "stage_0" / "metrics.csv").write_text("\n".join([head, *epochs]))
    (tmp_path / "metrics" / "stage_0.json").write_text('{"best_epoch": 2}')
    monkeypatch.setattr(choices, "RESULTS", tmp_path / "choices.json")
    words = ["first", "--stages", "1", "--of", str(tmp_path), "--code", "abc", "--train.seed=3"]
    choices.main(words)
    (row,) = json.loads((tmp_path / "choices.json").read_text())
    stage = row.pop("stage_0")
    assert row == {"name": "first", "code": "abc", "config": "params.yaml", "arguments": ["--train.seed=3"]}
    chosen = stage.pop("if_chosen_by")
    assert {by: found["val_acc"] for by, found in chosen.items()} == {
        "score": 0.8,
        "macro_recall": 0.7,
        "loss": 0.6,
    }
    assert stage == {
        "epochs": 4,
        "best_epoch": 2,
        "val_acc": 0.7,
        "val_macro_recall": 0.6,
        "val_acc_last_3": 0.7,
        "train_cls": 1.0,
        "val_cls": 1.4,
        "val_cls_least": 1.1,
        "blob_size": 22,
        "coverage": 0.92,
        "val_acc_by_epoch": {},
    }
    with pytest.raises(SystemExit):
        choices.main(words)
    assert "has a run of this name" in capsys.readouterr().err
