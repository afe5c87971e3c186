"""Two explanations of the same chains: the same, shaken, or of a model without its weights."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.metrics import adjusted_rand_score
from stub import made_model, stub_explained

from bioblobs.faithfulness.chains import Chains
from bioblobs.faithfulness.passes import explain
from bioblobs.faithfulness.stability import cascade, compare, rand_index, shaken


def test_no_noise_changes_nothing(chains: Chains) -> None:
    model = made_model(chains.store)
    one = explain(model, chains)
    still = shaken(chains, 0.0, np.random.default_rng(0))
    assert np.array_equal(still, chains.coordinates)
    made = compare(one, explain(model, chains, still), chains)
    assert (made.blobs == 1).all() and (made.same_class == 1).all()
    assert np.allclose(made.importance[np.isfinite(made.importance)], 1)


def test_more_noise_keeps_less(chains: Chains) -> None:
    model = made_model(chains.store)
    one = explain(model, chains)
    rng = np.random.default_rng(0)
    means = [
        compare(one, explain(model, chains, shaken(chains, sigma, rng)), chains).blobs.mean()
        for sigma in (0.01, 0.3, 5.0)
    ]
    assert 1 > means[0] > means[1] > means[2]


def test_noise_is_of_the_size_wanted(chains: Chains) -> None:
    moved = shaken(chains, 0.25, np.random.default_rng(0)) - chains.coordinates
    assert abs(moved.std() - 0.25) < 0.01
    assert abs(moved.mean()) < 0.01


def test_neighbours_follow_the_noise(chains: Chains) -> None:
    far = shaken(chains, 30.0, np.random.default_rng(0))
    (still,), (moved,) = chains.batches(), chains.batches(coordinates=far)
    assert not torch.equal(still.neighbours, moved.neighbours)


def test_rand_index_is_scikit_learns_on_each_chain(chains: Chains) -> None:
    rng = np.random.default_rng(0)
    one, other = (rng.integers(-1, 4, len(chains.protein)) for _ in range(2))
    found = rand_index(one, other, chains)
    for p in (0, 3, len(chains) - 1):
        own = chains.protein == p
        assert found[p] == adjusted_rand_score(one[own], other[own])
    assert abs(found.mean()) < 0.05  # chance
    renamed = (one + 2) % 5 - 1  # the same groups under other numbers, "none" among them
    assert (rand_index(one, renamed, chains) == 1).all()


def test_matched_residues_are_those_in_a_blob_of_both(chains: Chains) -> None:
    one = stub_explained(chains, [[0, 1], [4, 5], [8, 9]], [0.5, 0.3, 0.2], [0, 1])
    same = stub_explained(chains, [[1, 2], [5, 6], [9, 10]], [0.6, 0.3, 0.1], [0, 1])
    turned = stub_explained(chains, [[1, 2], [5, 6], [9, 10]], [0.1, 0.3, 0.6], [1, 0])
    assert np.allclose(compare(one, same, chains).importance, 1)
    made = compare(one, turned, chains)
    assert np.allclose(made.importance, -1)
    assert (made.same_class == 0).all()
    assert (np.abs(made.scores) < 0.5).all()


def test_contributions_agree_on_the_class_that_the_first_predicts(chains: Chains) -> None:
    """Their own classes differ; of the first's they say the same, although importance says the opposite."""
    blobs, worth = [[0, 1], [4, 5], [8, 9]], [[0.3, -0.3], [-0.1, 0.1], [-0.4, 0.4]]
    one = stub_explained(chains, blobs, [1, 0, 0], [1, 0], worth)
    other = stub_explained(chains, blobs, [0, 0.2, 0.8], [0, 1], worth)
    made = compare(one, other, chains)
    assert np.allclose(made.contribution, 1)
    assert (made.importance < 0).all() and (made.same_class == 0).all()
    turned = stub_explained(chains, blobs, [1, 0, 0], [1, 0], [row[::-1] for row in worth])
    assert np.allclose(compare(one, turned, chains).contribution, -1)


def test_attention_has_importance_for_contribution(chains: Chains) -> None:
    one = stub_explained(chains, [[0, 1], [4, 5], [8, 9]], [0.5, 0.3, 0.2], [0, 1])
    made = compare(one, stub_explained(chains, [[0, 1], [4, 5], [8, 9]], [0.4, 0.5, 0.1], [1, 0]), chains)
    assert np.array_equal(made.contribution, made.scores)


def test_cascade_exchanges_from_the_output_on(chains: Chains) -> None:
    model, fresh = made_model(chains.store, seed=1), made_model(chains.store, seed=2)
    model.partitioner.tau.fill_(0.3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    seen = []
    for part, mixed in cascade(model, fresh):
        seen.append(part)
        for name, value in mixed.state_dict().items():
            source = fresh if name.split(".")[0] in seen else model
            if name != "partitioner.tau":
                assert torch.equal(value, source.state_dict()[name]), name
        assert float(mixed.partitioner.tau) == float(torch.tensor(0.3))
    assert seen == ["readout", "codebook", "blob_encoder", "partitioner", "encoder"]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    bare = [made_model(chains.store, False, seed, head="full", blob_view="context") for seed in (1, 2)]
    assert [part for part, _ in cascade(*bare)] == ["readout", "partitioner", "encoder"]


def test_untrained_weights_leave_no_agreement(chains: Chains) -> None:
    model, fresh = made_model(chains.store, seed=1), made_model(chains.store, seed=2)
    one = explain(model, chains)
    agreement = {part: compare(one, explain(mixed, chains), chains) for part, mixed in cascade(model, fresh)}
    for part in ("readout", "codebook", "blob_encoder"):
        assert (agreement[part].blobs == 1).all()  # the partition looks at none of them
        assert agreement[part].contribution[np.isfinite(agreement[part].contribution)].mean() < 0.9
    assert agreement["encoder"].blobs.mean() < 0.2
