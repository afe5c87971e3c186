"""Geometric vector perceptrons on (scalars, vectors) pairs.

Shapes, here and in every module that imports this one: N residues, k neighbours a residue, n scalar
channels, v vector channels. Scalars are (..., n); vectors are (3, ..., v), the space axis outermost,
so that mixing vector channels is one matrix product over contiguous rows.

Source: Jing et al., "Learning from Protein Structure with Geometric Vector Perceptrons" (ICLR 2021)
and the vector-gated successor (arXiv 2106.03843), whose equations the classes below name.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Dims = tuple[int, int]
"""(scalar channels, vector channels)."""

Pair = tuple[Tensor, Tensor]
"""(scalars (..., n), vectors (3, ..., v))."""

_EPS = 1e-8


def vector_norm(vectors: Tensor) -> Tensor:
    """Length of each vector, with a finite gradient at zero: (3, ..., v) -> (..., v)."""
    return vectors.square().sum(0).clamp_min(_EPS).sqrt()


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
        return self._finish(self.w_s(torch.cat([scalars, vector_norm(hidden)], -1)), hidden)

    def _finish(self, s_pre: Tensor, hidden: Tensor) -> Pair:
        """Gate the vectors and activate the scalars: s_pre (..., n), hidden (3, ..., h)."""
        scalars = F.relu(s_pre) if self.activation else s_pre
        if not self.dims_out[1]:
            return scalars, hidden[..., :0]
        return scalars, self.w_v(hidden) * torch.sigmoid(self.gate(s_pre))  # (3, ..., v)


class MessageGVP(GVP):
    """The GVP of [h_j, e_ji, h_i], its node parts computed once a residue instead of once an edge.

    A linear map of a concatenation is the sum of the linear maps of its parts, so the parts of h_j and
    h_i are products over N rows that are gathered (j) or broadcast (i) to the N x k edges. Parameters
    are those of the plain :class:`GVP` over the concatenation; so is the result.
    """

    def __init__(self, node: Dims, edge: Dims, dims_out: Dims) -> None:
        super().__init__((2 * node[0] + edge[0], 2 * node[1] + edge[1]), dims_out)
        self.scalar_parts = [node[0], edge[0], node[0], self.hidden]
        self.vector_parts = [node[1], edge[1], node[1]]

    def message(self, node: Pair, edge: Pair, neighbours: Tensor) -> Pair:
        """Messages of all edges.

        Args:
            node: scalars (N, n) and vectors (3, N, v).
            edge: scalars (N, k, e) and vectors (3, N, k, w) of the edge from each neighbour.
            neighbours: (N, k) row of the source residue of each edge.

        Returns:
            Scalars (N, k, n') and vectors (3, N, k, v').
        """
        (s, v), (edge_s, edge_v) = node, edge
        n, k = neighbours.shape
        source = neighbours.reshape(-1)
        s_j, s_e, s_i, s_norm = self.w_s.weight.split(self.scalar_parts, 1)
        v_j, v_e, v_i = self.w_h.weight.split(self.vector_parts, 1)
        hidden = F.linear(v, v_j).index_select(1, source).view(3, n, k, -1)  # (3, N, k, h)
        hidden = hidden + F.linear(edge_v, v_e) + F.linear(v, v_i).unsqueeze(2)
        s_pre = F.linear(s, s_j).index_select(0, source).view(n, k, -1)  # (N, k, n')
        s_pre = s_pre + F.linear(edge_s, s_e, self.w_s.bias) + F.linear(s, s_i).unsqueeze(1)
        return self._finish(s_pre + F.linear(vector_norm(hidden), s_norm), hidden)


class PairNorm(nn.Module):
    """LayerNorm of the scalars; vectors divided by the root mean square of their lengths.

    One divisor a residue over all its vector channels keeps the result equivariant.
    """

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        self.scalar = nn.LayerNorm(dims[0])

    def forward(self, scalars: Tensor, vectors: Tensor) -> Pair:
        """Normalised pair of the same shapes."""
        mean_square = vectors.square().sum(0).mean(-1, keepdim=True)  # (..., 1)
        return self.scalar(scalars), vectors * mean_square.clamp_min(_EPS).rsqrt()


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


def neighbour_mean(messages: Tensor, weights: Tensor | None) -> Tensor:
    """Mean over the incoming edges of each residue: (..., N, k, c) -> (..., N, c).

    Args:
        weights: (N, k), 1/degree on real edges and 0 on padding; None where all k edges are real.
    """
    if weights is None:
        return messages.mean(-2)
    return torch.einsum("...nkc,nk->...nc", messages, weights.to(messages.dtype))


class GVPLayer(nn.Module):
    """Message of three GVPs, mean over neighbours, two-GVP feed-forward; residuals and norms.

    ``norm_first`` normalises the input of each branch (pre-norm); otherwise the sum after it, as the
    original does.
    """

    def __init__(self, node: Dims, edge: Dims, drop_rate: float, norm_first: bool) -> None:
        super().__init__()
        self.norm_first = norm_first
        self.first = MessageGVP(node, edge, node)
        self.second = GVP(node, node)
        self.third = GVP(node, node, activation=False)
        wide = (4 * node[0], 2 * node[1])
        self.widen, self.narrow = GVP(node, wide), GVP(wide, node, activation=False)
        self.norms = nn.ModuleList([PairNorm(node), PairNorm(node)])
        self.dropout = PairDropout(drop_rate)

    def forward(self, node: Pair, edge: Pair, neighbours: Tensor, weights: Tensor | None) -> Pair:
        """Updated (N, n), (3, N, v); arguments as of :meth:`MessageGVP.message` and neighbour_mean."""
        x = self.norms[0](*node) if self.norm_first else node
        messages = self.third(*self.second(*self.first.message(x, edge, neighbours)))
        update = (neighbour_mean(messages[0], weights), neighbour_mean(messages[1], weights))
        node = self._residual(node, update, 0)
        x = self.norms[1](*node) if self.norm_first else node
        return self._residual(node, self.narrow(*self.widen(*x)), 1)

    def _residual(self, node: Pair, update: Pair, branch: int) -> Pair:
        s, v = self.dropout(*update)
        total = (node[0] + s, node[1] + v)
        return total if self.norm_first else self.norms[branch](*total)
