"""Message of a GVP layer: three GVPs over [h_j, e_ji, h_i], averaged over the neighbours j of i."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from bioblobs.models.gvp import GVP, Dims, Pair
from bioblobs.ops.message import compiled
from bioblobs.ops.message.reference import Inputs, Weights, mean_message


class Message(nn.Module):
    """m_i = mean_j GVP_3(GVP_2(GVP_1([h_j, e_ji, h_i]))), the last without activation (Jing et al. 2021).

    The parameters are those of three plain :class:`~bioblobs.models.gvp.GVP`, and so is the result;
    :mod:`bioblobs.ops.message.reference` states how it is computed.

    Attributes:
        keep: hold the activations of each edge for the backward pass; False computes them again, which
            takes more time and a fraction of the memory. Compiled messages always do.
    """

    def __init__(self, node: Dims, edge: Dims) -> None:
        super().__init__()
        self.first = GVP((2 * node[0] + edge[0], 2 * node[1] + edge[1]), node)
        self.second = GVP(node, node)
        self.third = GVP(node, node, activation=False)
        self.scalar_parts = [node[0], edge[0], node[0], self.first.hidden]
        self.vector_parts = [node[1], edge[1], node[1]]
        self.keep = True

    def forward(self, node: Pair, edge: Pair, neighbours: Tensor, edge_weights: Tensor | None) -> Pair:
        """Mean messages (N, n), (3, N, v); zero for a residue without edges.

        Args:
            node: scalars (N, n) and vectors (3, N, v).
            edge: scalars (N, k, e) and vectors (3, N, k, w) of the edge from each neighbour.
            neighbours: (N, k) row of the source residue of each edge.
            edge_weights: (N, k), 1/degree on real edges and 0 on padding; None where all are real.
        """
        first, second, third = self.first, self.second, self.third
        s_j, s_e, s_i, s_length = first.w_s.weight.split(self.scalar_parts, 1)
        v_j, v_e, v_i = first.w_h.weight.split(self.vector_parts, 1)
        inputs = Inputs(
            scalars_j=F.linear(node[0], s_j, first.w_s.bias),
            scalars_i=F.linear(node[0], s_i),
            vectors_j=F.linear(node[1], v_j),
            vectors_i=F.linear(node[1], v_i),
            edge_s=edge[0],
            edge_v=edge[1],
        )
        affine = torch.cat([third.w_s.weight, third.w_s.bias[:, None]], 1)  # (n, n + v + 1)
        weights = Weights(
            hidden1=v_e,
            scalar1=torch.cat([s_e, s_length], 1),
            vector1=first.w_v.weight,
            gate1=first.gate.weight,
            gate_bias1=first.gate.bias,
            hidden2=second.w_h.weight,
            scalar2=torch.cat([second.w_s.weight, second.w_s.bias[:, None]], 1),
            vector2=second.w_v.weight,
            gate2=second.gate.weight,
            gate_bias2=second.gate.bias,
            hidden3=third.w_h.weight,
            vector3=third.w_v.weight,
            gate3=third.gate.weight @ affine + F.pad(third.gate.bias[:, None], (affine.shape[1] - 1, 0)),
        )
        given = inputs, neighbours, edge_weights, weights
        if compiled.suits(inputs.scalars_j):
            scalars, vectors = compiled.mean_message(*given)
        elif self.keep or not torch.is_grad_enabled():
            scalars, vectors = mean_message(*given)
        else:
            scalars, vectors = checkpoint(mean_message, *given, use_reentrant=False, preserve_rng_state=False)
        return F.linear(scalars, affine), vectors
