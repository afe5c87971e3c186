"""Scores against plain loops and scikit-learn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics

from bioblobs.evaluation.scores import (
    fmax,
    mean_auroc,
    multi_label_scorer,
    single_label_scorer,
    with_intervals,
)

PROTEINS, CLASSES = 40, 6
Labelled = tuple[NDArray[np.bool_], NDArray[np.float64]]


def multi_label(seed: int, annotated_only: bool = False) -> Labelled:
    """Truth and probabilities that know something of it; some proteins with nothing predicted above 0.3."""
    rng = np.random.default_rng(seed)
    truth = rng.random((PROTEINS, CLASSES)) < 0.3
    if annotated_only:
        truth[~truth.any(1), 0] = True
    probability = np.clip(0.35 * truth + rng.random(truth.shape) * 0.65, 0, 1)
    probability[::5] *= 0.2
    return truth, probability


def single_label(seed: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, CLASSES, PROTEINS)
    probability = rng.dirichlet(np.ones(CLASSES), PROTEINS) + 0.4 * np.eye(CLASSES)[truth]
    return truth, probability / probability.sum(1, keepdims=True)


def fmax_by_loops(truth: NDArray[np.bool_], probability: NDArray[np.float64]) -> float:
    """CAFA's definition (Radivojac et al. 2013), one protein at a time."""
    best = 0.0
    for step in range(101):
        precisions, recalls = [], []
        for terms, chances in zip(truth, probability, strict=True):
            if not terms.any():
                continue
            predicted = {k for k, chance in enumerate(chances) if chance >= np.linspace(0, 1, 101)[step]}
            hits = len(predicted & set(np.flatnonzero(terms)))
            recalls.append(hits / terms.sum())
            if predicted:
                precisions.append(hits / len(predicted))
        if precisions and (p := np.mean(precisions)) + (r := np.mean(recalls)) > 0:
            best = max(best, 2 * p * r / (p + r))
    return best


# Fmax


@pytest.mark.parametrize("seed", range(5))
def test_fmax_is_cafas(seed: int) -> None:
    truth, probability = multi_label(seed)
    assert (~truth.any(1)).any()  # proteins without a term are in the case
    assert fmax(truth, probability) == pytest.approx(fmax_by_loops(truth, probability))


def test_fmax_precision_counts_only_proteins_with_a_prediction() -> None:
    # One protein predicted perfectly, one not at all: precision 1, recall 1/2. The trap would say 1/2, 1/2.
    truth = np.array([[True, False], [True, False]])
    probability = np.array([[0.9, 0.0], [0.0, 0.0]])
    assert fmax(truth, probability) == pytest.approx(2 * 1 * 0.5 / 1.5)


def test_fmax_runs_from_zero_to_one() -> None:
    truth = np.eye(3, dtype=bool)
    assert fmax(truth, truth.astype(float)) == 1
    assert fmax(truth, np.full((3, 3), 0.4)) == pytest.approx(0.5)  # all or nothing: precision 1/3, recall 1
    assert fmax(np.zeros((3, 3), bool), np.full((3, 3), 0.4)) == 0  # nothing to find


# Single-label


@pytest.mark.parametrize("seed", range(3))
def test_single_label_scores_are_scikit_learns(seed: int) -> None:
    truth, probability = single_label(seed)
    truth[truth == 4] = 3  # a class that never occurs is not averaged over
    predicted, everything = probability.argmax(1), np.arange(PROTEINS)
    scores = single_label_scorer(truth, probability)(everything)
    present = np.unique(truth)
    options = {"labels": present, "average": "macro", "zero_division": 0}
    assert scores["accuracy"] == pytest.approx(metrics.accuracy_score(truth, predicted))
    assert scores["macro_precision"] == pytest.approx(metrics.precision_score(truth, predicted, **options))
    assert scores["macro_recall"] == pytest.approx(metrics.recall_score(truth, predicted, **options))
    assert scores["macro_f1"] == pytest.approx(metrics.f1_score(truth, predicted, **options))
    auroc = np.mean([metrics.roc_auc_score(truth == k, probability[:, k]) for k in present])
    assert scores["auroc"] == pytest.approx(auroc)


def test_a_class_unseen_in_training_counts_as_wrong() -> None:
    truth, probability = single_label(0)
    predicted = probability.argmax(1)
    truth[:10] = -1
    scores = single_label_scorer(truth, probability)(np.arange(PROTEINS))
    assert scores["accuracy"] == pytest.approx((truth == predicted)[10:].sum() / PROTEINS)
    # It is nobody's positive: recall is that of the other proteins, precision pays for it.
    seen = single_label_scorer(truth[10:], probability[10:])(np.arange(PROTEINS - 10))
    assert scores["macro_recall"] == pytest.approx(seen["macro_recall"])
    assert scores["macro_precision"] < seen["macro_precision"]


