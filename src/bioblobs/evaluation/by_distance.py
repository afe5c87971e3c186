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
    score: str,
    similarity: Mapping[str, NDArray[np.float64]],
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    """One row per measure, bin and predictor: ``chains``, and the score with its bootstrap interval.

    Args:
        scorers: name of a predictor -> its scores over test chains at given places.
        score: name of the score.
        similarity: measure -> (P,) similarity of each test chain to its nearest training chain, 0 for none.
    """
    rows: list[dict[str, Any]] = []
    for measure, values in similarity.items():
        edges = (*EDGES[measure], np.inf)
        for low, high in itertools.pairwise(edges):
            places = np.flatnonzero((values >= low) & (values < high))
            if not len(places):
                continue
            for name, scorer in scorers.items():
                found = with_intervals(
                    lambda at, scorer=scorer, places=places: {score: scorer(places[at])[score]},  # type: ignore[misc]
                    len(places),
                    resamples,
                    seed,
                )[score]
                bin_name = f"{low:g} to {min(high, 1):g}"
                rows.append(
                    {"measure": measure, "bin": bin_name, "predictor": name, "chains": len(places), **found}
                )
    return pd.DataFrame(rows, columns=["measure", "bin", "predictor", "chains", "value", "low", "high"])
