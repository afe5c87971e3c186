"""TM-align (Zhang & Skolnick 2005) by tmtools, and the searches that use it where Foldseek is not installed.

Searches use processes, because TM-align keeps its state in globals: threads of one process would never end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from itertools import chain
from typing import NamedTuple

import numpy as np
import tmtools
from numpy.typing import NDArray
from scipy.cluster.hierarchy import DisjointSet
from tqdm import tqdm

from bioblobs.similarity.hits import Hits
from bioblobs.similarity.threedi import candidates, states
from bioblobs.workers import worker_processes

PER_CHAIN = 10
"""Fewest candidates per chain that are aligned."""
ALIKE = 1.5
"""3Di score per residue from which every pair is a candidate: of those, two in five reach TM-score 0.5."""
SHORTEST = 5
"""Fewest residues that TM-align takes; shorter chains are similar to no other."""
_CHUNK = 8
_REMEDY = "free some memory, then run the stage again"

Pair = tuple[NDArray[np.float32], NDArray[np.float32]]


class Alignment(NamedTuple):
    """Alignment of two chains by TM-align, whatever their sequences.

    Attributes:
        by_first: TM-score over the length of the first chain.
        by_second: TM-score over the length of the second chain.
        rmsd: of the aligned residues, in angstrom.
        aligned: number of aligned residues.
    """

    by_first: float
    by_second: float
    rmsd: float
    aligned: int


def tm_align(first: NDArray[np.floating], second: NDArray[np.floating]) -> Alignment:
    """Align two chains of (L, 3) C-alphas, each of :data:`SHORTEST` residues or more."""
    one, other = (np.ascontiguousarray(xyz, np.float64) for xyz in (first, second))
    result = tmtools.tm_align(one, other, "A" * len(one), "A" * len(other))
    aligned = sum(a != "-" and b != "-" for a, b in zip(result.seqxA, result.seqyA, strict=True))
    return Alignment(result.tm_norm_chain1, result.tm_norm_chain2, result.rmsd, aligned)


def tm_score(pair: Pair) -> tuple[float, float]:
    """Compute the larger of both TM-scores of a pair, and the share of the first chain that is aligned."""
    if min(map(len, pair)) < SHORTEST:
        return 0.0, 0.0
    found = tm_align(*pair)
    return max(found.by_first, found.by_second), found.aligned / len(pair[0])


def _scores(pairs: list[Pair]) -> list[tuple[float, float]]:
    return [tm_score(pair) for pair in pairs]


def _in_chunks(pool: Executor, pairs: list[Pair]) -> Iterator[tuple[float, float]]:
    """Compute :func:`tm_score` of all pairs, in order."""
    chunks = [pairs[start : start + _CHUNK] for start in range(0, len(pairs), _CHUNK)]
    return chain.from_iterable(pool.map(_scores, chunks))


def linked_pairs(ca: Sequence[NDArray[np.float32]], threshold: float, threads: int) -> Hits:
    """Find pairs at TM-score ``threshold`` or more, as many as single linkage needs.

    Candidates come by 3Di states, most alike first; a pair that earlier pairs have joined is not aligned.
    """
    chains = [xyz[np.isfinite(xyz).all(1)] for xyz in ca]
    pairs = candidates([states(xyz) or "X" for xyz in chains], None, PER_CHAIN, ALIKE, threads)
    joined = DisjointSet(range(len(chains)))
    rows: list[tuple[int, int, float, float]] = []
    batch = _CHUNK * 4 * threads
    bar = tqdm(None, "TM-align", len(pairs), unit="pair", mininterval=1)
    with worker_processes(threads, _REMEDY) as pool, bar:
        for start in range(0, len(pairs), batch):
            group = pairs[start : start + batch]
            todo = [(a, b) for a, b, _ in group if not joined.connected(a, b)]
            work = _in_chunks(pool, [(chains[a], chains[b]) for a, b in todo])
            for (a, b), (score, coverage) in zip(todo, work, strict=True):
                if score >= threshold:
                    joined.merge(a, b)
                    rows.append((a, b, score, coverage))
            bar.update(len(group))
    return Hits.of(rows)


def nearest_pairs(
    queries: Sequence[NDArray[np.float32]], targets: Sequence[NDArray[np.float32]], most: int, threads: int
) -> Hits:
    """Compute TM-scores of each query with the ``most`` targets whose 3Di states are most alike."""
    names = [[states(xyz) for xyz in chains] for chains in (queries, targets)]
    pairs = candidates(names[0], names[1], most, np.inf, threads)
    with worker_processes(threads, _REMEDY) as pool:
        work = _in_chunks(pool, [(queries[a], targets[b]) for a, b, _ in pairs])
        scores = list(tqdm(work, "TM-align", len(pairs), unit="pair", mininterval=1))
    return Hits.of((a, b, *score) for (a, b, _), score in zip(pairs, scores, strict=True))
