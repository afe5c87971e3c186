"""Differentiable partitioner: cuts a graph of embedded residues into at most S disjoint, connected blobs.

Shapes: B proteins, N residues (flat), E symmetrised edges, S = ``max_clusters``, D embedding width.
Algorithm, section 3 (Wang & Oliver, "BioBlobs", arXiv 2510.01632).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch_geometric.nn.pool.select import Select, SelectOutput
from torch_geometric.utils import remove_self_loops, scatter, to_undirected

from bioblobs.graphs.layout import Layout, Neighbourhoods, put
from bioblobs.ops.growth import compiled, reference
from bioblobs.ops.growth.reference import LOCAL_STATISTICS, Growth, Inputs, Terms

INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


@dataclass
class Blobs:
    """Blobs of a batch. Slots that a protein did not fill are False in ``mask`` and zero elsewhere.

    Attributes:
        assignment: (N,) slot of each residue in its protein, -1 outside every blob.
        membership: (N,) p of the residue when it joined; 1 for seeds, 0 outside every blob.
        soft: (N,) membership with the gradient of the soft weights, forward 0.
        seeds: (N,) True on the residue that a blob grew from.
        embedding: (B, S, D) mean over members; its gradient is that of the soft mean.
        mask: (B, S) True on real blobs.
        size: (B, S) number of members.
        expected_size: (B, S) 1 + sum of p over candidates, with its gradient.
    """

    assignment: Tensor
    membership: Tensor
    soft: Tensor
    seeds: Tensor
    embedding: Tensor
    mask: Tensor
    size: Tensor
    expected_size: Tensor


class Partitioner(Select):
    """Grow blobs one after another, in all proteins of the batch at once.

    A slot: seed by (Gumbel-)arg max of an MLP over [x_i, context]; candidates are the free residues
    within ``k_hop`` edges of it; then ``k_hop`` rounds in which a candidate next to the blob joins if

        p_i = sigmoid((<W_q seed, W_k x_i>/sqrt(d) + alpha * into_i/degree_i - theta) / tau) > 1/2,

    best p first, up to ``cluster_size_max``; into_i counts the edges from i into the blob. Members join
    next to members, so a blob is connected. In training seeds are drawn with Gumbel noise at temperature
    ``tau`` (Jang et al. 2017); in evaluation nothing is random.

    Args:
        in_channels: width D of the residue embeddings.
        max_clusters: S, most blobs per protein.
        cluster_size_max: most residues per blob.
        termination_threshold: a protein stops once this share of its residues is covered.
        k_hop: radius of a blob in edges from its seed.
        hidden: width of the seed and threshold heads and of queries and keys.
        context_step: how far the protein context moves toward the blob just made.
    """

    def __init__(
        self,
        in_channels: int,
        max_clusters: int = 10,
        cluster_size_max: int = 15,
        termination_threshold: float = 0.95,
        k_hop: int = 2,
        hidden: int = 64,
        context_step: float = 0.1,
    ) -> None:
        super().__init__()
        for name, least in (
            ("max_clusters", max_clusters),
            ("cluster_size_max", cluster_size_max),
            ("k_hop", k_hop),
        ):
            if least < 1:
                raise ValueError(f"{name}: expected at least 1; got {least}")
        self.max_clusters = max_clusters
        self.cluster_size_max = cluster_size_max
        self.termination_threshold = termination_threshold
        self.k_hop = k_hop
        self.context_step = context_step
        self.seed_residue = nn.Linear(in_channels, hidden)
        self.seed_context = nn.Linear(in_channels, hidden, bias=False)
        self.seed_logit = nn.Linear(hidden, 1, bias=False)  # a bias would change no softmax
        self.query = nn.Linear(in_channels, hidden, bias=False)
        self.key = nn.Linear(in_channels, hidden, bias=False)
        self.alpha = nn.Parameter(torch.ones(()))
        self.threshold = nn.Sequential(
            nn.Linear(2 * in_channels + LOCAL_STATISTICS, hidden), nn.ReLU(), nn.Linear(hidden, 1)
        )
        self.update = nn.Linear(in_channels, in_channels)
        self.tau: Tensor
        self.register_buffer("tau", torch.ones(()))

    def reset_parameters(self) -> None:
        """Set all parameters and the temperature to those of a new layer, drawn in the same order."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                module.reset_parameters()
        nn.init.ones_(self.alpha)
        nn.init.ones_(self.tau)

    def __repr__(self) -> str:
        shape = f"max_clusters={self.max_clusters}, cluster_size_max={self.cluster_size_max}"
        return f"{type(self).__name__}({self.query.in_features}, {shape}, k_hop={self.k_hop})"

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        batch: Tensor | None = None,
        undirected: bool = False,
        batch_size: int | None = None,
    ) -> SelectOutput:
        """Select blobs as PyG's :class:`SelectOutput`: blob s of graph b is cluster ``b * S + s``.

        ``weight`` is 1 on every member, with the gradient of its soft weight. Clusters of a graph without
        nodes stay empty.

        Args:
            x: (N, D) node embeddings.
            edge_index: (2, E), directed or not.
            batch: (N,) graph of each node, sorted; None for one graph.
            undirected: True where ``edge_index`` holds both directions of every edge, once each.
            batch_size: number of graphs; None: up to the last one that has a node.

        Raises:
            ValueError: ``x`` is of another shape or not finite; an edge names a node that is not there or
                joins two graphs; ``batch`` is not sorted, names a graph beyond ``batch_size``, or is not one
                integer per node.
        """
        self._check_nodes(x)
        edge_index = _checked_edges(edge_index, len(x))
        batch, size = _checked_batch(batch, x, batch_size)
        if not undirected:
            edge_index = to_undirected(remove_self_loops(edge_index)[0], num_nodes=len(x))
        edge_index = edge_index[:, edge_index[1].argsort(stable=True)]
        if (batch[edge_index[0]] != batch[edge_index[1]]).any():
            raise ValueError("edge_index: expected both ends of every edge in the same graph of batch")
        if len(x):
            # Graphs without nodes are left out meanwhile: a blob needs a seed.
            filled, place = batch.unique_consecutive(return_inverse=True)
            blobs = self.partition(x, edge_index, place, len(filled))
            assignment, soft = blobs.assignment, blobs.soft
        else:
            assignment, soft = batch, x.new_zeros(0)
        member = (assignment >= 0).nonzero().squeeze(-1)
        return SelectOutput(
            node_index=member,
            num_nodes=len(x),
            cluster_index=batch[member] * self.max_clusters + assignment[member],
            num_clusters=size * self.max_clusters,
            weight=1 + soft[member],
        )

    def partition(
        self, x: Tensor, edge_index: Tensor, batch: Tensor, size: int, longest: int | None = None
    ) -> Blobs:
        """Cut a flat batch into blobs.

        Args:
            x: (N, D) residue embeddings.
            edge_index: (2, E) symmetrised, without repeats or loops, sorted by target.
            batch: (N,) protein of each residue, sorted; each of the ``size`` proteins has a residue.
            longest: residues of the longest protein; counted if None.
        """
        with torch.autocast(x.device.type, enabled=False):  # choices need full precision
            return self._partition(x.float(), edge_index, Layout(batch, size, longest))

    def _partition(self, x: Tensor, edge_index: Tensor, layout: Layout) -> Blobs:
        inputs = Inputs(
            x=x,
            projected=self.seed_residue(x),  # once per protein, not per slot
            keys=self.key(x),
            context=scatter(x, layout.batch, dim_size=layout.size, reduce="mean"),
            seed_context=self.seed_context.weight,
            seed_logit=self.seed_logit.weight,
            query=self.query.weight,
            alpha=self.alpha,
            threshold=self.threshold.get_parameter("0.weight"),
            threshold_bias=self.threshold.get_parameter("0.bias"),
            theta=self.threshold.get_parameter("2.weight"),
            theta_bias=self.threshold.get_parameter("2.bias"),
            update=self.update.weight,
            update_bias=self.update.bias,
        )
        terms = Terms(
            max_clusters=self.max_clusters,
            cluster_size_max=self.cluster_size_max,
            termination_threshold=self.termination_threshold,
            k_hop=self.k_hop,
            context_step=self.context_step,
            tau=self.tau,
            noise=self._noise(x),
        )
        grow = compiled.grow if compiled.suits(x) else reference.grow
        return _blobs(grow(inputs, terms, layout, Neighbourhoods(edge_index, len(x))))

    def _check_nodes(self, x: Tensor) -> None:
        if x.shape[1:] != (self.query.in_features,):
            raise ValueError(f"x: expected shape (N, {self.query.in_features}); got {tuple(x.shape)}")
        if not torch.isfinite(x).all():
            row = int((~torch.isfinite(x)).any(1).nonzero()[0])
            raise ValueError(f"x: expected finite embeddings; node {row} has another value")

    def _noise(self, x: Tensor) -> Tensor | None:
        """Draw (S, N) Gumbel noise for the seeds of every slot; None in evaluation."""
        if not self.training:
            return None
        uniform = x.new_empty(self.max_clusters, len(x)).uniform_(torch.finfo(x.dtype).tiny, 1)
        return -(-uniform.log_()).log_()


