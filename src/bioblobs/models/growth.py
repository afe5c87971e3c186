"""Growing blobs one after another, as one autograd function.

Which residues a blob takes is decided without gradients; the gradient is that of the soft choices behind the
decisions, written out below. Left to autograd it would be some thousand small operations a batch and a
gradient of the size of all embeddings for each of them. Written out, a slot's backward pass is a few
products, and the gradients of embeddings, keys and weights are one product each for all slots.

A blob's embedding is hard in the forward pass, the mean over its members, and soft in the backward pass,
the mean m = sum_i w_i x_i / W over its protein with W = sum w: d/dx_i = w_i g / W and
d/dw_i = (x_i - m) g / W, with g the gradient of the embedding. So is the seed's, with the softmax of the seed
logits for weights.

Shapes: B proteins, N residues (flat), S slots, D width of the embeddings, h of the heads, M most members.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from bioblobs.models.layout import Layout, Neighbourhoods

_LEAST_MASS = 1e-6

_sigmoid_backward = torch.ops.aten.sigmoid_backward
_threshold_backward = torch.ops.aten.threshold_backward


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


class Slot(NamedTuple):
    """What one slot leaves behind. No tensor has a gradient of its own."""

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


class Growth(NamedTuple):
    """The blobs with their gradients; see :class:`~bioblobs.models.partitioner.Blobs`."""

    embedding: Tensor  # (B, S, D)
    expected_size: Tensor  # (B, S)
    soft: Tensor  # (S, N) 0 with the gradient of the soft weight in each slot
    slots: list[Slot]


def grow(inputs: Inputs, terms: Terms, layout: Layout, graph: Neighbourhoods) -> Growth:
    """All slots of all proteins of a batch (algorithm, section 3)."""
    if not torch.is_grad_enabled():
        return _made(_slots(inputs, terms, layout, graph), layout)
    slots: list[Slot] = []
    embedding, expected, soft = _Grow.apply(slots, terms, layout, graph, *inputs)
    return Growth(embedding, expected, soft, slots)


class _Grow(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, slots: list[Slot], terms: Terms, layout: Layout, graph: Neighbourhoods, *tensors: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        slots += _slots(Inputs(*tensors), terms, layout, graph)
        ctx.slots, ctx.terms, ctx.layout = slots, terms, layout
        ctx.save_for_backward(*tensors)
        made = _made(slots, layout)
        return made.embedding, made.expected_size, made.soft

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g_blob: Tensor, g_expected: Tensor, g_soft: Tensor) -> tuple[Any, ...]:
        inputs = Inputs(*ctx.saved_tensors)
        grads = _backward(inputs, ctx.slots, ctx.terms, ctx.layout, g_blob, g_expected, g_soft)
        return (None, None, None, None, *grads)


def _made(slots: list[Slot], layout: Layout) -> Growth:
    p = torch.stack([slot.p for slot in slots])  # (S, N)
    return Growth(
        embedding=torch.stack([slot.blob for slot in slots], 1),
        expected_size=layout.total(p.t()) + torch.stack([slot.active for slot in slots], 1),
        soft=torch.zeros_like(p),
        slots=slots,
    )


def _slots(inputs: Inputs, terms: Terms, layout: Layout, graph: Neighbourhoods) -> list[Slot]:
    """The forward pass."""
    residues, width = inputs.x.shape
    enough = terms.termination_threshold * layout.length
    query_weight, keys = inputs.query / math.sqrt(len(inputs.query)), layout.padded(inputs.keys)
    free = torch.ones(residues + 1, dtype=torch.bool, device=inputs.x.device)  # and a place for no residue
    active, covered, context = torch.ones_like(layout.length), torch.zeros_like(layout.length), inputs.context
    slots: list[Slot] = []
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
        slots.append(
            Slot(
                row, active, size, blob, choice, p, into, hidden, query, threshold_in, threshold_hidden, step
            )
        )  # fmt: skip
        context = context + terms.context_step * step * active[:, None]
        covered = covered + size
        active = active * (covered < enough)
    return slots


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


def _backward(
    inputs: Inputs,
    slots: list[Slot],
    terms: Terms,
    layout: Layout,
    g_blob: Tensor,
    g_expected: Tensor,
    g_soft: Tensor,
) -> Inputs:
    """Gradients of the inputs from those of :class:`Growth`: (B, S, D), (B, S) and (S, N)."""
    x, keys, width = layout.padded(inputs.x), layout.padded(inputs.keys), inputs.x.shape[1]
    query_weight = inputs.query / math.sqrt(len(inputs.query))
    logit_scale = 1 if terms.noise is None else 1 / terms.tau
    d_context = torch.zeros_like(inputs.context)
    d_hidden = torch.zeros_like(inputs.projected)  # to be multiplied by the seed head's last weight
    d_seed_logit = torch.zeros_like(inputs.seed_logit[0])
    found: list[tuple[Tensor, ...]] = []
    for number in reversed(range(len(slots))):
        slot = slots[number]
        d_update = d_context * (1 - slot.step.square()) * (terms.context_step * slot.active[:, None])
        # The blob, a weighted mean with weights choice + p.
        soft = slot.choice + slot.p
        mass = layout.total(soft).clamp_min_(_LEAST_MASS)
        to_blob = torch.addmm(g_blob[:, number], d_update, inputs.update) / mass[:, None]
        along = layout.dot(x, to_blob)
        d_soft = along - layout.spread(layout.total(soft * along) / mass) + g_soft[number]
        # p = sigmoid((<query, keys>/sqrt(h) + alpha into - theta) / tau)
        d_score = _sigmoid_backward(d_soft + layout.spread(g_expected[:, number]), slot.p) / terms.tau
        d_query = layout.weighted_sum(d_score, keys)
        d_theta = -layout.total(d_score)[:, None]  # (B, 1)
        d_threshold = _threshold_backward(d_theta * inputs.theta, slot.threshold_hidden, 0)
        d_in = d_threshold @ inputs.threshold
        # The seed, a weighted mean with the choice for weights, whose sum is one.
        to_seed = torch.addmm(d_in[:, :width], d_query, query_weight)
        d_choice = d_soft + layout.dot(x, to_seed)
        shift = layout.total(slot.choice * d_choice)
        d_logit = slot.choice * (d_choice - layout.spread(shift)) * logit_scale
        # logit = <seed_logit, relu(projected + seed_context @ context)>
        through = _threshold_backward(d_logit[:, None].expand_as(slot.hidden), slot.hidden, 0)
        d_seed_context = layout.total(through) * inputs.seed_logit
        d_hidden.add_(through)
        d_seed_logit.add_(d_logit @ slot.hidden)
        d_context = d_context + d_in[:, width : 2 * width] + d_seed_context @ inputs.seed_context
        found.append(
            (soft, to_blob, to_seed, d_score, d_query, d_theta, d_threshold, d_seed_context, d_update)
        )
    found.reverse()
    soft, to_blob, to_seed, d_score, d_query, d_theta, d_threshold, d_seed_context, d_update = (
        torch.stack(each) for each in zip(*found, strict=True)
    )
    threshold_in = torch.stack([slot.threshold_in for slot in slots])
    seed, context, _ = threshold_in.split([width, width, threshold_in.shape[2] - 2 * width], 2)
    weights = torch.cat([soft, torch.stack([slot.choice for slot in slots])]).t()  # (N, 2 S)
    return Inputs(
        x=layout.weighted(weights, torch.cat([to_blob, to_seed]).transpose(0, 1)),
        projected=d_hidden.mul_(inputs.seed_logit),
        keys=layout.weighted(d_score.t(), torch.stack([slot.query for slot in slots], 1)),
        context=d_context,
        seed_context=_over_slots(d_seed_context, context),
        seed_logit=d_seed_logit[None],
        query=_over_slots(d_query, seed) / math.sqrt(len(inputs.query)),
        alpha=(d_score * torch.stack([slot.into for slot in slots])).sum(),
        threshold=_over_slots(d_threshold, threshold_in),
        threshold_bias=d_threshold.sum((0, 1)),
        theta=_over_slots(d_theta, torch.stack([slot.threshold_hidden for slot in slots])),
        theta_bias=d_theta.sum((0, 1)),
        update=_over_slots(d_update, torch.stack([slot.blob for slot in slots])),
        update_bias=d_update.sum((0, 1)),
    )


def _over_slots(grad: Tensor, given: Tensor) -> Tensor:
    """Gradient of a weight from those of its output (S, B, a), over its input (S, B, b): (a, b)."""
    return grad.flatten(0, 1).t() @ given.flatten(0, 1)
