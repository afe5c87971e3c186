"""Tables behind the plots of the test set: confusion, calibration, scores with intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve

from bioblobs.store.packed import Store

CALIBRATION_BINS = 10


def confusion(store: Store, truth: NDArray[Any], chance: NDArray[np.float64]) -> pd.DataFrame:
    """Actual and predicted class name, one row per test protein (multi-label: per protein and true term)."""
    names = np.array([*store.class_names, "class unseen in training"])
    if not store.multilabel:
        return pd.DataFrame({"actual": names[truth], "predicted": names[chance.argmax(1)]})
    protein, term = np.nonzero(truth)
    found = chance[protein, term] >= 0.5
    return pd.DataFrame({"actual": names[term], "predicted": np.where(found, names[term], "not predicted")})


def calibrations(store: Store, truth: NDArray[Any], chances: dict[str, NDArray[np.float64]]) -> pd.DataFrame:
    """Calibration of several predictors in one table; ``group`` names the predictor."""
    curves = {name: calibration(store, truth, chance) for name, chance in chances.items()}
    return pd.concat(curves, names=["group"]).reset_index("group")


def calibration(store: Store, truth: NDArray[Any], chance: NDArray[np.float64]) -> pd.DataFrame:
    """Mean confidence and observed share of right predictions, in bins of equal width.

    Single-label: of the predicted class. Multi-label: of every (protein, term).
    """
    if store.multilabel:
        right, confidence = truth.ravel().astype(int), chance.ravel()
    else:
        right, confidence = (chance.argmax(1) == truth).astype(int), chance.max(1)
    observed, mean = calibration_curve(right, confidence, n_bins=CALIBRATION_BINS)
    return pd.DataFrame({"confidence": mean, "observed": observed})


def score_table(scores: dict[str, Any]) -> pd.DataFrame:
    """Scores with intervals, one row per predictor and score."""
    return pd.DataFrame(
        [
            {"predictor": name, "score": score, **interval}
            for name, values in scores.items()
            for score, interval in values.items()
            if interval["value"] is not None
        ]
    )
