"""Deletion and insertion curves (Petsiuk et al. 2018, RISE), on residues of a structure.

P chains, N residues, G shares.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bioblobs.faithfulness.chains import Chains
from bioblobs.faithfulness.rankings import Ranking
from bioblobs.inference.explained import Floats

SHARES = np.array([0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95])
"""Of a chain's residues that are removed, or put in; the same read backward."""
DELETED, INSERTED = np.append(0.0, SHARES), np.append(SHARES, 1.0)
"""The shares of a deletion and of an insertion curve, with the whole chain as one end."""

Chance = Callable[[NDArray[np.bool_]], Floats]
"""Kept residues (N,) -> (P,) probability of the class that was predicted on the whole chain."""


def counts(chains: Chains, share: float) -> NDArray[np.int64]:
    """(P,) residues that a share of each chain is: rounded, but never all."""
    return np.minimum(np.rint(share * chains.lengths), chains.lengths - 1).astype(np.int64)


def deletion_curve(chance: Chance, chains: Chains, ranking: Ranking, whole: Floats) -> Floats:
    """(P, G + 1) probability after the first-ranked shares :data:`DELETED` are removed."""
    made = [chance(ranking >= counts(chains, share)[chains.protein]) for share in SHARES]
    return np.column_stack([whole, *made])


def insertion_curve(chance: Chance, chains: Chains, ranking: Ranking, whole: Floats) -> Floats:
    """(P, G + 1) probability where only the first-ranked shares :data:`INSERTED` are there (1 at least)."""
    kept = [np.maximum(counts(chains, share), 1)[chains.protein] for share in SHARES]
    return np.column_stack([*(chance(ranking < count) for count in kept), whole])


def mirrored(deletion: Floats) -> Floats:
    """The insertion curve that belongs to a deletion curve of random order: what stays is random too."""
    return deletion[:, ::-1]


def area(curve: Floats, shares: NDArray[np.float64]) -> Floats:
    """(P,) mean height of each curve: trapezoids over the shares, divided by their range."""
    return np.trapezoid(curve, shares, axis=1) / (shares[-1] - shares[0])
