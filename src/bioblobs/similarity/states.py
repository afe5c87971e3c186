"""Structure as a sequence of 3Di states, and which chains share them: the prefilter before TM-align."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyopal
from biotite.structure.alphabet import I3DSequence
from biotite.structure.alphabet.encoder import Encoder
from numpy.typing import NDArray
from tqdm import tqdm

GAP_OPEN, GAP_EXTEND = 10, 1
_BOND_N, _BOND_C = 1.46, 1.52
"""CA-N and CA-C bond lengths in angstrom."""


def states(ca: NDArray[np.floating]) -> str:
    """3Di states (van Kempen et al. 2024) of a chain of (L, 3) C-alphas, L letters.

    The states need N and C atoms as well; they are put on the lines to the neighbouring C-alphas, which
    leaves four states in five as they are (docs/splits.md): enough to find candidates.
    """
    xyz = np.asarray(ca, np.float64)
    if len(xyz) < 3:
        return "D" * len(xyz)
    steps = np.diff(xyz, axis=0)
    steps /= np.linalg.norm(steps, axis=1, keepdims=True) + 1e-9
    before, after = np.vstack([steps[:1], steps]), np.vstack([steps, steps[-1:]])
    unknown = np.full_like(xyz, np.nan)
    sequence = I3DSequence()
    sequence.code = Encoder().encode(xyz, unknown, xyz - _BOND_N * before, xyz + _BOND_C * after).filled()
    return str(sequence).upper()


def candidates(
    queries: Sequence[str], targets: Sequence[str] | None, most: int, alike: float, threads: int
) -> list[tuple[int, int, float]]:
    """(query, target, score) of the ``most`` best targets of each query, and of all that score ``alike``.

    The score is that of the best local alignment (Foldseek's 3Di matrix) over the length of the shorter
    chain. ``targets`` None: the queries themselves; each pair then comes once, query < target, best first.
    """
    aligner = pyopal.Aligner("3DI", gap_open=GAP_OPEN, gap_extend=GAP_EXTEND)
    compared = queries if targets is None else targets
    database = pyopal.Database(compared, aligner.alphabet)
    lengths = np.array([len(sequence) for sequence in compared])

    def best_of(place: int) -> list[tuple[int, int, float]]:
        query = queries[place]
        results = aligner.align(query, database, mode="score")
        scores = np.fromiter((result.score for result in results), float, len(results))
        scores /= np.minimum(lengths, len(query))
        if targets is None:
            scores[place] = -np.inf
        count = max(most, int((scores >= alike).sum()))
        chosen = np.argsort(-scores, kind="stable")[:count]
        return [(place, int(target), float(scores[target])) for target in chosen if scores[target] > 0]

    with ThreadPoolExecutor(threads) as pool:
        work = pool.map(best_of, range(len(queries)))
        bar = tqdm(work, "compare 3Di states", len(queries), unit="protein", mininterval=1)
        found = [pair for pairs in bar for pair in pairs]
    if targets is None:
        found = list(
            {(min(a, b), max(a, b)): (min(a, b), max(a, b), score) for a, b, score in found}.values()
        )
    return sorted(found, key=lambda pair: (-pair[2], pair[0], pair[1]))
