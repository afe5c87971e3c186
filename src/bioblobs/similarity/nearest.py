"""Nearest training chain of each val and test chain: how much of them a model has seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bioblobs.similarity.hits import Hits

LEVELS = (0.3, 0.5, 0.7, 0.9)
QUANTILES = {"median": 0.5, "q90": 0.9, "q99": 0.99}
BIN = 0.05


@dataclass(frozen=True)
class Nearest:
    """Most similar training chain per query; arrays of :meth:`Hits.best`."""

    target: NDArray[np.int64]
    similarity: NDArray[np.float64]
    coverage: NDArray[np.float64]

    @classmethod
    def of(cls, hits: Hits, queries: Sequence[str], targets: Sequence[str]) -> Nearest:
        """Take the best hits; a training chain of the same sequence counts even if the search missed it."""
        target, similarity, coverage = hits.best(len(queries))
        first = {sequence: place for place, sequence in reversed(list(enumerate(targets)))}
        for place, sequence in enumerate(queries):
            if sequence in first:
                target[place], similarity[place], coverage[place] = first[sequence], 1.0, 1.0
        return cls(target, similarity, coverage)

    def summary(self, rows: NDArray[np.int64]) -> dict[str, Any]:
        """Count, and compute quantiles over some of the queries; a query without a hit counts as 0."""
        values = self.similarity[rows]
        if not len(values):
            return {"proteins": 0}
        return {
            "proteins": len(values),
            "without_match": int((self.target[rows] < 0).sum()),
            "max": round(float(values.max()), 4),
            **{name: round(float(np.quantile(values, at)), 4) for name, at in QUANTILES.items()},
            **{f"share_from_{level:g}": round(float((values >= level).mean()), 4) for level in LEVELS},
        }


def histogram(similarity: NDArray[np.float64], groups: Sequence[str], names: Sequence[str]) -> pd.DataFrame:
    """Compute the share of a group's chains per bin of :data:`BIN` (``similarity``: its start)."""
    starts = np.round(np.arange(0, 1 + BIN / 2, BIN), 2)
    place = np.minimum((similarity / BIN + 1e-9).astype(int), len(starts) - 1)
    of = np.array(groups)
    parts = []
    for name in names:
        counts = np.bincount(place[of == name], minlength=len(starts))
        parts.append(
            pd.DataFrame({"group": name, "similarity": starts, "share": counts / max(counts.sum(), 1)})
        )
    return pd.concat(parts, ignore_index=True)
