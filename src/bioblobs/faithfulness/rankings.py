"""Orders in which residues are removed or put in, and random ones that they are held against.

P chains, N residues, S blob slots. A ranking is (N,) places in the chain: 0 is the most important residue.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bioblobs.faithfulness.chains import Chains
from bioblobs.faithfulness.explained import Explained, Floats

Ranking = NDArray[np.int64]


def by_blobs(
    chains: Chains,
    assignment: NDArray[np.int64],
    importance: Floats,
    within: Floats,
    rng: np.random.Generator,
) -> Ranking:
    """Blob after blob by importance (P, S), in a blob by ``within`` (N,); those in none last, at random."""
    inside = assignment >= 0
    of_residue = np.where(inside, importance[chains.protein, assignment], -1.0)
    # the blob itself is a key, so that two of equal importance stay whole
    return chains.order(-of_residue, assignment, -np.where(inside, within, 0.0), rng.random(len(inside)))


def by_score(chains: Chains, score: Floats, rng: np.random.Generator) -> Ranking:
    """By a score a residue, highest first."""
    return chains.order(-score, rng.random(len(score)))


def at_random(chains: Chains, rng: np.random.Generator) -> Ranking:
    """Every order of a chain's residues equally likely."""
    return chains.order(rng.random(len(chains.protein)))


def exchanged(explained: Explained, rng: np.random.Generator) -> Floats:
    """(P, S) the same importances, dealt out at random among the blobs of each chain."""
    mask = explained.mask
    real = np.argsort(~mask, axis=1, kind="stable")  # real slots first
    drawn = np.argsort(np.where(mask, rng.random(mask.shape), 2.0), axis=1, kind="stable")
    dealt = np.zeros_like(explained.importance)
    np.put_along_axis(dealt, real, np.take_along_axis(explained.importance, drawn, 1), 1)
    return np.where(mask, dealt, 0.0)


def patches(chains: Chains, sizes: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """(N,) blobs of the same sizes (P, S), put anywhere: a random free residue, and those nearest to it.

    Residues of a patch are near to one another, as those of a blob are, but no model has chosen them.
    """
    ca = chains.coordinates[:, 1]
    assignment = np.full(len(chains.protein), -1)
    for slot in range(sizes.shape[1]):
        free = assignment < 0
        first = chains.order(~free, rng.random(len(free))) == 0
        seed = ca[first]  # one a chain, in order
        distance = np.linalg.norm(ca - seed[chains.protein], axis=1)
        place = chains.order(~free, distance)
        assignment[free & (place < sizes[chains.protein, slot])] = slot
    return assignment
