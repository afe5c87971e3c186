"""Geometric vector perceptrons on (scalars, vectors) pairs.

Shapes, here and in every module that imports this one: N residues, k neighbours per residue, n scalar
channels, v vector channels. Scalars are (..., n); vectors are (3, ..., v), the space axis outermost,
so that mixing vector channels is one matrix product over contiguous rows.

Source: Jing et al., "Learning from Protein Structure with Geometric Vector Perceptrons" (ICLR 2021)
and the vector-gated successor (arXiv 2106.03843), whose equations the classes below name.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bioblobs.ops.message.reference import EPS, lengths

Dims = tuple[int, int]
"""(scalar channels, vector channels)."""

Pair = tuple[Tensor, Tensor]
"""(scalars (..., n), vectors (3, ..., v))."""


class GVP(nn.Module):
    """s' = act(W_s [s, |V W_h|] + b),  V' = sigmoid(W_g s_pre + b_g) * (V W_h W_v).

    ``s_pre`` is s' before its activation (the vector gate of arXiv 2106.03843, eq. 3). Scalars out
    are invariant, vectors out equivariant under rotation of the vectors in.
    """

    def __init__(self, dims_in: Dims, dims_out: Dims, activation: bool = True) -> None:
        super().__init__()
        self.dims_in, self.dims_out = dims_in, dims_out
        (n_in, v_in), (n_out, v_out) = dims_in, dims_out
        self.activation = activation
        self.hidden = max(v_in, v_out)
        self.w_h = nn.Linear(v_in, self.hidden, bias=False)
        self.w_s = nn.Linear(n_in + self.hidden, n_out)
        if v_out:
            self.w_v = nn.Linear(self.hidden, v_out, bias=False)
            self.gate = nn.Linear(n_out, v_out)

    def forward(self, scalars: Tensor, vectors: Tensor) -> Pair:
        """(..., n), (3, ..., v) -> (..., n'), (3, ..., v')."""
        hidden = self.w_h(vectors)  # (3, ..., h)
        return self.gated(self.w_s(torch.cat([scalars, lengths(hidden)], -1)), hidden)

    def gated(self, s_pre: Tensor, hidden: Tensor) -> Pair:
        """Scalars before their activation (..., n') and V W_h (3, ..., h) -> (..., n'), (3, ..., v')."""
        scalars = F.relu(s_pre) if self.activation else s_pre
        if not self.dims_out[1]:
            return scalars, hidden[..., :0]
        return scalars, self.w_v(hidden) * torch.sigmoid(self.gate(s_pre))  # (3, ..., v)


class PairNorm(nn.Module):
    """LayerNorm of the scalars; vectors divided by the root mean square of their lengths.

    One divisor per residue over all its vector channels keeps the result equivariant.
    """

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        self.scalar = nn.LayerNorm(dims[0])

    def forward(self, scalars: Tensor, vectors: Tensor) -> Pair:
        """Normalised pair of the same shapes."""
        mean_square = vectors.square().sum(0).mean(-1, keepdim=True)  # (..., 1)
        return self.scalar(scalars), vectors * mean_square.clamp_min(EPS).rsqrt()


class PairDropout(nn.Module):
    """Dropout of scalar channels, and of whole vector channels (all three components at once)."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, scalars: Tensor, vectors: Tensor) -> Pair:
        """Pair of the same shapes; itself in evaluation."""
        if not self.training or self.rate == 0:
            return scalars, vectors
        keep = F.dropout(vectors.new_ones(vectors.shape[1:]), self.rate)
        return F.dropout(scalars, self.rate), vectors * keep
