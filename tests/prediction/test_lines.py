"""What predict prints: the model and its score, a loud line where it is no better, one line per chain."""

from __future__ import annotations

from typing import Any

import pytest

from bioblobs.prediction.lines import about_model, ranges


def card(value: float, **changed: Any) -> dict[str, Any]:
    def scored(value: float) -> dict[str, Any]:
        return {"accuracy": {"value": value, "low": value - 0.1, "high": value + 0.1}}

    made = {
        "task": "scop",
        "multilabel": False,
        "classes": ["a", "b"],
        "data": {"source": "sample", "scop_level": "class"},
        "test": scored(value),
        "baselines": {"majority": scored(0.3), "nearest_sequence": scored(0.6)},
    }
    return {**made, **changed}


def test_a_model_is_named_with_its_score_and_best_baseline() -> None:
    line, score = about_model(card(0.9), "models/a.ckpt")
    assert line == "model: models/a.ckpt, SCOP class, 2 classes"
    assert score == "test accuracy 0.900 (0.800 to 1.000); best baseline, nearest sequence: 0.600"


def test_a_model_that_is_no_better_is_called_so_loudly() -> None:
    assert about_model(card(0.6), "a.ckpt")[2].startswith("WARNING: this model is no better than")
    assert len(about_model(card(0.61), "a.ckpt")) == 2


def test_the_calibration_error_is_told_with_what_mends_it() -> None:
    known = card(0.9, calibration={"ece": 0.148, "ece_scaled": 0.0304, "temperature": 0.58})
    assert about_model(known, "a.ckpt")[2] == "calibration error 0.148; 0.030 with --calibrated"
    assert len(about_model(known, "a.ckpt", 0.58)) == 3  # done already: the temperature is told


def test_labels_of_ones_own_are_not_called_scop() -> None:
    own = card(0.9, data={"source": "folder"})
    assert about_model(own, "a.ckpt")[0] == "model: a.ckpt, your labels, 2 classes"
    named = {**own, "task_title": "folds of ours"}
    assert about_model(named, "a.ckpt")[0] == "model: a.ckpt, folds of ours, 2 classes"


def test_a_score_of_few_test_chains_is_called_so() -> None:
    assert about_model(card(0.9, test_proteins=12), "a.ckpt")[2].startswith(
        "WARNING: 12 test chains are too few"
    )
    assert len(about_model(card(0.9, test_proteins=120), "a.ckpt")) == 2


def test_without_scores_nothing_is_claimed() -> None:
    bare = card(0.9)
    del bare["test"], bare["baselines"]
    assert about_model(bare, "a.ckpt") == ["model: a.ckpt, SCOP class, 2 classes"]


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        (["12", "13", "14", "20"], "12-14, 20"),
        (["-1", "0", "1"], "-1-1"),
        (["52", "52A", "53"], "52, 52A, 53"),
        ([], ""),
    ],
)
def test_residues_are_written_in_runs(numbers: list[str], said: str) -> None:
    assert ranges(numbers) == said
