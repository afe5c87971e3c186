"""The mistakes that a model is surest of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bioblobs.store.batches import Rows
from bioblobs.store.packed import Store

WORST = 10
"""Mistakes in the table."""
UNSEEN = "class unseen in training"


def worst_mistakes(
    store: Store, rows: Rows, chance: NDArray[np.float64], nearest: pd.DataFrame | None
) -> pd.DataFrame:
    """Ten most confident wrong predictions, surest first; equal ones in the order of the store.

    Columns: ``id``, ``length``, ``actual`` and ``predicted`` (class names), ``probability`` of the predicted
    class, ``probability_of_actual`` (empty where training never saw it), and, where the stage ``leakage`` was
    run, what it has of the nearest training chain. Multi-label: terms that a chain does not have, one row
    per chain and term; ``actual`` lists its own terms, ``probability_of_actual`` is the largest of theirs.

    Args:
        rows: (P,) store rows of the test chains.
        chance: (P, C) probabilities.
        nearest: nearest.csv of the stage ``leakage``, by chain id.
    """
    truth, names = np.asarray(store.labels[rows]), np.array(store.class_names)
    if store.multilabel:
        own = truth.astype(bool)
        wrong = (chance >= 0.5) & ~own
    else:
        own = truth[:, None] == np.arange(len(names))
        wrong = (chance.argmax(1)[:, None] == np.arange(len(names))) & ~own
    chain, column = np.nonzero(wrong)
    order = np.argsort(-chance[chain, column], kind="stable")[:WORST]
    ids, lengths = store.table()["id"].to_numpy(str)[rows], store.lengths[rows]
    found: list[dict[str, Any]] = []
    for at, term in zip(chain[order], column[order], strict=True):
        actual = "; ".join(names[own[at]]) or ("none" if store.multilabel else UNSEEN)
        of_actual = round(float(chance[at, own[at]].max()), 6) if own[at].any() else None
        found.append(
            {
                "id": ids[at],
                "length": int(lengths[at]),
                "actual": actual,
                "predicted": names[term],
                "probability": round(float(chance[at, term]), 6),
                "probability_of_actual": of_actual,
            }
        )
    table = pd.DataFrame(
        found, columns=["id", "length", "actual", "predicted", "probability", "probability_of_actual"]
    )
    return table if nearest is None else table.join(nearest.drop(columns=["split"], errors="ignore"), on="id")
