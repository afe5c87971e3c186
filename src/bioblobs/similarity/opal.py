"""Exhaustive Smith-Waterman alignment by pyopal (SIMD), of sequences and of 3Di states.

Opal: Šošić, https://github.com/Martinsos/opal; pyopal: Larralde, https://github.com/althonos/pyopal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import pyopal
from numpy.typing import NDArray
from tqdm import tqdm

from bioblobs.similarity.hits import Hits

Result = TypeVar("Result")
GAP_OPEN, GAP_EXTEND = 11, 1
LAMBDA, K = 0.267, 0.041
"""Karlin-Altschul parameters of BLOSUM62 with gap costs 11 and 1 (NCBI BLAST's table)."""


class Targets:
    """Sequences that queries are aligned with.

    Args:
        sequences: in the letters of the matrix.
        matrix: name of a substitution matrix of pyopal: "BLOSUM62", "3DI".
    """

    def __init__(self, sequences: Sequence[str], matrix: str, gap_open: int, gap_extend: int) -> None:
        self.aligner = pyopal.Aligner(matrix, gap_open=gap_open, gap_extend=gap_extend)
        self.database = pyopal.Database(sequences, self.aligner.alphabet)
        self.lengths = np.array([len(sequence) for sequence in sequences])

    def scores(self, query: str, start: int = 0) -> NDArray[np.float64]:
        """Compute the best local score with each target from ``start`` on."""
        if start >= len(self.lengths):
            return np.zeros(0)
        results = self.aligner.align(query, self.database, mode="score", start=start)
        scores = np.zeros(len(self.lengths) - start)
        scores[[result.target_index - start for result in results]] = [result.score for result in results]
        return scores

    def align(self, query: str, chosen: Sequence[int]) -> list[Any]:
        """Align with the chosen targets, residue by residue."""
        return list(self.aligner.align(query, self.database.extract(chosen), mode="full")) if chosen else []


def in_threads(function: Callable[[int], Result], count: int, title: str, threads: int) -> Iterator[Result]:
    """Yield ``function`` of 0, 1, ... in order, with a progress bar; pyopal frees the interpreter."""
    with ThreadPoolExecutor(threads) as pool:
        yield from tqdm(pool.map(function, range(count)), title, count, unit="protein", mininterval=1)


def search(queries: Sequence[str], targets: Sequence[str] | None, max_evalue: float, threads: int) -> Hits:
    """Find every significant local alignment of queries with targets; None: with one another.

    All pairs are scored first; only significant ones are aligned in full. Among the queries themselves each
    pair comes once, query < target.
    """
    within = targets is None
    compared = Targets(queries if targets is None else targets, "BLOSUM62", GAP_OPEN, GAP_EXTEND)
    residues = int(compared.lengths.sum())

    def hits_of(place: int) -> list[tuple[int, int, float, float]]:
        query = queries[place]
        start = place + 1 if within else 0
        least = significant_score(len(query), residues, max_evalue)
        found = (start + np.flatnonzero(compared.scores(query, start) >= least)).tolist()
        return [
            (
                place,
                target,
                alignment.alignment.count("M") / min(len(query), int(compared.lengths[target])),
                alignment.coverage("query"),
            )
            for target, alignment in zip(found, compared.align(query, found), strict=True)
        ]

    return Hits.of(hit for hits in in_threads(hits_of, len(queries), "align", threads) for hit in hits)


def significant_score(length: int, residues: int, max_evalue: float) -> float:
    """Compute the least raw score with E = K m n exp(-lambda S) <= ``max_evalue`` (Karlin & Altschul 1990).

    m residues of the query against n of all targets.
    """
    return math.log(K * length * residues / max_evalue) / LAMBDA
