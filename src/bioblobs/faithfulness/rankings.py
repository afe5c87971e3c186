"""Orders in which residues are removed or put in, and random ones that they are held against.

P chains, N residues, S blob slots. A ranking is (N,) places in the chain: 0 is the most important residue.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bioblobs.faithfulness.chains import Chains
from bioblobs.inference.explained import Explained, Floats

Ranking = NDArray[np.int64]


def by_blobs(
    chains: Chains,
    assignment: NDArray[np.int64],
    values: Floats,
    within: Floats,
    rng: np.random.Generator,
) -> Ranking:
    """Rank blob after blob by ``values`` (P, S), in a blob by ``within`` (N,).

    Residues in no blob contribute nothing: they come at random, after blobs of 0 and more, before those of
    less, which argue against the class.
    """
    inside = assignment >= 0
    of_residue = np.where(inside, values[chains.protein, assignment], 0.0)
    # the blob itself is a key, so that two of equal value stay whole
    within = -np.where(inside, within, 0.0)
    return chains.order(-of_residue, ~inside, assignment, within, rng.random(len(inside)))


def by_contribution(chains: Chains, explained: Explained, rng: np.random.Generator) -> Ranking:
    """Rank blob after blob by signed contribution (attention: importance), in a blob by membership."""
    return by_blobs(chains, explained.assignment, explained.contribution, explained.membership, rng)


def by_score(chains: Chains, score: Floats, rng: np.random.Generator) -> Ranking:
    """Rank residues by a score (N,), highest first."""
    return chains.order(-score, rng.random(len(score)))


def at_random(chains: Chains, rng: np.random.Generator) -> Ranking:
    """Rank residues at random, every order of a chain's residues equally likely."""
    return chains.order(rng.random(len(chains.protein)))


def exchanged(values: Floats, mask: NDArray[np.bool_], rng: np.random.Generator) -> Floats:
    """(P, S) the same values, dealt out at random among the blobs (P, S) of each chain."""
    real = np.argsort(~mask, axis=1, kind="stable")  # real slots first
    drawn = np.argsort(np.where(mask, rng.random(mask.shape), 2.0), axis=1, kind="stable")
    dealt = np.zeros_like(values)
    np.put_along_axis(dealt, real, np.take_along_axis(values, drawn, 1), 1)
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
        seed = ca[first]  # one per chain, in order
        distance = np.linalg.norm(ca - seed[chains.protein], axis=1)
        place = chains.order(~free, distance)
        assignment[free & (place < sizes[chains.protein, slot])] = slot
    return assignment
