"""The curves find a dependence that is there, and none where there is none."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from stub import SITE, Stub, made_model, stub_explained

from bioblobs.faithfulness.chains import Chains
from bioblobs.faithfulness.curves import (
    DELETED,
    INSERTED,
    SHARES,
    area,
    counts,
    deletion_curve,
    insertion_curve,
    mirrored,
)
from bioblobs.faithfulness.measurements import areas
from bioblobs.faithfulness.passes import chances, explain
from bioblobs.faithfulness.rankings import at_random, by_score
from bioblobs.faithfulness.removal import Curves, curves, rankings, signed_rank, top_blob

RNG = np.random.default_rng
WHOLE = np.exp(9) / (np.exp(9) + 2)
"""The stub's probability of class 1 where all five residues of the site are there: softmax(0, 9, 0)."""


def curves_of(chains: Chains, site: list[int], score: np.ndarray, seed: int = 0) -> Curves:
    chance = partial(chances, Stub(site), chains, target=np.ones(len(chains), int))
    place = by_score(chains, score, RNG(seed))
    whole = np.full(len(chains), WHOLE if site else np.exp(-1) / (1 + np.exp(-1) + np.exp(-10)))
    return Curves(
        deletion_curve(chance, chains, place, whole),
        insertion_curve(chance, chains, place, whole),  # type: ignore[arg-type]
    )


def test_truth_is_told_from_chance(chains: Chains) -> None:
    true = curves_of(chains, SITE, np.isin(chains.position, SITE).astype(float))
    random = curves_of(chains, SITE, np.zeros(len(chains.protein)))
    false = curves_of(chains, SITE, -np.isin(chains.position, SITE).astype(float))
    for name, better in (("deletion_area", -1), ("insertion_area", 1)):
        means = [better * getattr(each, name).mean() for each in (true, random, false)]
        assert means[0] > means[1] + 0.1 > means[2] + 0.2
        assert (better * (getattr(true, name) - getattr(random, name)) >= 0).mean() > 0.95


def test_one_random_ranking_is_as_good_as_another(chains: Chains) -> None:
    found = [curves_of(chains, SITE, np.zeros(len(chains.protein)), seed) for seed in range(12)]
    made = areas({"importance": found[0], "random_residues": found[1], "gradients": found[2]}, 0)
    gain = made["deletion_gain"]["random_residues"]
    assert gain["low"] < 0 < gain["high"]
    # and the mirrored curve is, on average, what inserting at random gives
    straight = np.mean([each.insertion.mean(0) for each in found], 0)
    mirror = np.mean([mirrored(each.deletion).mean(0) for each in found], 0)
    np.testing.assert_allclose(straight, mirror, atol=0.06)


def test_prediction_that_rests_on_nothing_is_flat(chains: Chains) -> None:
    made = curves_of(chains, [], np.zeros(len(chains.protein)))
    for curve in (made.deletion, made.insertion):
        np.testing.assert_allclose(curve, curve[:, :1] * np.ones(len(DELETED)), atol=1e-12)


def test_curve_by_hand(chains: Chains) -> None:
    """Residues removed from the start of the chain."""
    made = curves_of(chains, SITE, -chains.position.astype(float))
    for p, share in ((0, 2), (3, 4)):
        gone = int(np.rint(SHARES[share] * chains.lengths[p]))
        logit = 2 * sum(residue >= gone for residue in SITE) - 1
        z = np.exp([0, logit, logit - 9])
        assert made.deletion[p, share + 1] == pytest.approx(z[1] / z.sum())


def test_shares_leave_at_least_one_residue(chains: Chains) -> None:
    for share in (0.0, 0.5, 0.999, 1.0):
        assert (counts(chains, share) < chains.lengths).all()
    assert np.allclose(SHARES, 1 - SHARES[::-1])  # what `mirrored` needs


def test_area_is_the_mean_height() -> None:
    assert area(np.full((3, len(INSERTED)), 0.7), INSERTED) == pytest.approx([0.7] * 3)
    assert area(DELETED[None], DELETED) == pytest.approx([DELETED[-1] / 2])


def test_top_blob_that_decides_and_one_that_does_not(chains: Chains) -> None:
    for top, falls in ((SITE, True), ([20, 21, 22, 23, 24], False)):
        explained = stub_explained(chains, [[0, 1], top], [0.3, 0.7], [0, WHOLE, 0])
        made: dict[str, Any] = top_blob(Stub(SITE), chains, explained, repeats=3, seed=0)  # type: ignore[arg-type]
        after = np.exp(-1) / (1 + np.exp(-1) + np.exp(-10))
        np.testing.assert_allclose(made["fall_top_blob"], WHOLE - after if falls else 0, atol=1e-9)
        assert 0 <= made["fall_random_residues"].mean() < 0.2
        assert 0 <= made["fall_random_patch"].mean() < 0.4
        p = signed_rank(made["fall_top_blob"] - made["fall_random_residues"])
        assert p < 0.01 if falls else p > 0.5
    assert signed_rank(np.zeros(5)) == 1


def test_chain_that_is_one_blob_is_left_out(chains: Chains) -> None:
    explained = stub_explained(chains, [list(range(1000)), []], [1.0, 0.0], [0, WHOLE, 0])
    made = top_blob(Stub(SITE), chains, explained, repeats=1, seed=0)  # type: ignore[arg-type]
    assert all(np.isnan(values).all() for values in made.values())


@pytest.mark.parametrize("seed", [0, 1])
def test_same_seed_same_curves(chains: Chains, seed: int) -> None:
    def made(global_seed: int, own_seed: int) -> dict[str, Curves]:
        np.random.seed(global_seed)  # noqa: NPY002 - the global generator must not matter
        explained = explain(made_model(chains.store), chains)
        ranked = rankings(chains, explained, np.zeros(len(chains.protein)), explained, own_seed)
        return curves(
            made_model(chains.store), chains, explained, {"random_blobs": ranked["random_blobs"]}, own_seed
        )

    one, two, other = made(1, seed), made(2, seed), made(1, seed + 1)
    for name, each in one.items():
        assert np.array_equal(each.deletion, two[name].deletion)
        assert not np.array_equal(each.deletion, other[name].deletion)


def test_whole_curve_starts_at_the_prediction(chains: Chains) -> None:
    """Nothing removed, by the other route: the model on the store's own batches."""
    explained = explain(made_model(chains.store), chains)
    whole = chances(made_model(chains.store), chains, np.ones(len(chains.protein), bool), explained.target)
    np.testing.assert_allclose(whole, explained.chances.max(1), rtol=1e-5)
    order = at_random(chains, RNG(0))
    kept = order < chains.lengths[chains.protein]
    assert kept.all()
