"""A batch of proteins as one flat residue graph, its features computed from coordinates.

Shapes: B proteins, N residues in the batch (flat, no padding), k neighbours a residue. Coordinates are
in angstrom, angles in radians. Atoms are ordered N, CA, C, O. Vectors are (3, ..., v): see
:mod:`bioblobs.models.gvp`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from bioblobs.graphs.backbone import node_features

CA_ATOM = 1
EDGE_VECTORS = 1
RBF_MAX = 20.0
"""Upper end of the distances that the radial basis resolves, angstrom."""
LEAST_EXPONENT = -120.0
"""Of two, in the radial basis: 2^-120 is as good as zero."""


@dataclass
class ProteinBatch:
    """What a data loader yields: stored arrays of B proteins laid end to end.

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

    def to(self, device: torch.device | str, non_blocking: bool = False) -> ProteinBatch:
        """The batch with every tensor on ``device`` (Lightning calls this)."""
        moved: dict[str, Any] = {
            f.name: value.to(device, non_blocking=non_blocking)
            for f in fields(self)
            if isinstance(value := getattr(self, f.name), Tensor)
        }
        return replace(self, **moved)


@dataclass
class ResidueGraph:
    """Features of a batch; edges of residue i are row i of the (N, k) arrays, so sorted by target.

    Attributes:
        node_s, node_v: (N, 6) and (3, N, 3).
        radial: (N, k, e/2) radial basis of the distance, the first half of the edge scalars.
        waves: (R, e/2) sines and cosines of every sequence offset that may occur, the second half.
        offsets: (N, k) row of ``waves`` of each edge: there are fewer offsets than edges.
        edge_v: (3, N, k, 1).
        neighbours: (N, k) source row of each edge.
        edge_weights: (N, k) 1/degree on real edges, 0 on padding; None where every edge is real.
    """

    node_s: Tensor
    node_v: Tensor
    radial: Tensor
    waves: Tensor
    offsets: Tensor
    edge_v: Tensor
    neighbours: Tensor
    edge_weights: Tensor | None


def build_graph(batch: ProteinBatch, edge_scalars: int = 32) -> ResidueGraph:
    """Features of a whole batch at once (algorithm, section 1).

    Args:
        edge_scalars: width e of the edge scalars, even: half radial basis, half sequence offset.
    """
    node_s, node_v = node_features(batch.coordinates, batch.batch)
    ca = batch.coordinates[:, CA_ATOM].t().contiguous()  # (3, N)
    source = batch.neighbours.reshape(-1)
    shape = batch.neighbours.shape
    delta = ca.index_select(1, source).view(3, *shape).sub_(ca[..., None])  # (3, N, k): from i to j
    distance = delta.square().sum(0).sqrt()
    later = batch.positions + batch.reach  # offsets from -reach on become rows from 0 on
    edge_v = (delta / distance.clamp_min(1e-6))[..., None]
    weights = None
    if batch.edge_valid is not None:
        valid = batch.edge_valid.to(ca.dtype)
        weights = valid / valid.sum(-1, keepdim=True).clamp_min(1)
    return ResidueGraph(
        node_s=node_s,
        node_v=node_v,
        radial=radial_basis(distance, edge_scalars // 2),
        waves=offset_waves(batch.reach, edge_scalars // 2, like=ca),
        offsets=later.index_select(0, source).view(shape) - batch.positions[:, None],
        edge_v=edge_v,
        neighbours=batch.neighbours,
        edge_weights=weights,
    )


def radial_basis(distance: Tensor, count: int) -> Tensor:
    """(..., count) Gaussians of the distance, centres evenly on 0..20 angstrom, width their spacing.

    As powers of two that stay above the smallest normal number: exp is several times slower, and more so
    where its result is zero. In float32 within 2e-6 of the exact value (exp: 1e-6).
    """
    scale = math.sqrt(math.log2(math.e))  # exp(-x^2) = 2^-(scale x)^2
    centres = torch.linspace(0, count * scale, count, device=distance.device, dtype=distance.dtype)
    gap = (distance * (count * scale / RBF_MAX))[..., None] - centres
    return gap.square_().neg_().clamp_min_(LEAST_EXPONENT).exp2_()


def offset_waves(reach: int, count: int, like: Tensor) -> Tensor:
    """(2 reach + 1, count) sines and cosines of the sequence offsets j - i from -reach to reach.

    On the device and of the type of ``like``. Source: Vaswani et al. 2017, section 3.5.
    """
    rate = torch.exp(torch.arange(0, count, 2, device=like.device) * (-math.log(1e4) / count))
    angle = torch.arange(-reach, reach + 1, device=like.device)[:, None] * rate
    return torch.cat([angle.cos(), angle.sin()], -1)[:, :count].to(like.dtype)
