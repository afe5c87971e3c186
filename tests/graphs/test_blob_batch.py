"""Blobs as a batch of small proteins: the flat code against plain loops over blobs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bioblobs.graphs.blob_batch import blob_batch, neighbours_in
from bioblobs.graphs.neighbours import PADDING, neighbour_lists
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.proteins.geometry import CA_ATOM
from conftest import batch_of, random_chain

SLOTS, LARGEST = 5, 12


def random_blobs(lengths: list[int], seed: int) -> Tensor:
    """(N,) slots of a random partition, some residues outside and some slots empty; none above LARGEST."""
    rng = np.random.default_rng(seed)
    assignment = np.concatenate([rng.integers(-1, SLOTS - 1, length) for length in lengths])
    start = 0
    for length in lengths:
        own = assignment[start : start + length]
        for slot in range(SLOTS):
            own[np.flatnonzero(own == slot)[LARGEST:]] = -1
        start += length
    return torch.from_numpy(assignment)


def padded_loop(
    batch: ProteinBatch, assignment: Tensor, width: int
) -> tuple[list[int], list[list[int]], list[list[bool]]]:
    """Row of each member, its neighbours as rows of the blob batch, and which are real, blob by blob."""
    rows: list[int] = []
    lists: list[list[int]] = []
    real: list[list[bool]] = []
    for protein in range(batch.num_proteins):
        for slot in range(SLOTS):
            inside = (batch.batch == protein) & (assignment == slot)
            own = [i for i, is_in in enumerate(inside.tolist()) if is_in]
            if not own:
                continue
            first = len(rows)
            found = neighbour_lists(batch.coordinates[own][:, CA_ATOM].numpy(), batch.edge_types)[:, :width]
            for place, row in enumerate(found.tolist()):
                near = [j for j in row if j != PADDING]
                lists.append([first + j for j in near] + [first + place] * (width - len(near)))
                real.append([True] * len(near) + [False] * (width - len(near)))
            rows += own
    return rows, lists, real


@settings(max_examples=30, derandomize=True, database=None)
@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    edge_types=st.sampled_from(["knn_1", "knn_4", "knn_11", "knn_30", "eps_6", "eps_9.5"]),
    seed=st.integers(0, 99),
)
def test_flat_code_is_the_loop_over_blobs(lengths: list[int], edge_types: str, seed: int) -> None:
    rng = np.random.default_rng(seed)  # without noise chain neighbours are equally near, in either order
    chains = [random_chain(n, seed) + rng.normal(0, 0.3, (n, 4, 3)).astype(np.float32) for n in lengths]
    batch = batch_of(chains, edge_types=edge_types)
    assignment = random_blobs(lengths, seed)
    made, rows = blob_batch(batch, assignment, SLOTS, LARGEST)
    assert made.edge_valid is not None
    expected = padded_loop(batch, assignment, made.neighbours.shape[1])
    assert (rows.tolist(), made.neighbours.tolist(), made.edge_valid.tolist()) == expected
    assert made.neighbours.dtype == torch.int32
    k = int(edge_types[4:]) if edge_types.startswith("knn") else LARGEST
    assert made.neighbours.shape[1] == min(k, LARGEST - 1)


def test_each_blob_is_a_protein_with_the_places_that_it_has_in_the_chain() -> None:
    batch = batch_of([random_chain(n, n) for n in (20, 1, 9)], labels=[2, 0, 1])
    assignment = random_blobs([20, 1, 9], 3)
    assignment[20] = 0
    made, rows = blob_batch(batch, assignment, SLOTS, LARGEST)
    assert sorted(rows.tolist()) == (assignment >= 0).nonzero().squeeze(-1).tolist()
    assert torch.equal(made.batch, batch.batch[rows] * SLOTS + assignment[rows])
    assert (made.batch.diff() >= 0).all()  # as every flat batch
    for blob in made.batch.unique():
        assert (made.positions[made.batch == blob].diff() > 0).all()  # in the order of the chain
    for name in ("coordinates", "residue_types", "positions"):
        assert torch.equal(getattr(made, name), getattr(batch, name)[rows]), name
    assert made.labels.tolist() == [2] * SLOTS + [0] * SLOTS + [1] * SLOTS
    assert made.proteins.tolist() == [0] * SLOTS + [1] * SLOTS + [2] * SLOTS
    assert (made.num_proteins, made.longest, made.reach) == (3 * SLOTS, LARGEST, batch.reach)


def test_what_lies_outside_every_blob_is_not_looked_at() -> None:
    batch, assignment = batch_of([random_chain(40, 1)]), random_blobs([40], 1)
    outside = assignment < 0
    assert outside.any()
    coordinates = torch.where(outside[:, None, None], torch.nan, batch.coordinates)
    made = blob_batch(batch, assignment, SLOTS, LARGEST)[0]
    other = blob_batch(replace(batch, coordinates=coordinates), assignment, SLOTS, LARGEST)[0]
    for name in ("coordinates", "neighbours", "edge_valid"):
        assert torch.equal(getattr(other, name), getattr(made, name)), name


def test_a_residue_alone_in_its_blob_has_only_padding() -> None:
    batch = batch_of([random_chain(4, 1)])
    made, _ = blob_batch(batch, torch.tensor([0, 1, -1, 2]), SLOTS, LARGEST)
    assert made.edge_valid is not None and not made.edge_valid.any()
    assert (made.neighbours == torch.arange(3)[:, None]).all()
    one, _ = blob_batch(batch, torch.tensor([0, 1, -1, 2]), SLOTS, 1)
    assert one.neighbours.tolist() == [[0], [1], [2]] and not one.edge_valid.any()


@pytest.mark.parametrize("edge_types", ["knn_3", "eps_1"])
def test_coincident_residues_are_neighbours_in_the_order_of_the_chain(edge_types: str) -> None:
    group = torch.tensor([0, 0, 0, 0, 2, 2])
    lists, valid = neighbours_in(torch.zeros(6, 3), group, 3, 5, edge_types)
    expected = [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2], [5, 4, 4], [4, 5, 5]]
    assert lists[:, :3].tolist() == expected
    assert valid[:, :3].tolist() == [[True] * 3] * 4 + [[True, False, False]] * 2
    assert not valid[:, 3:].any()


def test_an_empty_assignment_makes_an_empty_batch() -> None:
    batch = batch_of([random_chain(4, 1)])
    made, rows = blob_batch(batch, torch.full((4,), -1), SLOTS, LARGEST)
    assert len(rows) == len(made.batch) == len(made.neighbours) == 0
    assert made.num_proteins == SLOTS
