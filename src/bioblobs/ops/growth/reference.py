"""The growth of blobs, one slot after another, in torch's operations: section 3 of the algorithm.

Which residues a blob takes is decided without gradients. A blob's embedding is hard in the forward pass, the
mean over its members, and soft in the backward pass, the mean over its protein with weights choice + p; so is
the seed's, with the softmax of the seed logits for weights (straight-through estimators). Autograd does the
rest; :mod:`bioblobs.ops.growth.compiled` does the same several times faster on a CPU.

Shapes: B proteins, N residues (flat), S slots, D width of the embeddings, h of the heads, M places for
members.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from bioblobs.graphs.layout import Layout, Neighbourhoods

LOCAL_STATISTICS = 3
"""log #candidates, share of the seed's edges that go to candidates, density among candidates."""
LEAST_MASS = 1e-6
"""Of the weights of a soft mean."""


class Inputs(NamedTuple):
    """Tensors with gradients; weights are (out, in), as in ``torch.nn.Linear``."""

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
    """Hyperparameters and noise of the growth, without gradients; see the partitioner.

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


class Growth(NamedTuple):
    """The blobs of all slots, those of a protein that was done before a slot zero."""

    embedding: Tensor  # (B, S, D) mean over the members, with the gradient of the soft mean
    expected_size: Tensor  # (B, S) 1 + sum of p, with its gradient
    soft: Tensor  # (S, N) 0 with the gradient of the soft weight in each slot
    rows: Tensor  # (S, B, M) the members, the seed first; N where there is none
    size: Tensor  # (S, B) number of members
    p: Tensor  # (S, N) of the residues considered, 0 elsewhere


def grow(inputs: Inputs, terms: Terms, layout: Layout, graph: Neighbourhoods) -> Growth:
    """Grow all slots of all proteins of a batch."""
    residues = len(inputs.x)
    enough = terms.termination_threshold * layout.length
    query_weight = inputs.query / math.sqrt(len(inputs.query))
    x, keys = layout.padded(inputs.x), layout.padded(inputs.keys)  # (B, L, D), (B, L, h)
    free = torch.ones(residues + 1, dtype=torch.bool, device=inputs.x.device)  # and a place for no residue
    active, covered, context = torch.ones_like(layout.length), torch.zeros_like(layout.length), inputs.context
    slots: list[tuple[Tensor, ...]] = []
    for number in range(terms.max_clusters):
        allowed = free[:-1] & layout.spread(active > 0)
        chosen, choice = _seed(inputs, context, allowed, number, terms, layout)
        seed = _straight_through(
            inputs.x.index_select(0, chosen) * active[:, None], layout.weighted_sum(choice, x)
        )
        seed_mask = allowed & (layout.spread(chosen) == layout.index)
        count = graph.count(seed_mask)
        candidates = _candidates(seed_mask, count, allowed, terms.k_hop, graph)
        local = _local_statistics(candidates, chosen, active, layout, graph)
        hidden = F.linear(torch.cat([seed, context, local], 1), inputs.threshold, inputs.threshold_bias)
        theta = F.linear(hidden.relu(), inputs.theta, inputs.theta_bias)  # (B, 1)
        affinity = layout.dot(keys, F.linear(seed, query_weight), -theta)  # (N,)

        rows, room = [torch.where(active > 0, chosen, residues)[:, None]], terms.cluster_size_max - active
        free = free.scatter(0, rows[0][:, 0], False)
        p = torch.zeros_like(affinity)
        for _ in range(terms.k_hop):
            considered = candidates & free[:-1] & (count > 0)
            score = affinity + inputs.alpha * (count / graph.degree)
            p = torch.where(considered, torch.sigmoid(score / terms.tau), p)
            rows.append(best(score.detach(), considered, room, terms.cluster_size_max, layout))
            free = free.scatter(0, rows[-1].flatten(), False)
            room = room - (rows[-1] < residues).sum(1)
            count = graph.count(allowed & ~free[:-1])

        row = torch.cat(rows, 1)
        soft = choice + p
        mass = layout.total(soft).clamp_min(LEAST_MASS)
        blob = _straight_through(_mean(inputs.x, row), layout.weighted_sum(soft, x) / mass[:, None])
        size = (row < residues).sum(1).to(covered.dtype)
        slots.append((blob, layout.total(p) + active, soft - soft.detach(), row, size, p.detach()))
        step = torch.tanh(F.linear(blob, inputs.update, inputs.update_bias))
        context = context + terms.context_step * step * active[:, None]
        covered = covered + size
        active = active * (covered < enough)
    blob, expected, *others = (torch.stack(each) for each in zip(*slots, strict=True))
    return Growth(blob.transpose(0, 1), expected.t(), *others)


def _seed(
    inputs: Inputs, context: Tensor, allowed: Tensor, number: int, terms: Terms, layout: Layout
) -> tuple[Tensor, Tensor]:
    """Row (B,) of one allowed residue in each active protein, and the soft choice (N,)."""
    hidden = torch.relu(layout.spread(F.linear(context, inputs.seed_context)) + inputs.projected)
    logits = torch.mv(hidden, inputs.seed_logit[0])
    if terms.noise is not None:
        logits = (logits + terms.noise[number]) / terms.tau
    lowest = torch.finfo(logits.dtype).min
    rows = layout.rows(logits.masked_fill(~allowed, lowest), lowest)  # (B, L)
    chosen = (layout.starts + rows.argmax(1)).clamp_max(len(allowed) - 1)
    return chosen, layout.flat(rows.softmax(1)) * allowed


def _straight_through(hard: Tensor, soft: Tensor) -> Tensor:
    """The value of ``hard`` with the gradient of ``soft``."""
    return hard.detach() + (soft - soft.detach())


@torch.no_grad()
def _mean(x: Tensor, row: Tensor) -> Tensor:
    """(B, D) mean of the members (B, M), rows of x (N, D) or N for none."""
    real = (row < len(x)).to(x.dtype)
    each = x.index_select(0, row.flatten().clamp_max(len(x) - 1)).view(*row.shape, x.shape[1])
    return torch.bmm((real / real.sum(1, keepdim=True).clamp_min(1))[:, None], each).squeeze(1)


@torch.no_grad()
def _candidates(
    seed: Tensor, next_to_seed: Tensor, allowed: Tensor, k_hop: int, graph: Neighbourhoods
) -> Tensor:
    """(N,) True on allowed residues within ``k_hop`` edges of the seed, over allowed ones, the seed apart."""
    others = allowed & ~seed
    reached = others & (next_to_seed > 0)
    for _ in range(1, k_hop):
        reached = reached | (others & (graph.count(reached) > 0))
    return reached


@torch.no_grad()
def _local_statistics(
    candidates: Tensor, chosen: Tensor, active: Tensor, layout: Layout, graph: Neighbourhoods
) -> Tensor:
    """(B, 3): log(1 + n), share of the seed's edges into candidates, edge density among them."""
    each = candidates.to(active.dtype)
    inside = graph.count(candidates)  # (N,) edges from each residue into the candidates
    n, within = layout.total(each), layout.total(inside * each)
    share = (inside / graph.degree).index_select(0, chosen) * active
    return torch.stack([n.log1p(), share, within / (n * (n - 1)).clamp_min_(1)], 1)


@torch.no_grad()
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
