"""A batch of proteins as one flat residue graph, its features computed from coordinates.

Shapes: N residues in the batch (flat, no padding), k neighbours per residue. Coordinates are in angstrom,
angles in radians. Vectors are (3, ..., v): see :mod:`bioblobs.models.gvp`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from bioblobs.graphs.backbone import node_features
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.proteins.geometry import CA_ATOM

EDGE_VECTORS = 1
RBF_MAX = 20.0
"""Upper end of the distances that the radial basis resolves, angstrom."""
LEAST_EXPONENT = -120.0
"""Of two, in the radial basis: 2^-120 is as good as zero."""


@dataclass
class ResidueGraph:
    """Features of a batch; edges of residue i are row i of the (N, k) arrays, so sorted by target.

    Attributes:
        node_s, node_v: (N, 6) and (3, N, 3).
        radial: (N, k, e/2) radial basis of the distance, the first half of the edge scalars.
        waves: (R, e/2) sines and cosines of every sequence offset that may occur, the second half.
        offsets: (N, k) int32 row of ``waves`` of each edge: there are fewer offsets than edges.
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


NodeFeatures = tuple[Tensor, Tensor]
"""Scalars (N, 6) and vectors (3, N, 3) of residues."""


def build_graph(
    batch: ProteinBatch, edge_scalars: int = 32, nodes: NodeFeatures | None = None
) -> ResidueGraph:
    """Compute the features of a whole batch at once (algorithm, section 1).

    Args:
        edge_scalars: width e of the edge scalars, even: half radial basis, half sequence offset.
        nodes: features of the residues, where they are known from the chain that these were cut from; None:
            from the coordinates of the batch.
    """
    node_s, node_v = nodes or node_features(batch.coordinates, batch.batch)
    radial, edge_v, offsets = edge_features(batch, edge_scalars // 2)
    weights = None
    if batch.edge_valid is not None:
        valid = batch.edge_valid.to(radial.dtype)
        weights = valid / valid.sum(-1, keepdim=True).clamp_min(1)
    return ResidueGraph(
        node_s=node_s,
        node_v=node_v,
        radial=radial,
        waves=offset_waves(batch.reach, edge_scalars // 2, like=radial),
        offsets=offsets,
        edge_v=edge_v,
        neighbours=batch.neighbours,
        edge_weights=weights,
    )


def edge_features(batch: ProteinBatch, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Radial basis (N, k, count), directions (3, N, k, 1) and rows of the offsets' table (N, k) int32."""
    ca, positions = batch.coordinates[:, CA_ATOM].t().contiguous(), batch.positions.int()  # (3, N), (N,)
    source, shape = batch.neighbours.reshape(-1), batch.neighbours.shape
    delta = ca.index_select(1, source).view(3, *shape).sub_(ca[..., None])  # (3, N, k): from i to j
    distance = delta.square().sum(0).sqrt()
    later = positions + batch.reach  # offsets from -reach on become rows from 0 on
    return (
        radial_basis(distance, count),
        (delta / distance.clamp_min(1e-6))[..., None],
        later.index_select(0, source).view(shape) - positions[:, None],
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
