"""The message of three GVPs and its mean over neighbours, in torch's operations.

Two identities save arithmetic without changing the result. A linear map of a concatenation is a sum of
linear maps, so the parts that see only h_j or h_i are products over N residues, not N x k edges. The
third GVP has no activation, so the mean over neighbours passes through its scalar map:
:func:`mean_message` returns the mean of that map's input.

Shapes: N residues, k neighbours, n and v scalar and vector channels of the residues, e and w those of the
edges, h hidden vector channels of the first GVP. Vectors are (3, ..., channels).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

EPS, HALF_EPS = 1e-8, 1e-6
"""Added to squared lengths, so that a zero vector has a finite gradient; in fp16 1e-8 is zero."""


class Inputs(NamedTuple):
    """Per-residue and per-edge inputs of the message."""

    scalars_j: Tensor  # (N, n) part of the first GVP's scalars from the source residue
    scalars_i: Tensor  # (N, n) from the target residue
    vectors_j: Tensor  # (3, N, h) part of its hidden vectors from the source residue
    vectors_i: Tensor  # (3, N, h) from the target residue
    edge_s: Tensor  # (N, k, e)
    edge_v: Tensor  # (3, N, k, w)


class Weights(NamedTuple):
    """Weights of the edge-wise part, each (out, in) as in ``torch.nn.Linear``; digits count the GVPs."""

    hidden1: Tensor  # (h, w), of the edge vectors
    scalar1: Tensor  # (n, e + h), of [edge scalars, lengths]
    vector1: Tensor  # (v, h)
    gate1: Tensor  # (v, n)
    gate_bias1: Tensor
    hidden2: Tensor  # (v, v)
    scalar2: Tensor  # (n, n + v + 1), of [scalars, lengths, 1]
    vector2: Tensor  # (v, v)
    gate2: Tensor  # (v, n)
    gate_bias2: Tensor
    hidden3: Tensor  # (v, v)
    vector3: Tensor  # (v, v)
    gate3: Tensor  # (v, n + v + 1), of [scalars, lengths, 1]: through the third GVP's scalar map


def mean_message(
    inputs: Inputs, neighbours: Tensor, edge_weights: Tensor | None, w: Weights
) -> tuple[Tensor, Tensor]:
    """Average the message over the neighbours of each residue.

    Args:
        inputs: see there.
        neighbours: (N, k) source residue of each edge.
        edge_weights: (N, k), 1/degree on real edges and 0 on padding; None where all k edges are real.
        w: see :class:`Weights`.

    Returns:
        (N, n + v + 1) mean of [scalars, lengths, 1], the input of the third GVP's scalar map, and (3, N, v)
        mean message vectors. Means are taken in fp32 where the rest runs in a narrower type.
    """
    hidden = inputs.vectors_j[:, neighbours] + inputs.vectors_i[:, :, None]
    hidden = hidden + F.linear(inputs.edge_v, w.hidden1)  # (3, N, k, h)
    pre = inputs.scalars_j[neighbours] + inputs.scalars_i[:, None]
    pre = pre + F.linear(torch.cat([inputs.edge_s, lengths(hidden)], -1), w.scalar1)  # (N, k, n)
    vectors = F.linear(hidden, w.vector1) * F.linear(pre, w.gate1, w.gate_bias1).sigmoid()

    hidden = F.linear(vectors, w.hidden2)
    pre = F.linear(_scalars(pre, hidden), w.scalar2)
    vectors = F.linear(hidden, w.vector2) * F.linear(pre, w.gate2, w.gate_bias2).sigmoid()

    hidden = F.linear(vectors, w.hidden3)
    scalars = _scalars(pre, hidden)  # (N, k, n + v + 1)
    vectors = F.linear(hidden, w.vector3) * F.linear(scalars, w.gate3).sigmoid()  # (3, N, k, v)
    return _mean(scalars, edge_weights), _mean(vectors, edge_weights)


def lengths(vectors: Tensor) -> Tensor:
    """Length of each vector, with a finite gradient at zero: (3, ..., v) -> (..., v)."""
    eps = HALF_EPS if vectors.dtype == torch.float16 else EPS
    return (vectors.square().sum(0) + eps).sqrt()


def _scalars(pre: Tensor, hidden: Tensor) -> Tensor:
    """[relu(pre), lengths of hidden, 1]; the column of ones carries the bias of the next map."""
    return torch.cat([pre.relu(), lengths(hidden).to(pre.dtype), torch.ones_like(pre[..., :1])], -1)


def _mean(values: Tensor, edge_weights: Tensor | None) -> Tensor:
    """(..., N, k, channels) -> (..., N, channels)."""
    values = values.to(torch.promote_types(values.dtype, torch.float32))
    if edge_weights is None:
        return values.mean(-2)
    return (values * edge_weights[..., None]).sum(-2)
