"""Scores by length of the chain and by class."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.stats.proportion import proportion_confint

from bioblobs.evaluation.by_distance import within
from bioblobs.evaluation.scores import Scorer, with_intervals
from bioblobs.store.packed import Store

LENGTHS = (0, 100, 200, 300, 400, 512)
"""Residues above which each group of lengths begins; the last has no upper end."""


def by_length(scorer: Scorer, lengths: NDArray[np.int64], resamples: int, seed: int) -> pd.DataFrame:
    """One row per group of lengths: ``length``, ``chains``, ``score``, its value and bootstrap interval.

    Args:
        scorer: one score over test chains at given places.
        lengths: (P,) residues of each test chain.
    """
    rows: list[dict[str, Any]] = []
    for low, high in itertools.pairwise((*LENGTHS, np.inf)):
        places = np.flatnonzero((lengths > low) & (lengths <= high))
        if len(places):
            title = f"{low + 1} to {high}" if np.isfinite(high) else f"{low + 1} and more"
            found = with_intervals(within(scorer, places), len(places), resamples, seed)
            rows += [
                {"length": title, "chains": len(places), "score": name, **value}
                for name, value in found.items()
            ]
    return pd.DataFrame(rows, columns=["length", "chains", "score", "value", "low", "high"])


def by_class(store: Store, truth: NDArray[Any], chance: NDArray[np.float64]) -> pd.DataFrame:
    """One row per class and score: recall, and precision where the class is predicted at all.

    ``chains`` is what the score is a share of: test chains of the class, or those predicted to be of it
    (multi-label: at probability 1/2). ``training``: training chains of the class. Intervals are Wilson's,
    95 %. Classes without a test chain that are not predicted are left out.
    """
    labels = np.asarray(store.labels[store.rows("train")])
    columns = np.arange(len(store.classes))
    true = np.asarray(truth, bool) if store.multilabel else np.asarray(truth)[:, None] == columns
    said = chance >= 0.5 if store.multilabel else chance.argmax(1)[:, None] == columns
    known = labels.sum(0) if store.multilabel else np.bincount(labels, minlength=len(columns))
    hits = (true & said).sum(0)
    rows: list[dict[str, Any]] = []
    for score, totals in (("recall", true.sum(0)), ("precision", said.sum(0))):
        for column in np.flatnonzero(totals):
            total, right = int(totals[column]), int(hits[column])
            low, high = proportion_confint(right, total, method="wilson")
            rows.append(
                {
                    "class": store.classes[column],
                    "name": store.class_names[column],
                    "training": int(known[column]),
                    "chains": total,
                    "score": score,
                    "value": round(right / total, 6),
                    "low": round(float(low), 6),
                    "high": round(float(high), 6),
                }
            )
    return pd.DataFrame(
        rows, columns=["class", "name", "training", "chains", "score", "value", "low", "high"]
    )
