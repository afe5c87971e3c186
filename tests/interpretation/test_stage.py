"""The stage ``interpret``: its files for every head, on a store of odd chains."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bioblobs
from bioblobs.config.schema import Config, Paths
from bioblobs.interpretation.report_file import Report
from bioblobs.stages import interpret
from inference.test_records import CLASSES, make_store
from tiny_model import tiny_checkpoint

KINDS: dict[str, dict[str, Any]] = {
    "additive": {},
    "additive, several classes": {"multilabel": True},
    "additive, raw blobs": {"raw": True},
    "attention": {"head": "blobs", "blob_view": "context"},
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> Path:
    """Where the stage has run."""
    options = dict(KINDS[kind])
    raw = options.pop("raw", False)
    store = make_store(tmp_path / "store", options.get("multilabel", False))
    monkeypatch.setattr(interpret, "open_store", lambda path, data: store)
    paths = Paths(output=str(tmp_path), metrics=str(tmp_path / "m"), plots=str(tmp_path / "p"))
    path = paths.final_checkpoint(1)
    tiny_checkpoint(path, classes=CLASSES, class_names=CLASSES, **options)
    if raw:
        monkeypatch.setattr(interpret, "load_model", lambda path, classes: _raw(path, classes))
    config = Config()
    config.train.num_threads = 1
    interpret.run(config, paths)
    return tmp_path


def _raw(path: Path, classes: list[str]) -> Any:
    from bioblobs.checkpoints.file import load_model

    model, card = load_model(path, classes)
    model.blob_input = "raw"
    return model, card


def read(folder: Path) -> Report:
    return bioblobs.read_interpretability(folder / "interpretability" / "test_interpretability.json")


def test_the_report_is_read_and_its_sums_are_exact(folder: Path, kind: str) -> None:
    report = read(folder)  # which checks the schema
    wanted = KINDS[kind]
    about = report.content["explanation"]
    assert about["head"] == wanted.get("head", "additive")
    assert about["blob_view"] == wanted.get("blob_view", "alone")
    logits = report.proteins[[f"logit_{label}" for label in CLASSES]].to_numpy()
    if kind == "attention":
        assert about["base"] is None
        assert report.contributions.isna().all(axis=None)
    else:
        total = report.contributions.groupby("protein").sum() + report.base
        np.testing.assert_allclose(total.loc[report.proteins.index], logits, atol=1e-5)
    assert report.proteins["explained"].tolist() == [CLASSES[place] for place in logits.argmax(1)]


def test_the_scorecard_is_there_where_a_code_decides(folder: Path, kind: str) -> None:
    report = read(folder)
    table = pd.read_csv(folder / "interpretability" / "codes.csv").set_index("code")
    if kind in ("attention", "additive, raw blobs"):
        assert report.scorecard.isna().all(axis=None)
        assert "e_c0" not in table.columns
    else:
        rows = report.scorecard.loc[report.blobs["code"]]
        np.testing.assert_allclose(report.contributions, rows, atol=1e-5)
        found = table[[f"e_{label}" for label in CLASSES]]
        np.testing.assert_allclose(found, report.scorecard.loc[table.index], rtol=1e-5)
    for code, argued in report.codes["argues_for"].items():
        evidence = report.scorecard.loc[code]
        assert argued == (evidence.idxmax() if evidence.max() > 0 else None)


def test_headline_numbers_say_how_many_blobs_argue_against(folder: Path, kind: str) -> None:
    report = read(folder)
    found = json.loads((folder / "m" / "interpretability.json").read_text())["importance"]
    if kind == "attention":
        assert found["share_against"] is None
    else:
        assert found["share_against"] == pytest.approx((report.blobs["contribution"] < 0).mean(), abs=1e-5)
    silent = report.blobs.groupby("protein")["importance"].sum() == 0
    assert found["unsupported"] == silent.sum()
