"""The blobs of a batch, one slot after another: the forward pass of the growth, without gradients.

Here in torch's operations, for every device; :mod:`bioblobs.models.compiled_slots` does the same several
times faster on a processor. Shapes: B proteins, N residues (flat), S slots, D width of the embeddings, h of
the heads, M places for members.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from bioblobs.models.layout import Layout, Neighbourhoods

LOCAL_STATISTICS = 3
"""log #candidates, share of the seed's edges that go to candidates, density among candidates."""


class Inputs(NamedTuple):
    """What carries gradients into the growth; weights are (out, in), as ``torch.nn.Linear`` has them."""

    x: Tensor  # (N, D)
    projected: Tensor  # (N, h) residues' part of the seed head, its bias included
    keys: Tensor  # (N, h)
    context: Tensor  # (B, D) of each protein at the start
    seed_context: Tensor  # (h, D) context's part of the seed head
    seed_logit: Tensor  # (1, h)
    query: Tensor  # (h, D)
    alpha: Tensor  # ()
    threshold: Tensor  # (h, 2 D + 3), of [seed, context, local statistics]
    threshold_bias: Tensor  # (h,)
    theta: Tensor  # (1, h)
    theta_bias: Tensor  # (1,)
    update: Tensor  # (D, D)
    update_bias: Tensor  # (D,)


@dataclass(frozen=True)
class Terms:
    """What does not: sizes of the method (see :class:`~bioblobs.models.partitioner.Partitioner`).

    Attributes:
        tau: () temperature.
        noise: (S, N) added to the seed logits, which are then divided by ``tau``; None in evaluation.
    """

    max_clusters: int
    cluster_size_max: int
    termination_threshold: float
    k_hop: int
    context_step: float
    tau: Tensor
    noise: Tensor | None


class Slots(NamedTuple):
    """What the slots leave behind: each (S, ...), here without the S. No tensor has a gradient of its own.

    Of a protein that was done before a slot, ``size``, ``blob``, ``choice``, ``p`` and ``into`` are 0.
    """

    rows: Tensor  # (B, M) the members, the seed first; N where there is none
    active: Tensor  # (B,) 1 where the protein was not done yet
    size: Tensor  # (B,)
    blob: Tensor  # (B, D) mean over the members
    choice: Tensor  # (N,) softmax of the seed logits over the free residues
    p: Tensor  # (N,) of the residues considered, 0 elsewhere
    into: Tensor  # (N,) share of a residue's edges that went into the blob when it was considered
    hidden: Tensor  # (N, h) of the seed head
    query: Tensor  # (B, h) over sqrt(h)
    threshold_in: Tensor  # (B, 2 D + 3) embedding of the seed, context before the slot, local statistics
    threshold_hidden: Tensor  # (B, h)
    step: Tensor  # (B, D) tanh of the update

    def each(self) -> list[Slots]:
        """One slot each, without the S."""
        return [Slots(*tensors) for tensors in zip(*(tensor.unbind() for tensor in self), strict=True)]


