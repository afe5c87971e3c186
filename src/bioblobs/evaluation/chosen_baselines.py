"""The baselines that need no training run, by the names of ``evaluation.baselines``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bioblobs.evaluation.baselines import composition_regression, majority
from bioblobs.evaluation.lookup import NEAREST, kmer_regression, nearest_chain
from bioblobs.store.batches import Rows
from bioblobs.store.packed import Store

Baseline = Callable[[Store, Rows, int], NDArray[np.float64]]
FITTED: dict[str, Baseline] = {
    "majority": lambda store, rows, seed: majority(store, rows),
    "composition": composition_regression,
    "kmers": kmer_regression,
}
"""Name -> (P, C) probabilities for rows, from training chains and a seed."""
LOOKED_UP = {name: measure for measure, name in NEAREST.items()}
"""Name -> measure of likeness in nearest.csv of the stage ``leakage``."""


def baseline_probabilities(
    names: Sequence[str], store: Store, rows: Rows, seed: int, nearest: pd.DataFrame | None
) -> dict[str, NDArray[np.float64]]:
    """(P, C) probabilities of each named baseline; look-ups that nearest.csv does not allow are left out."""
    chances = {name: fit(store, rows, seed) for name, fit in FITTED.items() if name in names}
    for name, measure in LOOKED_UP.items():
        column = f"nearest_by_{measure}"
        if name in names and nearest is not None and column in nearest:
            chances[name] = nearest_chain(store, rows, nearest[column])
    return chances
