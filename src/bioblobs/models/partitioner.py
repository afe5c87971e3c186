"""Differentiable partitioner: residue embeddings and a graph -> at most S disjoint, connected blobs.

Shapes: B proteins, N residues (flat), E symmetrised edges, S = ``max_clusters``, D embedding width.
Algorithm, section 3 (Wang & Oliver, "BioBlobs", arXiv 2510.01632).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch_geometric.nn.pool.select import Select, SelectOutput
from torch_geometric.utils import degree, remove_self_loops, scatter, to_undirected

from bioblobs.models.segments import (
    rank_in_segment,
    segment_argmax,
    segment_pool,
    segment_softmax,
    segment_sum,
)

LOCAL_STATISTICS = 3
"""log #candidates, share of the seed's edges that go to candidates, density among candidates."""


@dataclass
class Blobs:
    """The blobs of a batch. Slots a protein did not fill are False in ``mask`` and zero elsewhere.

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


def straight_through(hard: Tensor, soft: Tensor) -> Tensor:
    """Value of ``hard``, gradient of ``soft`` alone (``hard`` must not carry the gradient as well)."""
    return soft + (hard - soft).detach()


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
        max_clusters: S, most blobs a protein.
        cluster_size_max: most residues a blob.
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
        self.max_clusters = max_clusters
        self.cluster_size_max = cluster_size_max
        self.termination_threshold = termination_threshold
        self.k_hop = k_hop
        self.context_step = context_step
        self.seed_residue = nn.Linear(in_channels, hidden)
        self.seed_context = nn.Linear(in_channels, hidden, bias=False)
        self.seed_logit = nn.Linear(hidden, 1)
        self.query = nn.Linear(in_channels, hidden, bias=False)
        self.key = nn.Linear(in_channels, hidden, bias=False)
        self.alpha = nn.Parameter(torch.ones(()))
        self.threshold = nn.Sequential(
            nn.Linear(2 * in_channels + LOCAL_STATISTICS, hidden), nn.ReLU(), nn.Linear(hidden, 1)
        )
        self.update = nn.Linear(in_channels, in_channels)
        self.tau: Tensor
        self.register_buffer("tau", torch.ones(()))

    def forward(
        self, x: Tensor, edge_index: Tensor, batch: Tensor | None = None, undirected: bool = False
    ) -> SelectOutput:
        """Blobs as PyG's :class:`SelectOutput`: blob s of protein b is cluster ``b * S + s``.

        ``weight`` is 1 on every member, with the gradient of its soft weight.

        Args:
            x: (N, D) node embeddings.
            edge_index: (2, E), directed or not.
            batch: (N,) graph of each node, sorted; None for one graph.
            undirected: True where ``edge_index`` holds both directions of every edge, once each.
        """
        if batch is None:
            batch = x.new_zeros(len(x), dtype=torch.long)
        if not undirected:
            edge_index = to_undirected(remove_self_loops(edge_index)[0], num_nodes=len(x))
        size = int(batch[-1]) + 1 if len(batch) else 0
        blobs = self.partition(x, edge_index, batch, size)
        member = (blobs.assignment >= 0).nonzero().squeeze(-1)
        return SelectOutput(
            node_index=member,
            num_nodes=len(x),
            cluster_index=batch[member] * self.max_clusters + blobs.assignment[member],
            num_clusters=size * self.max_clusters,
            weight=1 + blobs.soft[member],
        )

    def partition(self, x: Tensor, edge_index: Tensor, batch: Tensor, size: int) -> Blobs:
        """Blobs of a flat batch.

        Args:
            x: (N, D) residue embeddings.
            edge_index: (2, E) symmetrised, without repeats or loops.
            batch: (N,) protein of each residue, sorted; every one of the ``size`` proteins has one.
        """
        x = x.float()
        graph = _Graph(edge_index, batch, size)
        projected = (self.seed_residue(x), self.key(x))  # once a protein, not once a slot
        context = segment_pool(x, batch, size, "mean")  # (B, D)
        free = torch.ones_like(batch, dtype=torch.bool)
        active = free.new_ones(size)
        assignment = torch.full_like(batch, -1)
        soft_total, membership = x.new_zeros(len(x)), x.new_zeros(len(x))
        all_seeds = torch.zeros_like(free)
        embeddings, sizes, expected = [], [], []
        for slot in range(self.max_clusters):
            allowed = free & active[batch]
            seed, seed_soft = self._seed(projected[0], context, allowed, graph)
            members, p = self._grow(x, projected[1], context, seed, seed_soft, allowed, graph)
            count = graph.total(members.to(x.dtype))  # (B,)
            hard = graph.total(x.detach() * members[:, None]) / count.clamp_min(1)[:, None]
            soft = seed_soft + p  # (N,)
            mass = graph.total(soft).clamp_min(1e-6)
            blob = straight_through(hard, graph.total(x * soft[:, None]) / mass[:, None])  # (B, D)
            blob = blob * (count > 0)[:, None]
            assignment = torch.where(members, slot, assignment)
            membership = torch.where(members, torch.where(seed, 1.0, p.detach()), membership)
            soft_total = soft_total + torch.where(members, soft - soft.detach(), 0.0)
            all_seeds = all_seeds | seed
            embeddings.append(blob)
            sizes.append(count)
            expected.append(graph.total(p) + (count > 0))
            context = context + self.context_step * torch.tanh(self.update(blob)) * (count > 0)[:, None]
            free = free & ~members
            covered = graph.total((~free).to(x.dtype))
            active = active & (covered < self.termination_threshold * graph.length)
        sizes_all = torch.stack(sizes, 1)  # (B, S)
        return Blobs(
            assignment=assignment,
            membership=membership,
            soft=soft_total,
            seeds=all_seeds,
            embedding=torch.stack(embeddings, 1),
            mask=sizes_all > 0,
            size=sizes_all,
            expected_size=torch.stack(expected, 1),
        )

    def _seed(
        self, projected: Tensor, context: Tensor, allowed: Tensor, graph: _Graph
    ) -> tuple[Tensor, Tensor]:
        """Hard (N,) bool and soft (N,) choice of one allowed residue a protein."""
        hidden = torch.relu(projected + graph.spread(self.seed_context(context)))  # (N, h)
        logits = self.seed_logit(hidden).squeeze(-1)
        if self.training:
            logits = (logits - torch.empty_like(logits).exponential_().log()) / self.tau
        hard = segment_argmax(logits.detach(), allowed, graph.batch, graph.size)
        return hard, segment_softmax(logits, allowed, graph.batch, graph.size)

    def _grow(
        self,
        x: Tensor,
        keys: Tensor,
        context: Tensor,
        seed: Tensor,
        seed_soft: Tensor,
        allowed: Tensor,
        graph: _Graph,
    ) -> tuple[Tensor, Tensor]:
        """Members (N,) bool, seed included, and p (N,) of the candidates considered."""
        batch = graph.batch
        hard = graph.total(x.detach() * seed[:, None])
        seed_x = straight_through(hard, graph.total(x * seed_soft[:, None]))  # (B, D)
        reached = seed
        for _ in range(self.k_hop):
            reached = reached | (allowed & (graph.count(reached) > 0))
        candidates = reached & ~seed
        local = self._local_statistics(candidates, seed, graph)  # (B, 3)
        theta = self.threshold(torch.cat([seed_x, context, local], -1)).squeeze(-1)
        affinity = (graph.spread(self.query(seed_x)) * keys).sum(-1) / math.sqrt(keys.shape[-1])
        affinity = affinity - graph.spread(theta)  # (N,)
        members, p = seed, torch.zeros_like(affinity)
        for _ in range(self.k_hop):
            into = graph.count(members)
            considered = candidates & ~members & (into > 0)
            score = affinity + self.alpha * into / graph.degree
            chance = torch.sigmoid(score / self.tau) * considered
            room = self.cluster_size_max - graph.total(members.to(chance.dtype))
            # By score, which orders as p does: p rounds to 1/2 or to 1 where scores still differ.
            ranked = score.detach().masked_fill(~considered, -torch.inf)
            rank = rank_in_segment(ranked, batch, graph.starts)
            joined = considered & (score > 0) & (rank < room[batch])
            p = torch.where(considered, chance, p)
            members = members | joined
        return members, p

    def _local_statistics(self, candidates: Tensor, seed: Tensor, graph: _Graph) -> Tensor:
        """(B, 3): log(1 + n), share of the seed's edges into candidates, edge density among them."""
        inside = graph.count(candidates)  # (N,) edges from each residue into the candidates
        n = graph.total(candidates.to(inside.dtype))
        seed_degree = graph.total(graph.degree * seed).clamp_min(1)
        density = graph.total(inside * candidates) / (n * (n - 1)).clamp_min(1)
        return torch.stack([n.log1p(), graph.total(inside * seed) / seed_degree, density], -1)


class _Graph:
    """The symmetrised graph of a batch, with the sums over it that every slot needs."""

    def __init__(self, edge_index: Tensor, batch: Tensor, size: int) -> None:
        self.source, self.target = edge_index
        self.batch, self.size = batch, size
        self.degree = degree(self.target, len(batch)).clamp_min(1)  # (N,)
        self.length = degree(batch, size)  # (B,)
        self.starts = (self.length.cumsum(0) - self.length).long()

    def count(self, chosen: Tensor) -> Tensor:
        """(N,) edges from each residue into the chosen ones (N,) bool."""
        values = chosen.to(self.degree.dtype).index_select(0, self.source)
        return scatter(values, self.target, 0, len(chosen), "sum")

    def spread(self, values: Tensor) -> Tensor:
        """Each residue's protein's value: (B, ...) -> (N, ...)."""
        # index_select: the backward of values[batch] is several times slower.
        return values.index_select(0, self.batch)

    def total(self, values: Tensor) -> Tensor:
        """Sum a protein: (N, ...) -> (B, ...)."""
        return segment_sum(values, self.batch, self.size)
