"""Scores of predictions, with bootstrap intervals: P proteins, C classes, T thresholds.

Library metrics, and Fmax, which no library has as CAFA defines it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import DegenerateDataWarning, bootstrap, rankdata
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

THRESHOLDS = np.linspace(0, 1, 101)
"""CAFA's steps of 0.01."""

Scorer = Callable[[NDArray[np.int64]], dict[str, float]]
"""Scores of the proteins at the given places (with repeats, in a bootstrap)."""


def fmax(truth: NDArray[Any], probability: NDArray[Any]) -> float:
    """Protein-centric maximum F-measure (Radivojac et al. 2013; Jiang et al. 2016).

    At a threshold t a term counts as predicted where its probability is at least t. Precision is averaged
    over the proteins with at least one predicted term, recall over all proteins; Fmax is the largest
    harmonic mean over t. Proteins without a true term do not count. (P, C) bool and (P, C) in [0, 1].
    """
    return _fmax(*_precision_recall(truth, probability))


def _precision_recall(
    truth: NDArray[Any], probability: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(P, T) each, by protein and threshold; precision is NaN where nothing is predicted."""
    truth = np.asarray(truth, bool)
    annotated = np.where(truth.any(1), truth.sum(1), np.nan)  # a protein without a term stays NaN
    precision = np.full((len(truth), len(THRESHOLDS)), np.nan)
    recall = np.full_like(precision, np.nan)
    for column, threshold in enumerate(THRESHOLDS):
        predicted = probability >= threshold  # (P, C)
        hits, count = (predicted & truth).sum(1), predicted.sum(1)
        precision[:, column] = np.where(
            (count > 0) & ~np.isnan(annotated), hits / np.maximum(count, 1), np.nan
        )
        recall[:, column] = hits / annotated
    return precision, recall


def _fmax(precision: NDArray[np.float64], recall: NDArray[np.float64]) -> float:
    p, r = _mean_of_defined(precision), _mean_of_defined(recall)  # (T,)
    return float((2 * p * r / np.maximum(p + r, 1e-12)).max())


def _mean_of_defined(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over proteins, NaN left out; 0 where all are."""
    defined = ~np.isnan(values)
    return np.where(defined, values, 0).sum(0) / np.maximum(defined.sum(0), 1)


def single_label_scorer(truth: NDArray[Any], probability: NDArray[Any]) -> Scorer:
    """Accuracy; macro precision, recall, F1; AUROC.

    A protein of a class that training never saw (truth -1) counts as wrong in the accuracy and as a
    negative elsewhere. Macro averages run over the classes that occur among the scored proteins; a class
    that is never predicted has precision 0. AUROC: see :func:`mean_auroc`.

    Args:
        truth: (P,) class index.
        probability: (P, C).
    """
    predicted = probability.argmax(1)
    columns = truth[:, None] == np.arange(probability.shape[1])

    def scores(places: NDArray[np.int64]) -> dict[str, float]:
        t, p = truth[places], predicted[places]
        return {
            "accuracy": float(accuracy_score(t, p)),
            **macro_scores(t, p),
            "auroc": mean_auroc(columns[places], probability[places]),
        }

    return scores


def macro_scores(truth: NDArray[Any], predicted: NDArray[Any]) -> dict[str, float]:
    """Mean precision, recall and F1 over the classes that occur in truth.

    A class that is never predicted has precision 0. Both are class indices (P,), where -1 is no class, or
    (P, C) bool.
    """
    occur = np.flatnonzero(truth.any(0)) if truth.ndim == 2 else np.unique(truth[truth >= 0])
    precision, recall, f1, _ = precision_recall_fscore_support(
        truth, predicted, labels=occur, average="macro", zero_division=0
    )
    return {"macro_precision": float(precision), "macro_recall": float(recall), "macro_f1": float(f1)}


def multi_label_scorer(truth: NDArray[Any], probability: NDArray[Any]) -> Scorer:
    """Fmax; macro precision, recall, F1 at probability 1/2 over the terms that occur; AUROC: (P, C) each."""
    truth = np.asarray(truth, bool)
    predicted = probability >= 0.5
    precision_at, recall_at = _precision_recall(truth, probability)

    def scores(places: NDArray[np.int64]) -> dict[str, float]:
        t = truth[places]
        return {
            "fmax": _fmax(precision_at[places], recall_at[places]),
            **macro_scores(t, predicted[places]),
            "auroc": mean_auroc(t, probability[places]),
        }

    return scores


def mean_auroc(truth: NDArray[np.bool_], probability: NDArray[Any]) -> float:
    """Mean, over the classes that some but not all proteins have, of the area under the ROC curve.

    By the Mann-Whitney statistic of ranks, all classes at once; NaN where no class is left. (P, C) each.
    """
    positive = truth.sum(0)
    defined = (positive > 0) & (positive < len(truth))
    if not defined.any():
        return float("nan")
    truth, positive = truth[:, defined], positive[defined]
    ranks = rankdata(probability[:, defined], axis=0)
    above = (ranks * truth).sum(0) - positive * (positive + 1) / 2
    return float((above / (positive * (len(truth) - positive))).mean())


def with_intervals(scorer: Scorer, proteins: int, resamples: int, seed: int) -> dict[str, Any]:
    """{score: {value, low, high}}: percentile bootstrap 95 % intervals over proteins.

    None where undefined: AUROC of a single class, an interval over one protein. Resamples in which a score
    is undefined do not count for its interval.
    """
    everything = np.arange(proteins)
    value = scorer(everything)
    if proteins < 2:
        return {name: {"value": _number(score), "low": None, "high": None} for name, score in value.items()}

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
        result = bootstrap(
            (everything,),
            lambda places: np.array(list(scorer(places).values())),
            n_resamples=resamples,
            vectorized=False,
            method="percentile",
            rng=np.random.default_rng(seed),
        )
        low, high = np.nanpercentile(result.bootstrap_distribution, [2.5, 97.5], axis=-1)
    return {
        name: {"value": _number(value[name]), "low": _number(start), "high": _number(end)}
        for name, start, end in zip(value, low, high, strict=True)
    }


def _number(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None
