"""Hits of a search: pairs of similar chains."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Hits:
    """H pairs of a query and a target.

    Attributes:
        query: (H,) index of the query.
        target: (H,) index of the target.
        similarity: (H,) sequence identity or TM-score, 0 to 1.
        coverage: (H,) share of the query's residues that the alignment spans.
    """

    query: NDArray[np.int64]
    target: NDArray[np.int64]
    similarity: NDArray[np.float64]
    coverage: NDArray[np.float64]

    @classmethod
    def of(cls, rows: Iterable[tuple[int, int, float, float]]) -> Hits:
        """Convert rows (query, target, similarity, coverage)."""
        table = np.array(list(rows), np.float64).reshape(-1, 4)
        return cls(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2], table[:, 3])

    def __len__(self) -> int:
        return len(self.query)

    def at_least(self, threshold: float) -> Hits:
        """Keep hits of at least this similarity."""
        keep = self.similarity >= threshold
        return Hits(self.query[keep], self.target[keep], self.similarity[keep], self.coverage[keep])

    def best(self, queries: int) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Find each query's most similar target, its similarity and coverage; -1, 0 and 0 without a hit.

        Of equally similar targets, take the one that covers more, then the first.
        """
        order = np.lexsort((self.target, -self.coverage, -self.similarity, self.query))
        query, first = np.unique(self.query[order], return_index=True)
        chosen = order[first]
        target = np.full(queries, -1, np.int64)
        similarity, coverage = np.zeros(queries), np.zeros(queries)
        target[query] = self.target[chosen]
        similarity[query] = self.similarity[chosen]
        coverage[query] = self.coverage[chosen]
        return target, similarity, coverage
