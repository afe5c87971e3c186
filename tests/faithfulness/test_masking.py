"""Hiding a blob: the model as it would be without it, and correlations that are what they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from stub import made_model, stub_explained

from bioblobs.faithfulness.chains import Chains
from bioblobs.faithfulness.masking import by_rank, falls_without, masking
from bioblobs.faithfulness.passes import explain
from bioblobs.faithfulness.statistics import mean_interval, spearman


@pytest.mark.parametrize("head", ["additive", "full", "blobs"])
@pytest.mark.parametrize("codebook", [True, False])
def test_hidden_blob_by_the_other_route(chains: Chains, head: str, codebook: bool) -> None:
    """The readout alone, on one chain and one blob less, without a mask."""
    model = made_model(chains.store, with_codebook=codebook, head=head)
    explained = explain(model, chains)
    falls = falls_without(model, chains, explained)
    assert np.array_equal(np.isnan(falls), ~explained.mask)
    (batch,) = chains.batches()
    with torch.inference_mode():
        pooled, blobs = model.partition(batch)
        for p, slot in ((0, 0), (3, 2)):
            there = [s for s in np.flatnonzero(explained.mask[p]) if s != slot]
            less = replace(
                blobs, embedding=blobs.embedding[p : p + 1, there], mask=blobs.mask[p : p + 1, there]
            )
            chance = model.read(pooled[p : p + 1], less).logits.double().softmax(-1)[0]
            target = explained.target[p]
            fall = explained.chances[p, target] - float(chance[target])
            assert falls[p, slot] == pytest.approx(fall, abs=1e-6)


def test_importance_that_is_true_and_one_that_is_not(chains: Chains) -> None:
    explained = stub_explained(chains, [[0], [1], [2], [3]], [0.1, 0.2, 0.3, 0.4], [0, 1])
    falls = np.tile([0.0, 0.01, 0.1, 0.3], (len(chains), 1))
    true, false = masking(falls, explained), masking(falls[:, ::-1], explained)
    assert (true.correlation == 1).all() and (false.correlation == -1).all()
    assert true.top.tolist() == [0.3] * len(chains)
    np.testing.assert_allclose(true.others, 0.11 / 3)
    assert (true.costliest == 1).all() and (false.costliest == 0).all()
    assert (true.chance == 0.25).all()
    np.testing.assert_allclose(by_rank(falls, explained), [0.3, 0.1, 0.01, 0.0])


def test_signs_count_in_the_correlation(chains: Chains) -> None:
    """Blobs that argue against all have importance 0, but contributions that tell them apart."""
    contributions = [[-0.3, 0.3], [0.2, -0.2], [0.1, -0.1], [0.5, -0.5]]  # to class 1: 0.3, -0.2, -0.1, -0.5
    explained = stub_explained(chains, [[0], [1], [2], [3]], [1, 0, 0, 0], [0, 1], contributions)
    falls = np.tile([0.2, -0.1, 0.0, -0.3], (len(chains), 1))
    assert (masking(falls, explained).correlation == 1).all()
    np.testing.assert_allclose(by_rank(falls, explained), [0.2, 0.0, -0.1, -0.3])


def test_top_blob_where_all_argue_against(chains: Chains) -> None:
    """Importance is 0 for all: the top one is the one that argues least against."""
    explained = stub_explained(chains, [[0], [1], []], [0, 0, 0], [0, 1], [[0.3, -0.3], [0.1, -0.1], [0, 0]])
    explained.mask[:, 2] = False
    assert (explained.top == 1).all()
    assert (masking(np.tile([-0.3, -0.1, np.nan], (len(chains), 1)), explained).top == -0.1).all()


def test_slots_without_a_blob_do_not_count(chains: Chains) -> None:
    explained = stub_explained(chains, [[0], [1], [2], []], [0.5, 0.3, 0.2, 0.0], [0, 1])
    explained.mask[:, 3] = False
    explained.mask[0, 1:] = False  # one blob only
    explained.importance[0] = [1, 0, 0, 0]
    falls = np.where(explained.mask, np.tile([0.3, 0.2, 0.1, 9.0], (len(chains), 1)), np.nan)
    made = masking(falls, explained)
    assert np.isnan(made.correlation[0]) and np.isnan(made.top[0]) and np.isnan(made.costliest[0])
    assert (made.correlation[1:] == 1).all()
    np.testing.assert_allclose(made.others[1:], 0.15)
    ranked = by_rank(falls, explained)
    np.testing.assert_allclose(ranked[:3], [0.3, 0.2, 0.1])
    assert np.isnan(ranked[3])


def test_spearman_is_scipys() -> None:
    rng = np.random.default_rng(0)
    group = np.sort(rng.integers(0, 6, 120))
    group[group == 3] = 4  # a group without members
    one, other = rng.integers(0, 5, 120).astype(float), rng.normal(size=120)  # with ties
    one[group == 5] = 1.0  # a constant side
    found = spearman(one, other, group, 7)
    for g in (0, 1, 2, 4):
        assert found[g] == pytest.approx(spearmanr(one[group == g], other[group == g]).statistic)
    assert np.isnan(found[[3, 5, 6]]).all()


def test_intervals() -> None:
    values = np.random.default_rng(0).normal(3, 1, 400)
    made = mean_interval(np.append(values, np.nan), 0)
    low, high = values.mean() - 1.96 / 20, values.mean() + 1.96 / 20
    assert made["value"] == pytest.approx(values.mean(), abs=1e-4)
    assert made["low"] == pytest.approx(low, abs=0.02) and made["high"] == pytest.approx(high, abs=0.02)
    assert made == mean_interval(values, 0)
    assert mean_interval(np.array([2.0, np.nan]), 0) == {"value": 2.0, "low": None, "high": None}
    assert mean_interval(np.array([np.nan]), 0) == {"value": None, "low": None, "high": None}
