"""Scores of a single-label or a multi-label task."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioblobs.evaluation.scores import Scorer, fmax, multi_label_scorer, single_label_scorer
from bioblobs.store.packed import Store


def headline(store: Store) -> str:
    """Name of the score that a task is known by."""
    return "fmax" if store.multilabel else "accuracy"


def scorer(store: Store, truth: NDArray[Any], chance: NDArray[np.float64]) -> Scorer:
    """Make the scorer of a task from labels and class probabilities."""
    return (multi_label_scorer if store.multilabel else single_label_scorer)(truth, chance)


def headline_scorer(store: Store, truth: NDArray[Any], chance: NDArray[np.float64]) -> Scorer:
    """Return the scorer of the headline score alone, for scores in many bins."""
    if store.multilabel:
        return lambda places: {"fmax": fmax(truth[places], chance[places])}
    right = chance.argmax(1) == truth
    return lambda places: {"accuracy": float(right[places].mean())}
