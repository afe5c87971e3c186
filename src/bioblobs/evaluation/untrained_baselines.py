"""Baselines that need no training run, by the names of ``evaluation.baselines``.

``majority`` and ``composition`` see no structure, ``kmers`` counts words of three residues, and a look-up
takes the class of the nearest training chain.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from bioblobs.errors import BioBlobsError
from bioblobs.proteins.alphabet import SYMBOLS, composition
from bioblobs.store.batches import Rows
from bioblobs.store.packed import Store

Baseline = Callable[[Store, Rows, int], NDArray[np.float64]]
NEAREST = {"identity": "nearest_sequence", "tm_score": "nearest_structure"}
"""Measure of likeness in nearest.csv of the stage ``leakage`` -> baseline that it makes."""
K = 3
"""Length of the words that k-mer counts are of."""
STRENGTH = 30.0
"""Inverse regularisation of the 3-mer regression, for rows of length one (C of scikit-learn)."""


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


def nearest_chain(store: Store, rows: Rows, nearest: pd.Series) -> NDArray[np.float64]:
    """(P, C) class of the nearest training chain; class frequencies of training where there is none.

    Args:
        nearest: id of a chain -> id of the training chain most like it, empty for none (``leakage``).
    """
    ids = store.table()["id"].to_numpy(str)
    place = {name: row for row, name in enumerate(ids)}
    known = [place.get(str(nearest.get(name, "")), -1) for name in ids[rows]]
    chance = majority(store, rows)
    for at, row in enumerate(known):
        if row >= 0:
            chance[at] = (
                store.labels[row] if store.multilabel else np.eye(len(store.classes))[store.labels[row]]
            )
    return chance


def kmer_regression(store: Store, rows: Rows, seed: int) -> NDArray[np.float64]:
    """(P, C) probabilities of a logistic regression on 3-mer counts, fitted on training proteins."""
    train = store.rows("train")
    # To the optimum, and so the same on any number of threads: the default solver stops some digits before.
    regression: Any = LogisticRegression(C=STRENGTH, solver="newton-cg", tol=1e-6, random_state=seed)
    if store.multilabel:
        regression = OneVsRestClassifier(regression)
    model = make_pipeline(Normalizer(), regression)
    model.fit(kmer_counts(store, train), np.asarray(store.labels[train]))
    return np.asarray(model.predict_proba(kmer_counts(store, rows)))


def kmer_counts(store: Store, rows: Rows) -> csr_array:
    """(P, 21^3) counts of each word of three residues; chains of one or two residues have none."""
    words, owners = [], []
    powers = len(SYMBOLS) ** np.arange(K)
    for at, row in enumerate(rows):
        types = np.asarray(store.residue_types[store.offsets[row] : store.offsets[row + 1]], np.int64)
        if len(types) >= K:
            found = np.lib.stride_tricks.sliding_window_view(types, K) @ powers
            words.append(found)
            owners.append(np.full(len(found), at))
    shape = (len(rows), len(SYMBOLS) ** K)
    if not words:
        return csr_array(shape)
    columns = np.concatenate(words)
    return csr_array((np.ones(len(columns)), (np.concatenate(owners), columns)), shape=shape)


FITTED: dict[str, Baseline] = {
    "majority": lambda store, rows, seed: majority(store, rows),
    "composition": composition_regression,
    "kmers": kmer_regression,
}
"""Name -> (P, C) probabilities for rows, from training chains and a seed."""


def baseline_probabilities(
    names: Sequence[str], store: Store, rows: Rows, seed: int, nearest: pd.DataFrame | None
) -> dict[str, NDArray[np.float64]]:
    """(P, C) probabilities of each named baseline that needs no training.

    Look-ups that nearest.csv does not allow are left out (:func:`left_out`).
    """
    chances = {name: fit(store, rows, seed) for name, fit in FITTED.items() if name in names}
    for measure, name in NEAREST.items():
        column = f"nearest_by_{measure}"
        if name in names and nearest is not None and column in nearest:
            chances[name] = nearest_chain(store, rows, nearest[column])
    return chances


def left_out(names: Sequence[str], made: Collection[str]) -> str | None:
    """Say which of the named look-ups could not be made; None if all were."""
    missing = [name for name in NEAREST.values() if name in names and name not in made]
    if not missing:
        return None
    by_structure = missing == [NEAREST["tm_score"]]
    why = "leakage.structure_hits is 0" if by_structure else "run the stage leakage first"
    return f"left out: {' and '.join(missing)} ({why})"


def read_nearest(path: Path) -> pd.DataFrame | None:
    """Read nearest.csv of the stage ``leakage``, by chain id; None if it was not run."""
    if not path.is_file():
        return None
    try:
        return pd.read_csv(path, dtype={"id": str}, keep_default_na=False).set_index("id")
    except (KeyError, ValueError) as error:
        raise BioBlobsError(f"{path}: not a table with a column id; run leakage again") from error


def similarities(store: Store, rows: Rows, nearest: pd.DataFrame | None) -> dict[str, NDArray[np.float64]]:
    """Measure -> (P,) similarity of each chain to its nearest training chain."""
    if nearest is None:
        return {}
    ids = store.table()["id"].to_numpy(str)[rows]
    known = [measure for measure in NEAREST if measure in nearest]
    return {measure: nearest[measure].reindex(ids).fillna(0).to_numpy(float) for measure in known}
