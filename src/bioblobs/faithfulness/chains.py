"""Chains of the store laid end to end, and batches of them with residues taken away or moved.

P chains, N residues of all of them, b chains and n residues in one batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from bioblobs.errors import BioBlobsError
from bioblobs.graphs.neighbours import PADDING, mutual_edges, neighbour_lists
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.store.batches import Rows, make_batch, plan_batches
from bioblobs.store.packed import Store

BATCH_SIZE, MAX_RESIDUES = 256, 6000
"""Of the batches that are read; a chain's prediction does not depend on them."""


@dataclass
class Chains:
    """The chains of ``rows`` of a store, as flat arrays.

    Attributes:
        lengths: (P,) residues of each chain.
        starts: (P + 1,) chain p is residues starts[p] : starts[p + 1].
        protein: (N,) chain of each residue.
        position: (N,) place of each residue in its chain, from 0.
        residue: (N,) its row in the store.
    """

    store: Store
    rows: Rows
    lengths: NDArray[np.int64] = field(init=False)
    starts: NDArray[np.int64] = field(init=False)
    protein: NDArray[np.int64] = field(init=False)
    position: NDArray[np.int64] = field(init=False)
    residue: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.lengths = self.store.lengths[self.rows]
        self.starts = np.concatenate([[0], self.lengths.cumsum()])
        self.protein = np.repeat(np.arange(len(self.rows)), self.lengths)
        self.position = np.arange(self.starts[-1]) - self.starts[self.protein]
        self.residue = self.position + self.store.offsets[self.rows][self.protein]

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def coordinates(self) -> NDArray[np.float32]:
        """(N, 4, 3) backbone atoms in angstrom."""
        return np.asarray(self.store.coordinates[self.residue])

    def order(self, *keys: NDArray[np.generic]) -> NDArray[np.int64]:
        """(N,) place of each residue in its chain when sorted upward by the first key, then the next."""
        sorted_rows = np.lexsort((*reversed(keys), self.protein))
        place = np.empty_like(sorted_rows)
        place[sorted_rows] = self.position
        return place

    def batches(
        self, kept: NDArray[np.bool_] | None = None, coordinates: NDArray[np.float32] | None = None
    ) -> Iterator[ProteinBatch]:
        """All chains in order, as if their files had only the kept residues, at these coordinates.

        Neighbours are found anew; places in the chain stay, so that a gap remains visible as one.

        Args:
            kept: (N,) at least one in each chain; None: all.
            coordinates: (N, 4, 3) to read instead of the store's.
        """
        kept = np.ones(len(self.protein), bool) if kept is None else kept
        counts = np.bincount(self.protein[kept], minlength=len(self))
        plan = plan_batches(np.arange(len(self)), counts, BATCH_SIZE, MAX_RESIDUES, None)
        for part in plan:
            span = slice(self.starts[part[0]], self.starts[part[-1] + 1])
            at = np.flatnonzero(kept[span]) + self.starts[part[0]]
            yield self._batch(
                part, at, counts[part], self.coordinates if coordinates is None else coordinates
            )

    def _batch(
        self,
        part: NDArray[np.int64],
        at: NDArray[np.int64],
        counts: NDArray[np.int64],
        coordinates: NDArray[np.float32],
    ) -> ProteinBatch:
        """The batch of chains ``part``, of which the residues ``at`` are there."""
        atoms, rows = coordinates[at], self.rows[part]
        edge_types = self.store.edge_types
        lists = neighbours_of_each(atoms[:, 1], counts, edge_types)
        return make_batch(
            coordinates=atoms,
            residue_types=np.asarray(self.store.residue_types[self.residue[at]]),
            positions=self.position[at],
            neighbours=lists,
            mutual=_mutual(lists, counts),
            lengths=counts,
            labels=torch.from_numpy(np.asarray(self.store.labels[rows])),
            proteins=torch.from_numpy(np.asarray(rows)),
            edge_types=edge_types,
            embeddings=None if self.store.embeddings is None else self.store.embeddings[self.residue[at]],
        )


def neighbours_of_each(
    ca: NDArray[np.float32], lengths: NDArray[np.int64], edge_types: str
) -> NDArray[np.int32]:
    """(n, k) neighbour lists of chains that lie end to end, as rows within each chain.

    One search for all of them: each chain is moved so far from the others that all of its own residues are
    nearer than any other's, and those of others are struck out.
    """
    chain = np.repeat(np.arange(len(lengths)), lengths)
    begin = np.repeat(lengths.cumsum() - lengths, lengths)
    gap = 4 * np.linalg.norm(np.ptp(ca, axis=0)) + 2 * float(edge_types.split("_")[1])
    apart = ca.astype(np.float64)
    apart[:, 0] += chain * np.exp2(np.ceil(np.log2(gap + 1)))  # a power of two: no digit is lost
    lists = neighbour_lists(apart, edge_types)
    strange = (lists == PADDING) | (chain[np.maximum(lists, 0)] != chain[:, None])
    return np.where(strange, PADDING, lists - begin[:, None]).astype(np.int32)


def _mutual(lists: NDArray[np.int32], lengths: NDArray[np.int64]) -> NDArray[np.bool_]:
    begin = np.repeat(lengths.cumsum() - lengths, lengths)[:, None]
    return mutual_edges(np.where(lists == PADDING, PADDING, lists + begin).astype(np.int32))


def chosen_rows(store: Store, split: str, most: int | None, seed: int) -> Rows:
    """Return the rows of a split, at most ``most``, drawn by ``seed``.

    Raises:
        BioBlobsError: the split is empty.
    """
    rows = store.rows(split)
    if not len(rows):
        raise BioBlobsError(f"{store.path}: no {split} protein; choose another interpretability.split")
    if most is None or len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
