"""Baselines that see no structure."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bioblobs.proteins.alphabet import composition
from bioblobs.store.batches import Rows
from bioblobs.store.packed import Store


def majority(store: Store, rows: Rows) -> NDArray[np.float64]:
    """(P, C) class frequencies among training proteins, the same for every protein."""
    labels = np.asarray(store.labels[store.rows("train")])
    if store.multilabel:
        frequency = labels.mean(0)
    else:
        frequency = np.bincount(labels, minlength=len(store.classes)) / len(labels)
    return np.tile(frequency, (len(rows), 1))


def composition_regression(store: Store, rows: Rows, seed: int) -> NDArray[np.float64]:
    """(P, C) probabilities of a logistic regression on amino-acid composition and log length.

    Fitted on training proteins, features standardised on them.
    """
    train = store.rows("train")
    labels = np.asarray(store.labels[train])
    regression: Any = LogisticRegression(max_iter=2000, random_state=seed)
    if store.multilabel:
        regression = OneVsRestClassifier(regression)
    model = make_pipeline(StandardScaler(), regression)
    with warnings.catch_warnings():
        # A term that every training protein has is predicted for every protein, as it should be.
        warnings.filterwarnings("ignore", "Label .* is present in all", UserWarning)
        model.fit(sequence_features(store, train), labels)
    return np.asarray(model.predict_proba(sequence_features(store, rows)))


def sequence_features(store: Store, rows: Rows) -> NDArray[np.float64]:
    """(P, 22): share of each residue symbol, and the logarithm of the length."""
    spans = [(store.offsets[row], store.offsets[row + 1]) for row in rows]
    shares = [composition(store.residue_types[start:end]) for start, end in spans]
    return np.column_stack([np.array(shares), np.log([end - start for start, end in spans])])
