"""Scores by distance to training: where near relatives were seen, and where none was."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bioblobs.evaluation.scores import Scorer, with_intervals

EDGES = {"identity": (0.0, 0.3, 0.5, 0.9), "tm_score": (0.0, 0.5, 0.7, 0.9)}
"""Measure of likeness to the nearest training chain -> lower edges of its bins; the last ends at 1."""


def by_distance(
    scorers: Mapping[str, Scorer],
    similarity: Mapping[str, NDArray[np.float64]],
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    """One row per measure, bin and predictor: ``chains``, and the score with its bootstrap interval.

    Args:
        scorers: name of a predictor -> its one score over test chains at given places.
        similarity: measure -> (P,) similarity of each test chain to its nearest training chain, 0 for none.
    """
    rows: list[dict[str, Any]] = []
    for measure, values in similarity.items():
        edges = (*EDGES[measure], np.inf)
        for low, high in itertools.pairwise(edges):
            places = np.flatnonzero((values >= low) & (values < high))
            if not len(places):
                continue
            about = {"measure": measure, "bin": f"{low:g} to {min(high, 1):g}", "chains": len(places)}
            for name, scorer in scorers.items():
                found = with_intervals(within(scorer, places), len(places), resamples, seed)
                rows.append({**about, "predictor": name, **next(iter(found.values()))})
    return pd.DataFrame(rows, columns=["measure", "bin", "predictor", "chains", "value", "low", "high"])


def within(scorer: Scorer, places: NDArray[np.int64]) -> Scorer:
    """The scorer over some of its chains."""
    return lambda at: scorer(places[at])
