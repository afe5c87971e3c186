"""Calibrated predictions: every logit and its parts divided by the temperature on the model's card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from bioblobs.checkpoints.card import completed_card
from bioblobs.checkpoints.file import load_model
from bioblobs.cli import main
from bioblobs.errors import BioBlobsError
from bioblobs.prediction.model import load
from bioblobs.store.packed import Store
from structure_files import DATA
from tiny_model import tiny_checkpoint

TEMPERATURE = 0.5
CALIBRATION = {"temperature": TEMPERATURE, "ece": 0.2, "ece_scaled": 0.04}
STRUCTURE = DATA / "break.pdb"


def ended(words: list[str]) -> int | str | None:
    """Status of a command."""
    with pytest.raises(SystemExit) as end:
        main(words)
    return end.value.code


@pytest.mark.parametrize("multilabel", [False, True])
@pytest.mark.parametrize("head", ["additive", "full"])
def test_logits_and_what_they_are_made_of_are_divided_and_nothing_else_changes(
    tmp_path: Path, head: Literal["additive", "full"], multilabel: bool
) -> None:
    path = tiny_checkpoint(tmp_path / "m.ckpt", multilabel, head=head, calibration=CALIBRATION)
    plain, calibrated = load(path, "cpu"), load(path, "cpu", calibrated=True)
    assert (plain.temperature, calibrated.temperature) == (None, TEMPERATURE)
    if head == "additive":
        for name, value in plain.explanation["base"].items():
            assert calibrated.explanation["base"][name] == pytest.approx(value / TEMPERATURE, abs=2e-6)
    for before, after in zip(plain.predict(STRUCTURE), calibrated.predict(STRUCTURE), strict=True):
        logits = np.array(list(before.logits.values())) / TEMPERATURE
        assert list(after.logits.values()) == pytest.approx(logits, abs=2e-5)
        chances = 1 / (1 + np.exp(-logits)) if multilabel else np.exp(logits) / np.exp(logits).sum()
        assert list(after.probabilities.values()) == pytest.approx(chances, abs=2e-5)
        assert after.explained == before.explained
        assert after.predicted == before.predicted
        for one, other in zip(before.blobs, after.blobs, strict=True):
            assert (one.residues, one.rank, one.code) == (other.residues, other.rank, other.code)
            assert other.importance == pytest.approx(one.importance, abs=1e-5)
            if one.contributions is not None:
                scaled = [value / TEMPERATURE for value in one.contributions.values()]
                assert list(other.contributions.values()) == pytest.approx(scaled, abs=2e-5)


def test_the_file_says_what_its_logits_were_divided_by(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tiny_checkpoint(tmp_path / "m.ckpt", calibration=CALIBRATION))
    for words, temperature in (([], None), (["--calibrated"], TEMPERATURE)):
        assert ended(["predict", path, str(STRUCTURE), "--json", *words]) == 0
        assert json.loads(capsys.readouterr().out)["model"]["temperature"] == temperature
    out = str(tmp_path / "out")
    assert ended(["predict", path, str(STRUCTURE), "--out", out, "--calibrated"]) == 0
    assert "divided by the temperature 0.500" in capsys.readouterr().out
    assert ended(["card", path]) == 0
    assert "Calibration error" not in capsys.readouterr().out  # nor any score: not tested


def test_a_model_without_a_temperature_is_refused(tmp_path: Path) -> None:
    path = tiny_checkpoint(tmp_path / "m.ckpt")
    with pytest.raises(BioBlobsError, match=r"m.ckpt: can't be calibrated: .*run evaluate again"):
        load(path, calibrated=True)


def test_evaluate_puts_the_temperature_and_both_errors_on_the_card(
    sample_store: Store, tmp_path: Path
) -> None:
    def alone(value: float) -> dict[str, Any]:
        return {"value": value, "low": None, "high": None}

    _, card = load_model(tiny_checkpoint(tmp_path / "m.ckpt"))
    classes = {"classes": sample_store.classes, "class_names": sample_store.class_names}
    scores = {
        "stage1": {"accuracy": alone(0.9), "ece": alone(0.2)},
        "stage1_scaled": {"ece": alone(0.04), "temperature": alone(TEMPERATURE)},
    }
    made = completed_card({**card, **classes}, sample_store, scores)
    assert made["calibration"] == CALIBRATION
    path = tiny_checkpoint(
        tmp_path / "final.ckpt", **{key: made[key] for key in ("calibration", "test")}, test_proteins=99
    )
    assert (
        "Calibration error 0.200; 0.040 with logits divided by the temperature 0.500" in load(path).describe()
    )
