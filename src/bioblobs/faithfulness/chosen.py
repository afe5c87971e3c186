"""Chains on which faithfulness is measured."""

from __future__ import annotations

import numpy as np

from bioblobs.errors import BioBlobsError
from bioblobs.store.batches import Rows
from bioblobs.store.packed import Store


def chosen_rows(store: Store, split: str, most: int | None, seed: int) -> Rows:
    """Return the rows of a split, at most ``most``, drawn by ``seed``.

    Raises:
        BioBlobsError: the split is empty.
    """
    rows = store.rows(split)
    if not len(rows):
        raise BioBlobsError(f"{store.path}: no {split} protein to explain (interpretability.split)")
    if most is None or len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
