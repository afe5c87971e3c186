"""Store rows -> batches: which proteins go together, and their arrays laid end to end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from bioblobs.datasets.store import Store
from bioblobs.graphs.neighbours import PADDING
from bioblobs.graphs.residue_graph import ProteinBatch

Rows = NDArray[np.int64]


def plan_batches(
    rows: Rows, lengths: NDArray[np.int64], batch_size: int, max_residues: int, seed: int | None
) -> list[Rows]:
    """Cut rows into batches of at most ``batch_size`` proteins and ``max_residues`` residues.

    A protein longer than ``max_residues`` makes a batch of its own. Batches are flat, so mixing lengths
    costs no padding.

    Args:
        lengths: (P,) residues of every protein in the store.
        seed: shuffles the rows; None keeps their order.
    """
    if seed is not None:
        rows = np.random.default_rng(seed).permutation(rows)
    batches: list[Rows] = []
    start, residues = 0, 0
    for end, length in enumerate(lengths[rows]):
        if end > start and (end - start == batch_size or residues + length > max_residues):
            batches.append(rows[start:end])
            start, residues = end, 0
        residues += int(length)
    if len(rows):
        batches.append(rows[start:])
    return batches


def collate(store: Store, rows: Rows) -> ProteinBatch:
    """The proteins of ``rows`` as one flat batch."""
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
) -> ProteinBatch:
    """A batch from per-residue arrays laid end to end; ``neighbours`` are rows within each protein."""
    total = len(positions)
    own = np.arange(total)[:, None]
    base = np.repeat(lengths.cumsum() - lengths, lengths)[:, None]  # (N, 1)
    valid = neighbours != PADDING
    global_rows = torch.from_numpy(np.where(valid, neighbours + base, own))
    return ProteinBatch(
        coordinates=torch.from_numpy(coordinates),
        residue_types=torch.from_numpy(residue_types).long(),
        positions=torch.from_numpy(positions),
        neighbours=global_rows,
        edge_valid=None if valid.all() else torch.from_numpy(valid),
        batch=torch.from_numpy(np.repeat(np.arange(len(lengths)), lengths)),
        edge_index=symmetrised(global_rows, torch.from_numpy(valid), torch.from_numpy(mutual)),
        labels=labels,
        proteins=proteins,
        num_proteins=len(lengths),
        longest=int(lengths.max()),
    )


def symmetrised(neighbours: Tensor, valid: Tensor, mutual: Tensor) -> Tensor:
    """(2, E) source and target of every edge in both directions, each once, from (N, k) lists.

    Sorted by target.
    """
    own = torch.arange(len(neighbours))[:, None].expand_as(neighbours)
    source, target = neighbours[valid], own[valid]
    one_way = valid & ~mutual
    back_source, back_target = own[one_way], neighbours[one_way]
    order = torch.cat([target, back_target]).int().sort(stable=True)  # int: a radix sort
    return torch.stack([torch.cat([source, back_source])[order.indices], order.values.long()])


class BatchDataset(Dataset[ProteinBatch]):
    """Item i is the i-th batch of a plan (for a DataLoader with ``batch_size=None``)."""

    def __init__(self, store: Store, plan: Sequence[Rows]) -> None:
        self.store, self.plan = store, plan

    def __len__(self) -> int:
        return len(self.plan)

    def __getitem__(self, index: int) -> ProteinBatch:
        return collate(self.store, self.plan[index])
