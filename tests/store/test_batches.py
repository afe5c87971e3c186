"""Batches: every protein once, limits kept, and the same arrays whatever else is in the batch."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.utils import to_undirected

from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.proteins.record import Protein, ProteinError
from bioblobs.store.arrays import pack
from bioblobs.store.batches import BatchDataset, collate, plan_batches, share_of
from bioblobs.store.packed import PER_RESIDUE, Store
from bioblobs.store.writer import StoreWriter
from conftest import batch_of, random_chain

lengths_of_a_store = st.lists(st.integers(1, 60), min_size=1, max_size=40)
limits = {"batch_size": st.integers(1, 8), "max_residues": st.integers(1, 120)}


@given(lengths=lengths_of_a_store, seed=st.none() | st.integers(0, 9), **limits)
def test_every_row_once_within_the_limits(
    lengths: list[int], batch_size: int, max_residues: int, seed: int | None
) -> None:
    rows = np.arange(len(lengths))[::2]  # a split holds some rows of the store only
    batches = plan_batches(rows, np.array(lengths), batch_size, max_residues, seed)
    planned = np.concatenate(batches)
    if seed is None:
        assert planned.tolist() == rows.tolist()
    assert sorted(planned.tolist()) == rows.tolist()
    for batch in batches:
        assert 1 <= len(batch) <= batch_size
        residues = sum(lengths[row] for row in batch)
        assert residues <= max_residues or len(batch) == 1  # only a long protein, alone, may exceed


@given(lengths=lengths_of_a_store, seed=st.none() | st.integers(0, 9), **limits)
def test_batches_are_as_full_as_the_limits_allow(
    lengths: list[int], batch_size: int, max_residues: int, seed: int | None
) -> None:
    batches = plan_batches(np.arange(len(lengths)), np.array(lengths), batch_size, max_residues, seed)
    for batch, following in itertools.pairwise(batches):
        residues = sum(lengths[row] for row in batch)
        assert len(batch) == batch_size or residues + lengths[following[0]] > max_residues


def lengths_of_30_to_2000(count: int) -> np.ndarray:
    return np.clip(np.exp(np.random.default_rng(1).normal(5.6, 0.75, count)), 30, 2000).astype(np.int64)


def test_shuffled_batches_cost_the_same() -> None:
    """Cutting the same proteins in their order leaves a tenth of the room empty, unevenly."""
    lengths = lengths_of_30_to_2000(3000)

    def residues(seed: int | None) -> np.ndarray:
        plan = plan_batches(np.arange(3000), lengths, 16, 3000, seed)
        return np.array([lengths[batch].sum() for batch in plan][:-2])  # the last have what was left

    packed, cut = residues(0), residues(None)
    assert packed.mean() > 0.98 * 3000
    assert packed.std() < 0.25 * cut.std()
    assert len(packed) < 0.95 * len(cut)


def test_batches_of_two_epochs_have_little_in_common() -> None:
    lengths = lengths_of_30_to_2000(2000)

    def pairs(seed: int) -> set[tuple[int, int]]:
        plan = plan_batches(np.arange(2000), lengths, 16, 3000, seed)
        return {pair for batch in plan for pair in itertools.combinations(sorted(batch.tolist()), 2)}

    first, second = pairs(0), pairs(1)
    assert len(first & second) < 0.02 * len(first)


@given(lengths=lengths_of_a_store, world=st.integers(1, 5), seed=st.integers(0, 9), **limits)
def test_processes_share_a_plan_evenly(
    lengths: list[int], world: int, seed: int, batch_size: int, max_residues: int
) -> None:
    sizes, rows = np.array(lengths), np.arange(len(lengths))
    plan = plan_batches(rows, sizes, batch_size, max_residues, seed)
    shares = [share_of(plan, sizes, rank, world, seed) for rank in range(world)]
    assert len({len(share) for share in shares}) == 1  # else the processes would wait for one another forever
    dealt = np.sort(np.concatenate([batch for share in shares for batch in share]))
    if len(plan) % world == 0 or len(rows) % world == 0 or len(plan) + world <= len(rows):
        assert dealt.tolist() == rows.tolist()
    assert set(dealt.tolist()) == set(rows.tolist())
    assert len(dealt) - len(rows) < world
    costs = np.array([[sizes[batch].sum() for batch in share] for share in shares])
    by_cost = np.sort(costs.ravel()).reshape(-1, world)
    if len(dealt) == len(rows):  # batches of one step are neighbours in cost
        assert sorted(map(tuple, np.sort(costs, 0).T)) == list(map(tuple, by_cost))
    assert max(map(len, itertools.chain(*shares))) <= batch_size


def test_long_protein_is_alone() -> None:
    lengths = np.array([10, 10, 500, 10, 10])
    batches = plan_batches(np.arange(5), lengths, 64, 100, None)
    assert [batch.tolist() for batch in batches] == [[0, 1], [2], [3, 4]]


def test_no_rows_make_no_batch() -> None:
    assert plan_batches(np.arange(0), np.array([3, 4]), 2, 10, 0) == []


def test_order_follows_the_seed_alone() -> None:
    rows, lengths = np.arange(50), np.full(50, 10)

    def order(seed: int) -> list[int]:
        return np.concatenate(plan_batches(rows, lengths, 4, 100, seed)).tolist()

    first = order(3)
    np.random.seed(99)  # noqa: NPY002 - the global generator must not matter
    assert order(3) == first
    assert order(4) != first
    assert rows.tolist() == list(range(50)), "the caller's rows were shuffled in place"


def edges(batch: ProteinBatch) -> set[tuple[int, int]]:
    """Edges as a set; fails where one is repeated."""
    pairs = list(map(tuple, batch.edge_index.T.tolist()))
    assert len(pairs) == len(set(pairs))
    return set(pairs)


def valid(batch: ProteinBatch) -> torch.Tensor:
    return (
        torch.ones_like(batch.neighbours, dtype=torch.bool) if batch.edge_valid is None else batch.edge_valid
    )


def test_batch_is_its_proteins_laid_end_to_end(sample_store: Store) -> None:
    rows = sample_store.rows("train")[[7, 0, 12, 3]]  # neither in order nor adjacent in the store
    together = collate(sample_store, rows)
    alone = [collate(sample_store, rows[i : i + 1]) for i in range(len(rows))]
    lengths = [len(part.batch) for part in alone]
    shifts = np.cumsum([0, *lengths[:-1]])
    for name in ("coordinates", "residue_types", "positions", "labels", "proteins"):
        joined = torch.cat([getattr(part, name) for part in alone])
        torch.testing.assert_close(getattr(together, name), joined, rtol=0, atol=0)
    shifted = torch.cat([part.neighbours + int(shift) for part, shift in zip(alone, shifts, strict=True)])
    torch.testing.assert_close(together.neighbours, shifted, rtol=0, atol=0)
    torch.testing.assert_close(valid(together), torch.cat([valid(part) for part in alone]))
    expected = {
        (int(source + shift), int(target + shift))
        for part, shift in zip(alone, shifts, strict=True)
        for source, target in edges(part)
    }
    assert edges(together) == expected
    assert together.num_proteins == 4
    assert together.batch.tolist() == [i for i, length in enumerate(lengths) for _ in range(length)]
    assert together.positions.tolist() == [p for length in lengths for p in range(length)]


def test_collated_arrays_are_those_of_the_store(sample_store: Store) -> None:
    row = int(sample_store.rows("test")[1])
    batch = collate(sample_store, np.array([row]))
    span = slice(sample_store.offsets[row], sample_store.offsets[row + 1])
    np.testing.assert_array_equal(batch.coordinates.numpy(), sample_store.coordinates[span])
    np.testing.assert_array_equal(batch.residue_types.numpy(), sample_store.residue_types[span])
    np.testing.assert_array_equal(batch.neighbours.numpy(), sample_store.neighbours[span])
    assert batch.labels.tolist() == [sample_store.labels[row]]


@pytest.mark.parametrize("length", [30, 9, 4, 2])
def test_edges_are_the_symmetrised_neighbours(length: int) -> None:
    batch = batch_of([random_chain(length, 1), random_chain(25, 2)], k=8)
    own = torch.arange(len(batch.batch))[:, None].expand_as(batch.neighbours)
    directed = torch.stack([batch.neighbours[valid(batch)], own[valid(batch)]])
    oracle = set(map(tuple, to_undirected(directed).T.tolist()))
    assert edges(batch) == oracle


def test_protein_with_fewer_residues_than_k() -> None:
    lengths = [1, 3, 12]
    batch = batch_of([random_chain(length, i) for i, length in enumerate(lengths)], k=8)
    assert batch.edge_valid is not None
    of_protein = batch.batch
    for row in range(sum(lengths)):
        real = batch.neighbours[row][batch.edge_valid[row]]
        assert len(set(real.tolist())) == len(real) == min(8, lengths[of_protein[row]] - 1)
        assert row not in real.tolist()
        assert (of_protein[real] == of_protein[row]).all()
        assert (batch.neighbours[row][~batch.edge_valid[row]] == row).all()  # padding points at itself
    source, target = batch.edge_index
    assert (of_protein[source] == of_protein[target]).all()
    within = edges(batch)
    assert {(s, t) for s, t in within if s in (1, 2, 3)} == {
        (s, t) for s in (1, 2, 3) for t in (1, 2, 3) if s != t
    }
    assert not any(0 in pair for pair in within)  # the single residue has no edge


def test_dataset_item_is_the_collated_plan_entry(sample_store: Store) -> None:
    plan = plan_batches(sample_store.rows("val"), sample_store.lengths, 3, 10_000, None)
    dataset = BatchDataset(sample_store, plan)
    assert len(dataset) == len(plan)
    assert dataset[1].proteins.tolist() == plan[1].tolist()


@pytest.mark.parametrize("edge_types", ["knn_8", "knn_40", "eps_9"])
@pytest.mark.parametrize("multilabel", [False, True])
def test_proteins_in_memory_make_the_batches_of_their_store(
    sample_store: Store, tmp_path: Path, edge_types: str, multilabel: bool
) -> None:
    """Chains of fewer residues than neighbours make lists of several widths."""
    rows = np.argsort(sample_store.lengths, kind="stable")[[0, 1, -1, 5]]
    proteins = [stored(sample_store, int(row)) for row in rows]
    packed = pack(proteins, edge_types, {"a": "A", "b": "B"}, multilabel)
    labels = np.zeros((4, 2), np.bool_) if multilabel else np.full(4, -1)
    table = pd.DataFrame({"id": [protein.id for protein in proteins]})
    with StoreWriter(tmp_path / "store", edge_types) as writer:
        for protein in proteins:
            writer.add(protein)
        writer.finish(labels, np.zeros(4, np.uint8), table, packed.meta)
    store = Store(tmp_path / "store")
    for name in (*PER_RESIDUE, "offsets", "labels"):
        ours, theirs = getattr(packed, name), getattr(store, name)
        assert ours.dtype == theirs.dtype and ours.tobytes() == theirs.tobytes(), name
    chosen = np.array([2, 0, 3])
    for name, value in vars(collate(packed, chosen)).items():
        other = getattr(collate(store, chosen), name)
        if isinstance(value, torch.Tensor):
            assert value.dtype == other.dtype
            np.testing.assert_array_equal(value.numpy(), other.numpy(), err_msg=name)
        else:
            assert value == other, name


def stored(store: Store, row: int) -> Protein:
    span = slice(store.offsets[row], store.offsets[row + 1])
    return Protein(str(row), *(np.array(getattr(store, name)[span]) for name in PROTEIN_ARRAYS))


PROTEIN_ARRAYS = ("residue_types", "residue_numbers", "insertion_codes", "chain_ids", "coordinates")


def test_a_protein_that_cannot_be_packed_is_refused(sample_store: Store) -> None:
    whole = stored(sample_store, 0)
    bare = replace(whole, coordinates=np.full_like(whole.coordinates, np.nan))
    with pytest.raises(ProteinError, match="has finite N, CA and C atoms"):
        pack([whole, bare], "knn_8", {"a": "A"}, False)
