"""3Di states, which write a structure as a sequence, and the prefilter by them before TM-align."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from biotite.structure.alphabet import I3DSequence
from biotite.structure.alphabet.encoder import Encoder
from numpy.typing import NDArray

from bioblobs.similarity.opal import Targets, in_threads

GAP_OPEN, GAP_EXTEND = 10, 1
_BOND_N, _BOND_C = 1.46, 1.52
"""CA-N and CA-C bond lengths in angstrom."""


def states(ca: NDArray[np.floating]) -> str:
    """Compute the 3Di states (van Kempen et al. 2024) of (L, 3) C-alphas, L letters.

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
    """Find the ``most`` best targets of each query, and all that score ``alike``: (query, target, score).

    The score is that of the best local alignment (Foldseek's 3Di matrix) over the length of the shorter
    chain. ``targets`` None: the queries themselves; each pair then comes once, query < target, best first.
    """
    compared = Targets(queries if targets is None else targets, "3DI", GAP_OPEN, GAP_EXTEND)

    def best_of(place: int) -> list[tuple[int, int, float]]:
        query = queries[place]
        scores = compared.scores(query) / np.minimum(compared.lengths, len(query))
        if targets is None:
            scores[place] = -np.inf
        count = max(most, int((scores >= alike).sum()))
        chosen = np.argsort(-scores, kind="stable")[:count]
        return [(place, int(target), float(scores[target])) for target in chosen if scores[target] > 0]

    found = [
        pair for pairs in in_threads(best_of, len(queries), "compare 3Di states", threads) for pair in pairs
    ]
    if targets is None:
        found = list(
            {(min(a, b), max(a, b)): (min(a, b), max(a, b), score) for a, b, score in found}.values()
        )
    return sorted(found, key=lambda pair: (-pair[2], pair[0], pair[1]))
