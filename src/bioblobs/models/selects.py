"""Baselines of the partitioner: partitions that are not learned, or are of another kind.

Each has the partitioner's ``partition`` and its place in the model (``model.partition``). Shapes: B proteins,
N residues (flat), E symmetrised edges, S slots, D embedding width.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric.nn.pool.select import SelectTopK

from bioblobs.graphs.layout import Layout, Neighbourhoods
from bioblobs.graphs.segments import segment_sum
from bioblobs.models.partitioner import Blobs
from bioblobs.ops.growth.reference import best

TABLE_SEED = 0
"""Seed of the table of numbers that evaluation takes for random ones."""
RATIO = 0.5
"""Share of the residues that TopKPooling keeps (PyG's default)."""


class OtherSelect(nn.Module):
    """A partition in the partitioner's place.

    Args:
        max_clusters: S.
        cluster_size_max: most residues per blob, where there is a bound.
    """

    def __init__(self, max_clusters: int, cluster_size_max: int) -> None:
        super().__init__()
        self.max_clusters, self.cluster_size_max = max_clusters, cluster_size_max
        self.tau: Tensor
        self.register_buffer("tau", torch.ones(()))  # the schedule's; nothing here depends on it

    @abstractmethod
    def partition(
        self, x: Tensor, edge_index: Tensor, batch: Tensor, size: int, longest: int | None = None
    ) -> Blobs:
        """Cut a flat batch; arguments as of :meth:`bioblobs.models.partitioner.Partitioner.partition`."""


class WholeChain(OtherSelect):
    """One blob per protein, all of its residues: mean pooling, a GVP without blobs."""

    def __init__(self, cluster_size_max: int) -> None:
        super().__init__(1, cluster_size_max)

    def partition(
        self, x: Tensor, edge_index: Tensor, batch: Tensor, size: int, longest: int | None = None
    ) -> Blobs:
        """Take all residues; the first one stands for the seed."""
        starts = Layout(batch, size, longest).starts
        return _blobs(x.float(), torch.zeros_like(batch), batch, size, 1, starts)


class TopResidues(OtherSelect):
    """One blob per protein, connected or not: the residues that PyG's ``TopKPooling`` selects.

    Their embeddings are weighted by the learned scores, through which the selection has its gradient (Gao and
    Ji, "Graph U-Nets", 2019); the mean of these is read.
    """

    def __init__(self, in_channels: int, cluster_size_max: int) -> None:
        super().__init__(1, cluster_size_max)
        self.select = SelectTopK(in_channels, ratio=RATIO)

    def partition(
        self, x: Tensor, edge_index: Tensor, batch: Tensor, size: int, longest: int | None = None
    ) -> Blobs:
        """Take the half of the residues with the highest scores; the highest one is the seed."""
        with torch.autocast(x.device.type, enabled=False):  # choices need full precision
            chosen = self.select(x.float(), batch)
        taken, order = chosen.node_index.sort()
        weight = x.new_zeros(len(x), dtype=torch.float).index_copy(0, taken, chosen.weight[order])
        assignment = torch.full_like(batch, -1).index_fill_(0, taken, 0)
        score = weight.detach().masked_fill(assignment < 0, -torch.inf)
        layout = Layout(batch, size, longest)
        top = layout.starts + layout.rows(score, -torch.inf).argmax(1)
        return _blobs(x.float() * weight[:, None], assignment, batch, size, 1, top)


class RandomBlobs(OtherSelect):
    """Connected blobs grown at random from random seeds, of random sizes.

    As the partitioner's slots, but for the choices: any free residue is a seed, residues next to the blob
    join in random order, up to a size drawn evenly from 1 to ``cluster_size_max`` (mean 23 of 45; learned
    blobs of the default run have 23.7 residues). Training draws anew in each step; evaluation takes its
    numbers from a fixed table by place in the chain, so that a protein's blobs do not depend on its batch.
    """

    def __init__(
        self, max_clusters: int, cluster_size_max: int, termination_threshold: float, k_hop: int
    ) -> None:
        super().__init__(max_clusters, cluster_size_max)
        self.termination_threshold, self.k_hop = termination_threshold, k_hop

    def partition(
        self, x: Tensor, edge_index: Tensor, batch: Tensor, size: int, longest: int | None = None
    ) -> Blobs:
        """Grow ``max_clusters`` blobs, one after another in all proteins at once."""
        layout, graph = Layout(batch, size, longest), Neighbourhoods(edge_index, len(x))
        by_residue, by_protein = self._drawn(layout, x.device)
        enough = self.termination_threshold * layout.length
        assignment, seeds = torch.full_like(batch, -1), torch.zeros_like(batch, dtype=torch.bool)
        active, covered = torch.ones_like(layout.length), torch.zeros_like(layout.length)
        for slot in range(self.max_clusters):
            wanted = 1 + (by_protein[slot] * self.cluster_size_max).floor()  # (B,)
            free = (assignment < 0) & layout.spread(active > 0)
            chosen = layout.starts + layout.rows(by_residue[2 * slot].masked_fill(~free, -1), -1).argmax(1)
            seed = free & (layout.spread(chosen) == layout.index)
            blob, room = seed, wanted - 1
            for _ in range(self.k_hop):
                beside = free & ~blob & (graph.count(blob) > 0)
                score = by_residue[2 * slot + 1]
                rows = best(score, beside, room, self.cluster_size_max, layout)  # (B, m), N for none
                joined = torch.zeros(len(x) + 1, dtype=torch.bool, device=x.device)
                blob = blob | joined.index_fill_(0, rows.flatten(), True)[:-1]
                room = room - (rows < len(x)).sum(1)
            assignment = torch.where(blob, slot, assignment)
            seeds = seeds | seed
            covered = covered + layout.total(blob.float())
            active = active * (covered < enough)
        return _blobs(x.float(), assignment, batch, size, self.max_clusters, seeds.nonzero().squeeze(-1))

    def _drawn(self, layout: Layout, device: torch.device) -> tuple[Tensor, Tensor]:
        """Numbers in (0, 1]: (2 S, N) for seeds and order of joining, (S, B) for sizes."""
        shape = (2 * self.max_clusters, len(layout.index))
        if self.training:
            sizes = torch.rand(self.max_clusters, layout.size, device=device)
            return 1 - torch.rand(shape, device=device), sizes
        rng = np.random.default_rng(TABLE_SEED)
        sizes = torch.from_numpy(rng.random(self.max_clusters)).float().to(device)
        table = torch.from_numpy(1 - rng.random((layout.longest, shape[0]))).float().to(device)
        place = layout.index - layout.spread(layout.starts)
        return table.index_select(0, place).t(), sizes[:, None].expand(-1, layout.size)


def _blobs(x: Tensor, assignment: Tensor, batch: Tensor, size: int, slots: int, seeds: Tensor) -> Blobs:
    """Blobs of an assignment (N,), -1 for none: embeddings are means of ``x`` (N, D) over the members."""
    member = (assignment >= 0).nonzero().squeeze(-1)
    cell = batch[member] * slots + assignment[member]
    ones = x.new_ones(len(member), 1)
    total = segment_sum(torch.cat([x.index_select(0, member), ones], 1), cell, size * slots)
    count = total[:, -1].detach().view(size, slots)
    inside = (assignment >= 0).to(x.dtype)
    return Blobs(
        assignment=assignment,
        membership=inside,
        soft=torch.zeros_like(inside),
        seeds=torch.zeros_like(assignment, dtype=torch.bool).index_fill_(0, seeds, True),
        embedding=(total[:, :-1] / total[:, -1:].clamp_min(1)).view(size, slots, -1),
        mask=count > 0,
        size=count,
        expected_size=count,
    )
