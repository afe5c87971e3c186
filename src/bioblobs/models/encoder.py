"""GVP-GNN: residue graph -> one invariant embedding per residue."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from bioblobs.errors import BioBlobsError
from bioblobs.graphs.backbone import NODE_DIMS
from bioblobs.graphs.residue_graph import EDGE_VECTORS, ResidueGraph
from bioblobs.models.gvp import GVP, Dims, Pair, PairDropout, PairNorm
from bioblobs.models.message import Message
from bioblobs.ops.message.reference import lengths

SEQUENCE_DIM = 20
"""Width of the learned embedding of residue identity."""


class GVPLayer(nn.Module):
    """Mean message over neighbours, then a two-GVP feed-forward; residuals and norms.

    ``norm_first`` normalises the input of each branch (pre-norm); otherwise the sum after it, as the
    original does.
    """

    def __init__(self, node: Dims, edge: Dims, drop_rate: float, norm_first: bool) -> None:
        super().__init__()
        self.norm_first, self.keep = norm_first, True
        self.message = Message(node, edge)
        wide = (4 * node[0], 2 * node[1])
        self.widen, self.narrow = GVP(node, wide), GVP(wide, node, activation=False)
        self.norms = nn.ModuleList([PairNorm(node), PairNorm(node)])
        self.dropout = PairDropout(drop_rate)

    def forward(self, node: Pair, edge: Pair, neighbours: Tensor, edge_weights: Tensor | None) -> Pair:
        """Updated (N, n), (3, N, v); arguments as of :class:`~bioblobs.models.message.Message`."""
        x = self.norms[0](*node) if self.norm_first else node
        node = self._residual(node, self.message(x, edge, neighbours, edge_weights), 0)
        if self.keep or not torch.is_grad_enabled():
            update = self._feed_forward(*node)
        else:  # nothing in it is random
            update = checkpoint(self._feed_forward, *node, use_reentrant=False, preserve_rng_state=False)
        return self._residual(node, update, 1)

    def _feed_forward(self, scalars: Tensor, vectors: Tensor) -> Pair:
        x = self.norms[1](scalars, vectors) if self.norm_first else (scalars, vectors)
        return self.narrow(*self.widen(*x))

    def _residual(self, node: Pair, update: Pair, branch: int) -> Pair:
        s, v = self.dropout(*update)
        total = (node[0] + s, node[1] + v)
        return total if self.norm_first else self.norms[branch](*total)


class Encoder(nn.Module):
    """GVP-GNN (algorithm, section 2; Jing et al. 2021): ``num_layers`` layers, then one GVP to D scalars.

    Args:
        node_in_dim: must be the (6, 3) that :func:`~bioblobs.graphs.residue_graph.build_graph` makes.
        edge_in_dim: (e, 1), e even: the number of edge scalars that the graph is built with.
        node_h_dim: (D, v) width of the residue representation.
        edge_h_dim: width of the edge representation, made once and used by every layer.
        residue_symbols: size of the residue alphabet; 0 leaves residue identity out.
        embedding_dim: width E of embeddings that come with the residues, which a linear map of their layer
            norm brings to D scalars; 0: there are none.
        norm_first: normalise before each branch of a layer instead of after its sum.
    """

    def __init__(
        self,
        node_in_dim: Dims = NODE_DIMS,
        node_h_dim: Dims = (100, 16),
        edge_in_dim: Dims = (32, EDGE_VECTORS),
        edge_h_dim: Dims = (32, 1),
        num_layers: int = 3,
        drop_rate: float = 0.1,
        residue_symbols: int = 21,
        norm_first: bool = True,
        embedding_dim: int = 0,
    ) -> None:
        super().__init__()
        scalars, self.embedding_dim = node_in_dim[0], embedding_dim
        if residue_symbols:
            self.identity = nn.Embedding(residue_symbols, SEQUENCE_DIM)
            scalars += SEQUENCE_DIM
        if embedding_dim:
            self.embedding = nn.Sequential(
                nn.LayerNorm(embedding_dim), nn.Linear(embedding_dim, node_h_dim[0])
            )
            scalars += node_h_dim[0]
        self.node_in = GVP((scalars, node_in_dim[1]), node_h_dim, activation=False)
        self.edge_in = GVP(edge_in_dim, edge_h_dim, activation=False)
        self.node_norm, self.edge_norm = PairNorm(node_h_dim), PairNorm(edge_h_dim)
        self.layers = nn.ModuleList(
            GVPLayer(node_h_dim, edge_h_dim, drop_rate, norm_first) for _ in range(num_layers)
        )
        self.out_norm = PairNorm(node_h_dim)
        self.out = GVP(node_h_dim, (node_h_dim[0], 0))

    def keep_activations(self, keep: bool) -> None:
        """Keep activations for the backward pass, or compute them again (less memory)."""
        for module in self.modules():
            if isinstance(module, GVPLayer | Message):
                module.keep = keep

    def forward(self, graph: ResidueGraph, residue_types: Tensor, embeddings: Tensor | None = None) -> Tensor:
        """Residue embeddings (N, D); arguments as of :meth:`scalars`."""
        return self.embed(self.scalars(graph, residue_types, embeddings), graph.node_v, graph)

    def scalars(self, graph: ResidueGraph, residue_types: Tensor, embeddings: Tensor | None = None) -> Tensor:
        """(N, n) scalar features: dihedrals and, where used, residue identity and embeddings.

        Args:
            residue_types: (N,) indexes the residue alphabet.
            embeddings: (N, E) that came with the residues; not looked at by an encoder of none.

        Raises:
            BioBlobsError: there are none of this encoder's width.
        """
        parts = [graph.node_s]
        if hasattr(self, "identity"):
            parts.append(self.identity(residue_types))
        if self.embedding_dim:
            found = 0 if embeddings is None else embeddings.shape[1]
            if embeddings is None or found != self.embedding_dim:
                raise BioBlobsError(
                    f"data.embeddings: the model reads {self.embedding_dim} numbers per residue; the chains "
                    f"come with {found or 'none'}"
                )
            parts.append(self.embedding(embeddings.float()))
        return torch.cat(parts, -1) if len(parts) > 1 else parts[0]

    def embed(self, node_s: Tensor, node_v: Tensor, graph: ResidueGraph) -> Tensor:
        """Residue embeddings (N, D) from :meth:`scalars` and (3, N, v) vectors, on the edges of ``graph``."""
        node = self.node_norm(*self.node_in(node_s, node_v))
        edge = self.edge_norm(*self._edges(graph))
        for layer in self.layers:
            node = layer(node, edge, graph.neighbours, graph.edge_weights)
        return self.out(*self.out_norm(*node))[0]

    def _edges(self, graph: ResidueGraph) -> Pair:
        """Edge embeddings: a GVP over [radial, waves], (N, k, e) and (3, N, k, w).

        A linear map of a concatenation is a sum of maps; that of the waves is one of their table.
        """
        gvp = self.edge_in
        hidden = gvp.w_h(graph.edge_v)
        parts = [graph.radial.shape[-1], graph.waves.shape[-1], gvp.hidden]
        radial, waves, length = gvp.w_s.weight.split(parts, 1)
        table = F.linear(graph.waves, waves, gvp.w_s.bias)
        of_offset = table.index_select(0, graph.offsets.view(-1)).view(*graph.offsets.shape, -1)
        s_pre = of_offset + F.linear(graph.radial, radial) + F.linear(lengths(hidden), length)
        return gvp.gated(s_pre, hidden)