def fill(inputs: Inputs, terms: Terms, layout: Layout, graph: Neighbourhoods) -> Slots:
    """All slots of all proteins, in torch's operations."""
    residues, width = inputs.x.shape
    enough = terms.termination_threshold * layout.length
    query_weight, keys = inputs.query / math.sqrt(len(inputs.query)), layout.padded(inputs.keys)
    free = torch.ones(residues + 1, dtype=torch.bool, device=inputs.x.device)  # and a place for no residue
    active, covered, context = torch.ones_like(layout.length), torch.zeros_like(layout.length), inputs.context
    slots: list[tuple[Tensor, ...]] = []
    for number in range(terms.max_clusters):
        allowed = free[:-1] & layout.spread(active > 0)
        chosen, choice, hidden = _seed(inputs, context, allowed, number, terms, layout)
        seed_mask = allowed & (layout.spread(chosen) == layout.index)
        seed = inputs.x.index_select(0, chosen) * active[:, None]
        count = graph.count(seed_mask)
        candidates = _candidates(seed_mask, count, allowed, terms.k_hop, graph)
        local = _local_statistics(candidates, chosen, active, layout, graph)
        threshold_in = torch.cat([seed, context, local], 1)
        threshold_hidden = F.linear(threshold_in, inputs.threshold, inputs.threshold_bias).relu_()
        theta = F.linear(threshold_hidden, inputs.theta, inputs.theta_bias)  # (B, 1)
        query = F.linear(seed, query_weight)
        affinity = layout.dot(keys, query, -theta)
        rows, room = [torch.where(active > 0, chosen, residues)[:, None]], terms.cluster_size_max - active
        free.scatter_(0, rows[0][:, 0], False)
        p = into = torch.zeros_like(affinity)
        for hop in range(terms.k_hop):
            considered = candidates & free[:-1] & (count > 0)
            share = count / graph.degree
            score = torch.addcmul(affinity, inputs.alpha, share)
            p = torch.where(considered, torch.sigmoid(score / terms.tau), p)
            into = torch.where(considered, share, into)
            rows.append(best(score, considered, room, terms.cluster_size_max, layout))
            free.scatter_(0, rows[-1].flatten(), False)
            if hop + 1 < terms.k_hop:
                room = room - (rows[-1] < residues).sum(1)
                count = graph.count(allowed & ~free[:-1])
        row = torch.cat(rows, 1)
        real = (row < residues).to(seed.dtype)
        size = real.sum(1)
        each = inputs.x.index_select(0, row.flatten().clamp_max(residues - 1)).view(*row.shape, width)
        blob = torch.bmm((real / size.clamp_min(1)[:, None])[:, None], each).squeeze(1)
        step = F.linear(blob, inputs.update, inputs.update_bias).tanh_()
        heads = (hidden, query, threshold_in, threshold_hidden)
        slots.append((row, active, size, blob, choice, p, into, *heads, step))
        context = context + terms.context_step * step * active[:, None]
        covered = covered + size
        active = active * (covered < enough)
    return Slots(*(torch.stack(each) for each in zip(*slots, strict=True)))


def _seed(
    inputs: Inputs, context: Tensor, allowed: Tensor, number: int, terms: Terms, layout: Layout
) -> tuple[Tensor, Tensor, Tensor]:
    """Row (B,) of one allowed residue in each active protein, the soft choice (N,), and (N, h) behind it."""
    hidden = layout.spread(F.linear(context, inputs.seed_context)).add_(inputs.projected).relu_()
    if terms.noise is None:
        logits = torch.mv(hidden, inputs.seed_logit[0])
    else:
        logits = torch.addmv(terms.noise[number], hidden, inputs.seed_logit[0]).div_(terms.tau)
    lowest = torch.finfo(logits.dtype).min
    rows = layout.rows(logits.masked_fill_(~allowed, lowest), lowest)  # (B, L)
    chosen = (layout.starts + rows.argmax(1)).clamp_max_(len(allowed) - 1)
    return chosen, layout.flat(rows.softmax(1)).mul_(allowed), hidden


def _candidates(
    seed: Tensor, next_to_seed: Tensor, allowed: Tensor, k_hop: int, graph: Neighbourhoods
) -> Tensor:
    """(N,) True on allowed residues within ``k_hop`` edges of the seed, over allowed ones, the seed apart."""
    others = allowed & ~seed
    reached = others & (next_to_seed > 0)
    for _ in range(1, k_hop):
        reached = reached | (others & (graph.count(reached) > 0))
    return reached


def _local_statistics(
    candidates: Tensor, chosen: Tensor, active: Tensor, layout: Layout, graph: Neighbourhoods
) -> Tensor:
    """(B, 3): log(1 + n), share of the seed's edges into candidates, edge density among them."""
    each = candidates.to(active.dtype)
    inside = graph.count(candidates)  # (N,) edges from each residue into the candidates
    n, within = layout.total(each), layout.total(inside * each)
    share = (inside / graph.degree).index_select(0, chosen) * active
    return torch.stack([n.log1p(), share, within / (n * (n - 1)).clamp_min_(1)], 1)


def best(score: Tensor, considered: Tensor, room: Tensor, most: int, layout: Layout) -> Tensor:
    """Rows (B, m) of the residues that join: each protein's best with p > 1/2, in room; N for none.

    By score, which orders as p does: p rounds to 1/2 or to 1 where scores still differ.

    Args:
        score, considered: (N,).
        room: (B,) how many may join.
        most: m is at most this.
    """
    ranked = layout.rows(score.masked_fill(~considered, -torch.inf), -torch.inf)
    found, order = ranked.sort(dim=1, descending=True, stable=True)  # ties keep the order of residues
    found, order = found[:, :most], order[:, :most]
    taken = (found > 0) & (layout.index[: found.shape[1]] < room[:, None])
    return torch.where(taken, layout.starts[:, None] + order, len(score))
