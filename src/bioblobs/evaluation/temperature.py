"""Temperature scaling: one number, fitted on validation chains, that divides a model's logits.

It divides the whole sum of evidence, so that logits stay the sum of the blobs' evidence and the base, each
divided alike, and no prediction changes, only its confidence (Guo et al., ICML 2017). The pipeline's
results keep the logits as they are; ``bioblobs predict --calibrated`` divides them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from torch.nn import functional as F

from bioblobs.evaluation.score_tables import CALIBRATION_BINS
from bioblobs.inference.predict import predictions
from bioblobs.models.bioblobs import BioBlobs
from bioblobs.store.batches import Rows
from bioblobs.store.packed import Store

BOUNDS = (0.05, 20.0)
"""Least and greatest temperature that is looked for."""


def class_logits(model: BioBlobs, store: Store, rows: Rows, title: str) -> NDArray[np.float64]:
    """(P, C) logits of ``rows``; no rows: (0, C)."""
    made = [p.logits.double().numpy() for _, p in predictions(model, store, rows, title)]
    return np.concatenate([np.empty((0, len(store.classes))), *made])


def fit_temperature(logits: NDArray[np.float64], truth: NDArray[Any]) -> float:
    """Temperature of the lowest cross-entropy; 1 where no chain has a known class.

    Args:
        logits: (P, C).
        truth: (P,) class index, -1 for a class unseen in training, which does not count; or (P, C) bool.
    """
    several = truth.ndim == 2
    known = np.ones(len(truth), bool) if several else truth >= 0
    if not known.any():
        return 1.0
    values, labels = torch.from_numpy(logits[known]), torch.from_numpy(np.asarray(truth[known]))

    def loss(log_temperature: float) -> float:
        scaled = values / float(np.exp(log_temperature))
        if several:
            return float(F.binary_cross_entropy_with_logits(scaled, labels.double()))
        return float(F.cross_entropy(scaled, labels.long()))

    found = minimize_scalar(loss, bounds=tuple(np.log(BOUNDS)), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def calibration_error(truth: NDArray[Any], chance: NDArray[np.float64]) -> float:
    """Expected calibration error: mean gap of confidence and share of right predictions, over bins.

    Bins of equal width, weighted by what they hold. Single-label: confidence in the predicted class, one per
    chain; a class unseen in training counts as wrong. Multi-label: the probability of every (chain, term).
    """
    if truth.ndim == 2:
        right, confidence = truth.ravel().astype(float), chance.ravel()
    else:
        right, confidence = (chance.argmax(1) == truth).astype(float), chance.max(1)
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)[1:-1]
    place = np.searchsorted(edges, confidence)  # the bins of the calibration curve
    gap = np.bincount(place, right - confidence)  # sums: the mean of a bin and its weight cancel
    return float(np.abs(gap).sum() / len(confidence))


def without_interval(value: float) -> dict[str, float | None]:
    """Entry of metrics/test.json of a number without an interval.

    A bootstrap interval of a calibration error would lie above the value: resampling adds to every gap.
    """
    return {"value": round(value, 6), "low": None, "high": None}
