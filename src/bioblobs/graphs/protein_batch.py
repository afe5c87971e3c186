"""A batch of proteins as stored: their arrays laid end to end.

Shapes: B proteins, N residues in the batch (flat, no padding), k neighbours per residue. Coordinates are in
angstrom; atoms are ordered N, CA, C, O.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor


@dataclass
class ProteinBatch:
    """Stored arrays of B proteins laid end to end; a data loader yields them.

    Attributes:
        coordinates: (N, 4, 3) N, CA, C, O in angstrom; O may be NaN.
        residue_types: (N,) index into the residue alphabet.
        positions: (N,) place of the residue in its chain, counting from 0.
        neighbours: (N, k) int32, row in this batch of each neighbour, nearest first; padding: the row itself.
        edge_valid: (N, k) False on padding; None where no protein of the batch has any.
        batch: (N,) protein of each residue.
        edge_index: (2, E) int32, symmetrised edges without repeats, sorted by target, for the partitioner.
        labels: (B,) class index, or (B, C) 0/1 for multi-label tasks.
        proteins: (B,) row of each protein in the store.
        num_proteins: B.
        longest: residues of the longest protein.
        reach: bound of the sequence offsets: the largest of ``positions``.
        edge_types: how ``neighbours`` were found: ``knn_K`` or ``eps_R``.
        embeddings: (N, E) float16 of an encoder that made them elsewhere; None without.
    """

    coordinates: Tensor
    residue_types: Tensor
    positions: Tensor
    neighbours: Tensor
    edge_valid: Tensor | None
    batch: Tensor
    edge_index: Tensor
    labels: Tensor
    proteins: Tensor
    num_proteins: int
    longest: int
    reach: int
    edge_types: str
    embeddings: Tensor | None = None

    def to(self, device: torch.device | str, non_blocking: bool = False) -> ProteinBatch:
        """The batch with every tensor on ``device`` (Lightning calls this)."""
        moved: dict[str, Any] = {
            f.name: value.to(device, non_blocking=non_blocking)
            for f in fields(self)
            if isinstance(value := getattr(self, f.name), Tensor)
        }
        return replace(self, **moved)
