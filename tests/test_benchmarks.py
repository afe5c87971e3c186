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
