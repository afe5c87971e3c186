"""Store rows -> batches: which proteins go together, and their arrays laid end to end."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from bioblobs.graphs.neighbours import PADDING
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.store.arrays import Packed

Rows = NDArray[np.int64]


LOOK_AHEAD = 8
"""Batches' worth of shuffled proteins among which one that still fits is looked for."""


def plan_batches(
    rows: Rows, lengths: NDArray[np.int64], batch_size: int, max_residues: int, seed: int | None
) -> list[Rows]:
    """Share rows out to batches of at most ``batch_size`` proteins and ``max_residues`` residues.

    A batch costs what its residues cost: it is flat, so that lengths mix without padding. Batches of one
    length each would be less even, because those of short proteins reach ``batch_size`` first
    (docs/scaling.md has the numbers). So the rows are shuffled, and a batch is begun with the next one and
    filled with the first of the following that fit (first-fit bin packing). A protein longer than
    ``max_residues`` makes a batch of its own.

    Args:
        lengths: (P,) residues of every protein in the store.
        seed: shuffles the rows; None keeps their order, and batches are cut where the next does not fit.
    """
    window = LOOK_AHEAD * batch_size if seed is not None else 1
    if seed is not None:
        rows = np.random.default_rng(seed).permutation(rows)
    coming = zip(rows.tolist(), lengths[rows].tolist(), strict=True)
    waiting = list(itertools.islice(coming, window))
    batches: list[Rows] = []
    while waiting:
        chosen: list[int] = []
        room, place = max_residues, 0
        while place < len(waiting) and len(chosen) < batch_size:
            row, length = waiting[place]
            if length <= room or not chosen:
                chosen.append(row)
                room -= length
                waiting.pop(place)
                waiting += itertools.islice(coming, 1)
            else:
                place += 1
        batches.append(np.array(chosen, np.int64))
    return batches


def share_of(
    plan: Sequence[Rows], lengths: NDArray[np.int64], rank: int, world: int, seed: int
) -> list[Rows]:
    """The batches of one of ``world`` processes: as many as every other has, and in each step about as long.

    Where the number of batches does not go up evenly, those of most proteins are halved: no protein is lost
    or repeated, unless there are fewer proteins than processes. A step of all processes is ``world`` batches.

    Args:
        lengths: (P,) residues of every protein in the store.
        seed: order of the steps, the same in every process.
    """
    plan = list(plan)
    while len(plan) % world and max(map(len, plan)) > 1:
        batch = plan.pop(int(np.argmax([len(each) for each in plan])))
        plan += [batch[: len(batch) // 2], batch[len(batch) // 2 :]]
    by_cost = np.argsort([lengths[batch].sum() for batch in plan], kind="stable")
    steps = np.resize(by_cost, (-(-len(plan) // world), world))  # repeats where plan is too short
    return [plan[step[rank]] for step in np.random.default_rng(seed).permutation(steps)]


def collate(store: Packed, rows: Rows) -> ProteinBatch:
    """The proteins of ``rows`` as one flat batch: for training, prediction and interpretation."""
    starts = store.offsets[rows]
    lengths = store.offsets[rows + 1] - starts
    total = int(lengths.sum())
    begin = lengths.cumsum() - lengths  # (B,) first row in the batch
    positions = np.arange(total) - np.repeat(begin, lengths)
    residues = positions + np.repeat(starts, lengths)  # (N,) row in the store
    return make_batch(
        coordinates=store.coordinates[residues],
        residue_types=store.residue_types[residues],
        positions=positions,
        neighbours=store.neighbours[residues],
        mutual=store.mutual[residues],
        lengths=lengths,
        labels=torch.from_numpy(np.asarray(store.labels[rows])),
        proteins=torch.from_numpy(np.asarray(rows)),
        edge_types=store.edge_types,
        embeddings=None if store.embeddings is None else store.embeddings[residues],
    )


def make_batch(
    coordinates: NDArray[np.float32],
    residue_types: NDArray[np.uint8],
    positions: NDArray[np.int64],
    neighbours: NDArray[np.int32],
    mutual: NDArray[np.bool_],
    lengths: NDArray[np.int64],
    labels: Tensor,
    proteins: Tensor,
    edge_types: str,
    embeddings: NDArray[np.float16] | None = None,
) -> ProteinBatch:
    """A batch from per-residue arrays laid end to end; ``neighbours`` are rows within each protein."""
    base = np.repeat((lengths.cumsum() - lengths).astype(np.int32), lengths)[:, None]  # (N, 1)
    global_rows = neighbours + base
    real = neighbours != PADDING
    valid = None if real.all() else real
    if valid is not None:
        global_rows = np.where(valid, global_rows, np.arange(len(positions), dtype=np.int32)[:, None])
    return ProteinBatch(
        coordinates=torch.from_numpy(coordinates),
        residue_types=torch.from_numpy(residue_types).long(),
        positions=torch.from_numpy(positions),
        neighbours=torch.from_numpy(global_rows),
        edge_valid=None if valid is None else torch.from_numpy(valid),
        batch=torch.from_numpy(np.repeat(np.arange(len(lengths)), lengths)),
        edge_index=torch.from_numpy(symmetrised(global_rows, valid, mutual)),
        labels=labels,
        proteins=proteins,
        num_proteins=len(lengths),
        longest=int(lengths.max()),
        reach=int(positions.max()),
        edge_types=edge_types,
        embeddings=None if embeddings is None else torch.from_numpy(embeddings),
    )


def symmetrised(
    neighbours: NDArray[np.int32], valid: NDArray[np.bool_] | None, mutual: NDArray[np.bool_]
) -> NDArray[np.int32]:
    """(2, E) source and target of every edge in both directions, each once, from (N, k) lists.

    ``valid`` is None where all of them are edges. Sorted by target: the lists are, so that only edges of one
    direction, turned round, are sorted in.
    """
    residues, k = neighbours.shape
    listed, degree, one_way = neighbours.reshape(-1), np.full(residues, k), ~mutual
    turned = np.flatnonzero(one_way if valid is None else one_way & valid).astype(np.int32)
    target = listed[turned]
    # numpy sorts integers of up to 16 bits by radix, which takes a fourth of the time of any other sort.
    order = target.astype(np.min_scalar_type(residues)).argsort(kind="stable")
    if valid is not None:
        listed, degree = listed[valid.reshape(-1)], np.count_nonzero(valid, 1)
    # A residue's own edges come first, the turned ones after them.
    source = np.empty(len(listed) + len(turned), np.int32)
    own = np.ones(len(source), bool)
    place = degree.cumsum()[target[order]] + np.arange(len(turned))
    source[place], own[place] = turned[order] // k, False
    source[own] = listed
    degree += np.bincount(target, minlength=residues)
    return np.stack([source, np.repeat(np.arange(residues, dtype=np.int32), degree)])


class BatchDataset(Dataset[ProteinBatch]):
    """Item i is the i-th batch of a plan (for a DataLoader with ``batch_size=None``)."""

    def __init__(self, store: Packed, plan: Sequence[Rows]) -> None:
        self.store, self.plan = store, plan

    def __len__(self) -> int:
        return len(self.plan)

    def __getitem__(self, index: int) -> ProteinBatch:
        return collate(self.store, self.plan[index])


class PlacesFrom(Sampler[int]):
    """Places of a plan in order, from the one where an interrupted epoch goes on.

    Its length is the whole plan's: schedules and the end of the epoch follow from that.
    """

    def __init__(self, length: int, start: int = 0) -> None:
        self.length, self.start = length, start

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.start, self.length))
