"""Differentiable partitioner: residue embeddings and a graph -> at most S disjoint, connected blobs.

Shapes: B proteins, N residues (flat), E symmetrised edges, S = ``max_clusters``, D embedding width.
Algorithm, section 3 (Wang & Oliver, "BioBlobs", arXiv 2510.01632).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch_geometric.nn.pool.select import Select, SelectOutput
from torch_geometric.utils import remove_self_loops, to_undirected

from bioblobs.models.layout import Layout, Neighbourhoods, one_hot, put
from bioblobs.models.segments import segment_pool
from bioblobs.models.straight_through import straight_through_mean

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


@dataclass
class Seeds:
    """One residue a protein: its row (B,), (N,) True there, and (N,) its soft choice: 0 without gradients."""

    rows: Tensor
    mask: Tensor
    soft: Tensor


class _Slot(NamedTuple):
    """What one slot leaves behind."""

    rows: Tensor  # (B, M) residues, the seed first
    real: Tensor  # (B, M) which of them are members
    p: Tensor  # (B, M)
    soft: Tensor  # (B, M) soft weight, with its gradient
    blob: Tensor  # (B, D)
    size: Tensor  # (B,)
    expected: Tensor  # (B,)


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

        Raises:
            ValueError: an edge names a node that is not there, or a graph has none.
        """
        if edge_index.numel() and not 0 <= int(edge_index.min()) <= int(edge_index.max()) < len(x):
            raise ValueError(f"edge_index: expected nodes 0..{len(x) - 1}; got {int(edge_index.max())}")
        if batch is None:
            batch = x.new_zeros(len(x), dtype=torch.long)
        if not undirected:
            edge_index = to_undirected(remove_self_loops(edge_index)[0], num_nodes=len(x))
        edge_index = edge_index[:, edge_index[1].argsort(stable=True)]
        size = int(batch[-1]) + 1 if len(batch) else 0
        if len(batch.unique()) != size:
            raise ValueError(f"batch: expected a node in every graph 0..{size - 1}")
        blobs = self.partition(x, edge_index, batch, size)
        member = (blobs.assignment >= 0).nonzero().squeeze(-1)
        return SelectOutput(
            node_index=member,
            num_nodes=len(x),
            cluster_index=batch[member] * self.max_clusters + blobs.assignment[member],
            num_clusters=size * self.max_clusters,
            weight=1 + blobs.soft[member],
        )

    def partition(
        self, x: Tensor, edge_index: Tensor, batch: Tensor, size: int, longest: int | None = None
    ) -> Blobs:
        """Blobs of a flat batch.

        Args:
            x: (N, D) residue embeddings.
            edge_index: (2, E) symmetrised, without repeats or loops, sorted by target.
            batch: (N,) protein of each residue, sorted; every one of the ``size`` proteins has one.
            longest: residues of the longest protein; counted if None.
        """
        x = x.float()
        layout, graph = Layout(batch, size, longest), Neighbourhoods(edge_index, len(x))
        projected, keys = self.seed_residue(x), self.key(x)  # once a protein, not once a slot
        context = segment_pool(x, batch, size, "mean")  # (B, D)
        noise = self._noise(x)
        free, active = torch.ones_like(batch, dtype=torch.bool), batch.new_ones(size, dtype=torch.bool)
        covered = x.new_zeros(size)
        made: list[_Slot] = []
        for slot in range(self.max_clusters):
            allowed = free & layout.spread(active)
            seed = self._seed(projected, context, noise, slot, allowed, active, layout)
            rows, real, p, members = self._grow(x, keys, context, seed, allowed, active, layout, graph)
            count = real.sum(1).to(x.dtype)  # (B,)
            soft = seed.soft + p  # (N,)
            hard = (x.detach()[rows] * real[..., None]).sum(1) / count.clamp_min(1)[:, None]
            blob = straight_through_mean(hard, x, soft, batch)  # (B, D)
            made.append(
                _Slot(rows, real, p.detach()[rows], soft[rows], blob, count, layout.total(p) + active)
            )
            context = context + self.context_step * torch.tanh(self.update(blob)) * active[:, None]
            free = free & ~members
            covered = covered + count
            active = active & (covered < self.termination_threshold * layout.length)
        return self._blobs(made, x)

    def _noise(self, x: Tensor) -> Tensor | None:
        """(S, N) Gumbel noise for the seeds of every slot, in training."""
        if not self.training:
            return None
        return -x.new_empty(self.max_clusters, len(x)).exponential_().log_()

    def _blobs(self, made: list[_Slot], x: Tensor) -> Blobs:
        """Slots -> one value a residue, and one a blob."""
        rows, real = (torch.stack(part, 1) for part in list(zip(*made, strict=True))[:2])  # (B, S, M)
        p, soft = (torch.stack(part, 1) for part in list(zip(*made, strict=True))[2:4])
        blobs, count, expected = (torch.stack(part, 1) for part in list(zip(*made, strict=True))[4:])
        seed = torch.zeros_like(real)
        seed[..., 0] = real[..., 0]
        slot = torch.arange(len(made), device=x.device)[:, None].expand_as(rows)
        return Blobs(
            assignment=put(rows, real, slot, len(x), -1),
            membership=put(rows, real, torch.where(seed, 1.0, p), len(x), 0.0),
            soft=put(rows, real, soft - soft.detach(), len(x), 0.0),
            seeds=put(rows, real, seed, len(x), False),
            embedding=blobs,
            mask=count > 0,
            size=count,
            expected_size=expected,
        )

    def _seed(
        self,
        projected: Tensor,
        context: Tensor,
        noise: Tensor | None,
        slot: int,
        allowed: Tensor,
        active: Tensor,
        layout: Layout,
    ) -> Seeds:
        """One allowed residue in each active protein."""
        hidden = torch.relu(projected + layout.spread(self.seed_context(context)))  # (N, h)
        logits = self.seed_logit(hidden).squeeze(-1)
        if noise is not None:
            logits = (logits + noise[slot]) / self.tau
        lowest = torch.finfo(logits.dtype).min
        rows = layout.rows(logits.masked_fill(~allowed, lowest), lowest)  # (B, L)
        chosen = (layout.starts + rows.detach().argmax(1)).clamp_max(len(allowed) - 1)
        mask = one_hot(chosen, active, len(allowed))
        if not torch.is_grad_enabled():
            return Seeds(chosen, mask, torch.zeros_like(logits))
        return Seeds(chosen, mask, layout.flat(rows.softmax(1)) * allowed)

    def _grow(
        self,
        x: Tensor,
        keys: Tensor,
        context: Tensor,
        seed: Seeds,
        allowed: Tensor,
        active: Tensor,
        layout: Layout,
        graph: Neighbourhoods,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Rows of the members (B, M), seed first; which of them are real; p (N,) of those considered.

        And (N,) True on the members.
        """
        hard = x.detach()[seed.rows] * active[:, None]
        # The soft choice sums to one, so that its weighted sum is its weighted mean.
        seed_x = straight_through_mean(hard, x, seed.soft, layout.batch)  # (B, D)
        next_to_seed = graph.count(seed.mask)
        reached = seed.mask | (allowed & (next_to_seed > 0))
        for _ in range(1, self.k_hop):
            reached = reached | (allowed & (graph.count(reached) > 0))
        candidates = reached & ~seed.mask
        local = self._local_statistics(candidates, seed, active, layout, graph)  # (B, 3)
        theta = self.threshold(torch.cat([seed_x, context, local], -1)).squeeze(-1)
        affinity = (layout.spread(self.query(seed_x)) * keys).sum(-1) / math.sqrt(keys.shape[-1])
        affinity = affinity - layout.spread(theta)  # (N,)
        members, into, p = seed.mask, next_to_seed, torch.zeros_like(affinity)
        rows, real, room = [seed.rows[:, None]], [active[:, None]], self.cluster_size_max - active.long()
        for hop in range(self.k_hop):
            if hop:
                into = graph.count(members)
            considered = candidates & ~members & (into > 0)
            score = affinity + self.alpha * into / graph.degree
            p = torch.where(considered, torch.sigmoid(score / self.tau), p)
            joined, taken = self._best(score.detach(), considered, room, layout)
            members = members | one_hot(joined, taken, len(x))
            rows.append(joined)
            real.append(taken)
            room = room - taken.sum(1)
        return torch.cat(rows, 1), torch.cat(real, 1), p, members

    def _best(self, score: Tensor, considered: Tensor, room: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
        """Rows (B, m) of each protein's best considered residues, and which of them join: p > 1/2, in room.

        By score, which orders as p does: p rounds to 1/2 or to 1 where scores still differ.
        """
        ranked = layout.rows(score.masked_fill(~considered, -torch.inf), -torch.inf)
        best, order = ranked.sort(dim=1, descending=True, stable=True)  # ties keep the order of residues
        best, order = best[:, : self.cluster_size_max], order[:, : self.cluster_size_max]
        place = torch.arange(best.shape[1], device=best.device)
        taken = (best > 0) & (place < room[:, None])
        return torch.where(taken, layout.starts[:, None] + order, 0), taken

    def _local_statistics(
        self, candidates: Tensor, seed: Seeds, active: Tensor, layout: Layout, graph: Neighbourhoods
    ) -> Tensor:
        """(B, 3): log(1 + n), share of the seed's edges into candidates, edge density among them."""
        inside = graph.count(candidates)  # (N,) edges from each residue into the candidates
        n = layout.total(candidates.to(inside.dtype))
        share = inside[seed.rows] / graph.degree[seed.rows] * active
        density = layout.total(inside * candidates) / (n * (n - 1)).clamp_min(1)
        return torch.stack([n.log1p(), share, density], -1)
