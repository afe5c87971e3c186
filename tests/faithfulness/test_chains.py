"""Removing residues: nothing else about a protein changes, and neighbours are those of what is left."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bioblobs.faithfulness.chains import Chains, neighbours_of_each
from bioblobs.graphs.neighbours import neighbour_lists
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.store.batches import collate
from bioblobs.store.packed import Store
from conftest import batch_of


def only(chains: Chains, kept: np.ndarray | None = None) -> ProteinBatch:
    (batch,) = chains.batches(kept)
    return batch


def without(chains: Chains, removed: list[list[int]]) -> np.ndarray:
    kept = np.ones(len(chains.protein), bool)
    for place, residues in enumerate(removed):
        kept[chains.starts[place] + np.array(residues)] = False
    return kept


def test_removing_nothing_is_the_batch_itself(sample_store: Store) -> None:
    rows = sample_store.rows("test")[:5]
    ours, stored = only(Chains(sample_store, rows)), collate(sample_store, rows)
    for name in ("coordinates", "residue_types", "positions", "batch", "labels", "proteins", "neighbours"):
        torch.testing.assert_close(getattr(ours, name), getattr(stored, name), rtol=0, atol=0, msg=name)
    assert torch.equal(ours.edge_index, stored.edge_index)
    assert (ours.edge_valid is None) == (stored.edge_valid is None)


def test_the_others_keep_place_identity_and_coordinates(sample_store: Store) -> None:
    rows = sample_store.rows("test")[[4, 1]]
    chains = Chains(sample_store, rows)
    kept = without(chains, [[0, 7, 8, 30], list(range(10, 25))])
    whole, less = collate(sample_store, rows), only(chains, kept)
    for name in ("coordinates", "residue_types", "positions", "batch"):
        torch.testing.assert_close(getattr(less, name), getattr(whole, name)[kept], rtol=0, atol=0)
    assert less.labels.tolist() == whole.labels.tolist()
    assert less.positions[:4].tolist() == [1, 2, 3, 4]  # the gap stays visible


def test_neighbours_are_found_anew(sample_store: Store) -> None:
    """Expect the graph of a structure file that never had the residues."""
    chains = Chains(sample_store, sample_store.rows("test")[:3])
    less = only(chains, without(chains, [list(range(5, 15))] * 3))
    parts = [less.coordinates[less.batch == place].numpy() for place in range(3)]
    afresh = batch_of(parts, k=8)
    assert torch.equal(less.neighbours, afresh.neighbours)
    assert torch.equal(less.edge_index, afresh.edge_index)


def test_fewer_residues_than_neighbours_may_be_left(sample_store: Store) -> None:
    chains = Chains(sample_store, sample_store.rows("test")[:2])
    kept = np.concatenate(
        [np.arange(length) < count for length, count in zip(chains.lengths, (3, 1), strict=True)]
    )
    less = only(chains, kept)
    assert less.positions.tolist() == [0, 1, 2, 0]
    assert less.edge_valid is not None
    assert less.edge_valid.sum(1).tolist() == [2, 2, 2, 0]
    assert less.edge_index.shape[1] == 6


@pytest.mark.parametrize("edge_types", ["knn_1", "knn_6", "knn_30", "eps_6", "eps_40"])
@given(
    lengths=st.lists(st.integers(1, 25), min_size=1, max_size=5),
    seed=st.integers(0, 1000),
    shift=st.sampled_from([0.0, 900.0]),
)
@settings(max_examples=20)
def test_one_search_finds_what_one_a_chain_does(
    edge_types: str, lengths: list[int], seed: int, shift: float
) -> None:
    """Chains that lie on top of one another in space, or far apart."""
    rng = np.random.default_rng(seed)
    parts = [(rng.normal(0, 8, (n, 3)) + shift * rng.random(3)).astype(np.float32) for n in lengths]
    together = neighbours_of_each(np.concatenate(parts), np.array(lengths), edge_types)
    for part, found in zip(parts, np.split(together, np.cumsum(lengths)[:-1]), strict=True):
        alone = neighbour_lists(part, edge_types)
        width = alone.shape[1]
        np.testing.assert_array_equal(found[:, :width], alone)
        assert (found[:, width:] == -1).all()


def test_many_batches_are_one(chains: Chains, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = only(chains)
    monkeypatch.setattr("bioblobs.faithfulness.chains.MAX_RESIDUES", 200)
    parts = list(chains.batches())
    assert len(parts) > 2
    assert torch.equal(torch.cat([part.proteins for part in parts]), whole.proteins)
    assert torch.equal(torch.cat([part.coordinates for part in parts]), whole.coordinates)


def test_order_sorts_within_each_chain(chains: Chains) -> None:
    key = np.random.default_rng(0).integers(0, 4, len(chains.protein))
    place = chains.order(key, -chains.position)
    for p, start in enumerate(chains.starts[:-1]):
        span = slice(start, chains.starts[p + 1])
        by_hand = sorted(range(chains.lengths[p]), key=lambda i, s=start: (key[s + i], -i))  # type: ignore[misc]
        assert place[span][by_hand].tolist() == list(range(chains.lengths[p]))