def _checked_edges(edge_index: Tensor, nodes: int) -> Tensor:
    """Check that both ends of every edge are nodes; return int64."""
    if edge_index.dim() != 2 or len(edge_index) != 2:
        raise ValueError(f"edge_index: expected shape (2, E); got {tuple(edge_index.shape)}")
    if edge_index.numel() and edge_index.dtype not in INTEGERS:
        raise ValueError(f"edge_index: expected integers; got {edge_index.dtype}")
    if (outside := edge_index[(edge_index < 0) | (edge_index >= nodes)]).numel():
        raise ValueError(f"edge_index: expected nodes 0..{nodes - 1}; got {int(outside[0])}")
    return edge_index.long()


def _checked_batch(batch: Tensor | None, x: Tensor, size: int | None) -> tuple[Tensor, int]:
    """Graph of each node, int64, and number of graphs."""
    if batch is None:
        batch = x.new_zeros(len(x), dtype=torch.long)
    if batch.shape != (len(x),) or batch.is_floating_point() or batch.is_complex():
        raise ValueError(
            f"batch: expected one integer per node, shape ({len(x)},); got {batch.dtype} {tuple(batch.shape)}"
        )
    batch = batch.long()
    if (batch.diff() < 0).any() or (batch[:1] < 0).any():
        raise ValueError("batch: expected graphs from 0 on, sorted; sort the nodes by graph")
    last = int(batch[-1]) if len(batch) else -1
    if size is not None and last >= size:
        raise ValueError(f"batch_size: expected more than the last graph of batch, {last}; got {size}")
    return batch, last + 1 if size is None else size


def _blobs(made: Growth) -> Blobs:
    """Convert the slots to one value per residue and one per blob."""
    rows, p, size = made.rows, made.p, made.size.t()
    slots, residues = p.shape
    number = torch.arange(slots, device=rows.device)[:, None, None].expand_as(rows)
    assignment = put(rows, number, residues, -1)
    inside, chosen = assignment >= 0, assignment.clamp_min(0)[None]
    seeds = put(rows[..., 0], torch.ones_like(rows[..., 0], dtype=torch.bool), residues, False)
    return Blobs(
        assignment=assignment,
        membership=p.gather(0, chosen)[0].mul_(inside).masked_fill_(seeds, 1.0),
        soft=made.soft.gather(0, chosen)[0] * inside,
        seeds=seeds,
        embedding=made.embedding,
        mask=size > 0,
        size=size,
        expected_size=made.expected_size,
    )
