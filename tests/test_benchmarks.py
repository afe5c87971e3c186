"""The benchmarks run on this code, and the page shows what they left."""

from __future__ import annotations

import json
import sys

import pytest

from conftest import ROOT
from runs import ok, run

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


@pytest.mark.parametrize("variant", [[], ["--bf16"], ["--recompute", "--step-only"]])
def test_a_case_measures_every_part(variant: list[str]) -> None:
    printed = ok(run([sys.executable, "-m", "benchmarks.case", *SMALL, *variant], ROOT, PYTHONPATH="src"))
    found = json.loads(printed.splitlines()[-1])
    parts = (
        {"step"} if "--step-only" in variant else {"step", "encoder", "partitioner", "inference", "graphs"}
    )
    assert set(found["median_s"]) == set(found["least_s"]) == parts
    assert all(0 < found["least_s"][part] <= found["median_s"][part] for part in parts)
    assert found["peak_mib"] >= found["before_mib"] > 0 and 1 <= found["mean_blob"] <= 15


def test_the_page_shows_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks.speed_pictures import PAGE, RESULTS, accuracy, between, table

    text = (ROOT / PAGE).read_text()
    monkeypatch.chdir(ROOT)
    shown = between(text, "speed", table(json.loads(RESULTS.read_text())["sizes"]))
    assert between(shown, "accuracy", accuracy()) == text
