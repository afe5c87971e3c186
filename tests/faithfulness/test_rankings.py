"""Orders of residues: by importance, and random ones that keep what they should keep."""

from __future__ import annotations

import numpy as np
from stub import made_model, stub_explained

from bioblobs.faithfulness.chains import Chains
from bioblobs.faithfulness.passes import explain
from bioblobs.faithfulness.rankings import (
    at_random,
    by_blobs,
    by_contribution,
    by_score,
    exchanged,
    patches,
)

RNG = np.random.default_rng


def test_blob_after_blob_and_the_rest_last(chains: Chains) -> None:
    made = stub_explained(chains, [[1, 2], [7, 8, 9], [20]], [0.2, 0.2, 0.6], [0, 1])
    membership = np.where(chains.position == 8, 0.9, made.membership)
    place = by_blobs(chains, made.assignment, made.importance, membership, RNG(0))
    for start, end in zip(chains.starts, chains.starts[1:], strict=False):
        order = np.argsort(place[start:end]).tolist()
        assert order[0] == 20
        assert set(order[1:3]) == {1, 2}  # equal importance, but whole
        assert order[3] == 8
        assert set(order[4:6]) == {7, 9}
        assert sorted(order) == list(range(end - start))
    rest = [
        place[made.assignment < 0]
        for place in (place, by_blobs(chains, made.assignment, made.importance, membership, RNG(1)))
    ]
    assert (rest[0] != rest[1]).any()


def test_blobs_that_argue_against_come_last(chains: Chains) -> None:
    """After the residues in no blob, which contribute nothing; by the predicted class, not another."""
    contributions = [[0.1, -0.1], [-0.2, 0.2], [0.0, 0.0], [0.4, -0.4]]
    made = stub_explained(chains, [[1, 2], [7, 8], [20], [11]], [0, 1, 0, 0], [0, 1], contributions)
    place = by_contribution(chains, made, RNG(0))
    for start, end in zip(chains.starts, chains.starts[1:], strict=False):
        order = np.argsort(place[start:end]).tolist()
        assert set(order[:2]) == {7, 8}
        assert order[2] == 20
        assert set(order[-3:-1]) == {1, 2}
        assert order[-1] == 11


def test_every_ranking_is_a_permutation(chains: Chains) -> None:
    made = explain(made_model(chains.store), chains)
    rankings = [
        by_blobs(chains, made.assignment, made.importance, made.membership, RNG(0)),
        by_score(chains, np.zeros(len(chains.protein)), RNG(0)),
        at_random(chains, RNG(0)),
    ]
    for place in rankings:
        assert np.array_equal(np.sort(chains.starts[chains.protein] + place), np.arange(len(place)))


def test_random_order_is_even(chains: Chains) -> None:
    """The first residue of a chain comes first in one of L orders."""
    draws = np.array([at_random(chains, RNG(seed))[chains.starts[:-1]] for seed in range(400)])
    mean = draws.mean(0) / (chains.lengths - 1)
    assert np.abs(mean - 0.5).max() < 5 * 0.3 / np.sqrt(400)


def test_exchange_keeps_the_importances_of_a_chain(chains: Chains) -> None:
    made = stub_explained(chains, [[1], [2], [3], [4]], [0.1, 0.2, 0.3, 0.4], [0, 1])
    made.mask[:, 1] = False
    made.importance[:, 1] = 0
    drawn = [exchanged(made.importance, made.mask, RNG(seed)) for seed in range(300)]
    for each in drawn[:20]:
        assert (each[:, 1] == 0).all()
        assert np.array_equal(np.sort(each, 1), np.sort(made.importance, 1))
    first = np.array(drawn)[:, :, 0]
    for value in (0.1, 0.3, 0.4):  # each real slot gets each value equally often
        assert abs((first == value).mean() - 1 / 3) < 0.03


def test_patches_are_disjoint_compact_and_of_the_sizes_wanted(chains: Chains) -> None:
    sizes = np.tile([6, 0, 9, 3], (len(chains), 1))
    made = patches(chains, sizes, RNG(0))
    spread: dict[str, list[float]] = {"patch": [], "random": []}
    ca = chains.coordinates[:, 1]
    for p in range(len(chains)):
        own = np.flatnonzero(chains.protein == p)
        assert np.bincount(made[own] + 1, minlength=5)[1:].tolist() == [6, 0, 9, 3]
        spread["patch"].append(np.ptp(ca[own][made[own] == 0], axis=0).max())
        spread["random"].append(np.ptp(ca[RNG(p).choice(own, 6, replace=False)], axis=0).max())
    assert np.mean(spread["patch"]) < 0.6 * np.mean(spread["random"])
    assert (made != patches(chains, sizes, RNG(1))).any()


def test_patches_may_want_more_than_there_is(chains: Chains) -> None:
    sizes = np.stack([chains.lengths - 2, np.full(len(chains), 5)], 1)
    made = patches(chains, sizes, RNG(0))
    assert (np.bincount(chains.protein[made == 1], minlength=len(chains)) == 2).all()
    assert (made >= 0).all()
