"""Scores at the edges of their definitions, by hand (mutants that lived once)."""

from __future__ import annotations

import numpy as np
import pytest

from bioblobs.evaluation.scores import (
    fmax,
    macro_scores,
    mean_auroc,
    multi_label_scorer,
    with_intervals,
)


def test_a_term_at_the_threshold_itself_is_predicted() -> None:
    truth, probability = np.array([[True, False]]), np.array([[1.0, 0.995]])
    assert fmax(truth, probability) == 1.0  # at 1.00; both terms at 0.99 would make it 2/3
    halves = multi_label_scorer(truth, np.array([[0.5, 0.0]]))(np.array([0]))
    assert halves["macro_recall"] == 1.0


def test_small_precision_and_recall_count_as_they_are() -> None:
    truth, probability = np.zeros((1, 41), bool), np.zeros((1, 41))
    truth[0, :2] = True
    probability[0, [0, 2, 3, 4]] = 0.9
    assert fmax(truth, probability) == pytest.approx(2 * 0.25 * 0.5 / 0.75)


def test_labels_of_the_model_are_columns_of_zeros_and_ones() -> None:
    """Labels come as float32, of which `&` takes none."""
    truth = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 0]], np.float32)
    probability = np.array([[0.9, 0.4, 0.2], [0.3, 0.8, 0.6], [0.7, 0.1, 0.5]])
    places = np.arange(3)
    assert fmax(truth, probability) == fmax(truth > 0, probability)
    as_bool = multi_label_scorer(truth > 0, probability)(places)
    assert multi_label_scorer(truth, probability)(places) == as_bool


def test_a_class_that_is_never_predicted_has_precision_zero() -> None:
    scores = macro_scores(np.array([0, 1]), np.array([0, 0]))
    assert scores["macro_precision"] == pytest.approx(0.25)  # 1/2 of class 0, 0 of class 1


def test_a_class_of_one_protein_has_its_area() -> None:
    truth = np.array([[True], [False], [False], [False]])
    assert mean_auroc(truth, np.array([[0.5], [0.9], [0.1], [0.2]])) == pytest.approx(2 / 3)


def test_two_proteins_have_an_interval() -> None:
    values = np.array([0.0, 1.0])
    found = with_intervals(lambda places: {"mean": values[places].mean()}, 2, 200, 0)["mean"]
    assert found == {"value": 0.5, "low": 0.0, "high": 1.0}


def test_an_interval_leaves_out_a_fortieth_at_each_end() -> None:
    """Normal approximation of a share of 400: 1.96 standard errors; 3.5 % would be at 1.81."""
    values = np.arange(400) % 2
    found = with_intervals(lambda places: {"mean": values[places].mean()}, 400, 20000, 0)["mean"]
    error = np.sqrt(0.25 / 400)
    assert (0.5 - found["low"]) / error == pytest.approx(1.96, abs=0.06)
    assert (found["high"] - 0.5) / error == pytest.approx(1.96, abs=0.06)


def test_scores_have_six_decimals() -> None:
    assert with_intervals(lambda _: {"third": 1 / 3}, 1, 10, 0)["third"]["value"] == 0.333333