def test_scores_of_chosen_proteins_are_scores_of_those_proteins() -> None:
    # The bootstrap hands over places with repeats.
    places = np.random.default_rng(1).integers(0, PROTEINS, PROTEINS)
    truth, probability = single_label(1)
    whole = single_label_scorer(truth[places], probability[places])(np.arange(PROTEINS))
    assert single_label_scorer(truth, probability)(places) == pytest.approx(whole)
    labels, probability = multi_label(1)
    several = multi_label_scorer(labels[places], probability[places])(np.arange(PROTEINS))
    assert multi_label_scorer(labels, probability)(places) == pytest.approx(several)


# Multi-label


def test_multi_label_scores_are_scikit_learns_at_one_half() -> None:
    truth, probability = multi_label(2)
    truth[:, 5] = False  # a term that no protein has
    scores = multi_label_scorer(truth, probability)(np.arange(PROTEINS))
    predicted, present = probability >= 0.5, range(5)
    each = [
        metrics.precision_recall_fscore_support(truth[:, k], predicted[:, k], average="binary")
        for k in present
    ]
    assert scores["macro_precision"] == pytest.approx(np.mean([score[0] for score in each]))
    assert scores["macro_recall"] == pytest.approx(np.mean([score[1] for score in each]))
    assert scores["macro_f1"] == pytest.approx(np.mean([score[2] for score in each]))
    assert scores["fmax"] == pytest.approx(fmax_by_loops(truth, probability))
    assert scores["auroc"] == pytest.approx(
        metrics.roc_auc_score(truth[:, :5], probability[:, :5], average="macro")
    )


# AUROC


@pytest.mark.parametrize("decimals", [8, 1])
def test_mean_auroc_is_scikit_learns_with_and_without_ties(decimals: int) -> None:
    truth, probability = multi_label(3)
    probability = probability.round(decimals)
    assert (len(np.unique(probability)) < 15) == (decimals == 1)
    assert mean_auroc(truth, probability) == pytest.approx(metrics.roc_auc_score(truth, probability))


def test_mean_auroc_skips_classes_that_all_or_no_proteins_have() -> None:
    truth, probability = multi_label(4)
    truth[:, 0], truth[:, 1] = True, False
    assert mean_auroc(truth, probability) == pytest.approx(
        metrics.roc_auc_score(truth[:, 2:], probability[:, 2:])
    )
    assert np.isnan(mean_auroc(truth[:, :2], probability[:, :2]))


# Intervals


@pytest.mark.parametrize(
    ("make_scorer", "make_case"), [(single_label_scorer, single_label), (multi_label_scorer, multi_label)]
)
def test_intervals_hold_the_value_and_are_reproducible(
    make_scorer: Callable[..., Callable[..., dict[str, float]]], make_case: Callable[[int], Labelled]
) -> None:
    scorer = make_scorer(*make_case(5))
    first, again, other = (with_intervals(scorer, PROTEINS, 60, seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other
    exact = scorer(np.arange(PROTEINS))
    assert first.keys() == exact.keys()
    for name, score in first.items():
        assert score["value"] == pytest.approx(exact[name], abs=1e-6)
        assert score["low"] < score["value"] < score["high"], name


def test_interval_of_a_share_is_the_binomial_one() -> None:
    # Resampling 100 proteins of which 80 are right: a standard error of 0.04, so 0.8 -+ 1.96 x 0.04.
    right = np.arange(100) < 80
    found = with_intervals(lambda places: {"accuracy": right[places].mean()}, 100, 2000, 0)["accuracy"]
    assert found["value"] == 0.8
    assert (found["low"], found["high"]) == pytest.approx((0.8 - 0.0784, 0.8 + 0.0784), abs=0.02)


def test_an_undefined_score_is_none_not_a_number() -> None:
    # AUROC of a single class; JSON has no NaN.
    truth, probability = np.zeros(8, int), np.tile([[0.8, 0.2]], (8, 1))
    found = with_intervals(single_label_scorer(truth, probability), 8, 50, 0)
    assert found["auroc"] == {"value": None, "low": None, "high": None}
    assert found["accuracy"] == {"value": 1.0, "low": 1.0, "high": 1.0}


def test_one_protein_has_scores_but_no_interval() -> None:
    scorer = single_label_scorer(np.array([1]), np.array([[0.2, 0.8]]))
    scores = with_intervals(scorer, 1, 10, 0)
    assert scores["accuracy"] == {"value": 1.0, "low": None, "high": None}


def test_resamples_without_a_score_leave_the_interval_to_the_others() -> None:
    # One positive among six: about a third of the resamples have none, and no AUROC.
    truth = np.array([1, 0, 0, 0, 0, 0])
    chance = np.column_stack([1 - np.linspace(0.9, 0.1, 6), np.linspace(0.9, 0.1, 6)])
    auroc = with_intervals(single_label_scorer(truth, chance), 6, 200, 0)["auroc"]
    assert auroc == {"value": 1.0, "low": 1.0, "high": 1.0}
