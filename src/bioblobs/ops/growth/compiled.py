"""The compiled growth: :mod:`bioblobs.ops.growth.reference` by ``grow_slots.cpp``, one protein at a time.

The backward pass is written out below. Left to autograd it would be some thousand small operations per batch
and, for each of them, a gradient of the size of all embeddings. Written out, a slot's backward pass is a few
products, and the gradients of embeddings, keys and weights are one product each for all slots.

The soft mean is m = sum_i w_i x_i / W over a protein with W = sum w: d/dx_i = w_i g / W and
d/dw_i = (x_i - m) g / W, with g the gradient of the embedding. Shapes as in the reference.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from bioblobs.graphs.layout import Layout, Neighbourhoods
from bioblobs.ops.build import library
from bioblobs.ops.call import call
from bioblobs.ops.growth.reference import LEAST_MASS, LOCAL_STATISTICS, Growth, Inputs, Terms

_sigmoid_backward = torch.ops.aten.sigmoid_backward
_threshold_backward = torch.ops.aten.threshold_backward


class Slots(NamedTuple):
    """Results of all slots. Every field has a leading S, omitted below; no tensor has a gradient of its own.

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


def suits(tensor: Tensor) -> bool:
    """True where the compiled function takes inputs like this one: fp32 on a CPU."""
    return tensor.device.type == "cpu" and tensor.dtype == torch.float32 and library() is not None


def grow(inputs: Inputs, terms: Terms, layout: Layout, graph: Neighbourhoods) -> Growth:
    """Compute :func:`bioblobs.ops.growth.reference.grow`; members come in the order in which they joined."""
    made = _grow(
        [tensor.contiguous() for tensor in inputs],
        layout.batch,
        layout.longest,
        graph.pointer,
        graph.source,
        terms.tau.float(),
        None if terms.noise is None else terms.noise.float().contiguous(),
        [terms.max_clusters, terms.cluster_size_max, terms.k_hop],
        [terms.termination_threshold, terms.context_step],
    )
    embedding, expected, soft, *rest = made
    slots = Slots(*rest)
    return Growth(embedding, expected, soft, slots.rows, slots.size, slots.p)


@torch.library.custom_op("bioblobs::grow", mutates_args=(), device_types="cpu")
def _grow(
    inputs: Sequence[Tensor],
    batch: Tensor,
    longest: int,
    pointer: Tensor,
    source: Tensor,
    tau: Tensor,
    noise: Tensor | None,
    sizes: Sequence[int],
    shares: Sequence[float],
) -> list[Tensor]:
    given = Inputs(*inputs)
    slots, most, k_hop = sizes
    (residues, width), proteins, heads = given.x.shape, len(given.context), len(given.query)
    layout = Layout(batch, proteins, longest)
    tensors: list[Tensor | None] = [*given._replace(query=given.query / math.sqrt(heads))]
    tensors += [tau, noise, layout.starts, pointer, source]
    made = _empty(given, slots, most)
    counts = (ctypes.c_int64 * 7)(proteins, residues, width, heads, slots, most, k_hop)
    call("grow_slots", counts, tensors, *map(float, shares), torch.get_num_threads(), list(made))
    expected = layout.total(made.p.t()) + made.active.t()
    embedding = made.blob.transpose(0, 1).clone(memory_format=torch.contiguous_format)
    return [embedding, expected, torch.zeros_like(made.p), *made]


@_grow.register_fake
def _(inputs: Sequence[Tensor], *others: Any) -> list[Tensor]:
    given, (slots, most, _) = Inputs(*inputs), others[-2]
    made = _empty(given, slots, most)
    proteins, width = given.context.shape
    x = given.x
    embedding, expected = x.new_empty(proteins, slots, width), x.new_empty(proteins, slots)
    return [embedding, expected, torch.empty_like(made.p), *made]


def _empty(inputs: Inputs, slots: int, most: int) -> Slots:
    (residues, width), proteins, heads = inputs.x.shape, len(inputs.context), len(inputs.query)

    def empty(*shape: int) -> Tensor:
        return inputs.x.new_empty(slots, *shape)

    return Slots(
        rows=inputs.x.new_empty(slots, proteins, most, dtype=torch.long),
        active=empty(proteins),
        size=empty(proteins),
        blob=empty(proteins, width),
        choice=empty(residues),
        p=empty(residues),
        into=empty(residues),
        hidden=empty(residues, heads),
        query=empty(proteins, heads),
        threshold_in=empty(proteins, 2 * width + LOCAL_STATISTICS),
        threshold_hidden=empty(proteins, heads),
        step=empty(proteins, width),
    )


def _keep_what_the_gradient_needs(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    tensors, batch, ctx.longest, _, _, tau, noise, _, (_, ctx.context_step) = inputs
    ctx.noisy, ctx.count = noise is not None, len(tensors)
    ctx.save_for_backward(*tensors, batch, tau, *output[3:])
    ctx.mark_non_differentiable(*output[3:])


def _gradients(ctx: Any, grads: Sequence[Tensor]) -> tuple[Any, ...]:
    tensors, (batch, tau, *slots) = ctx.saved_tensors[: ctx.count], ctx.saved_tensors[ctx.count :]
    inputs = Inputs(*tensors)
    layout = Layout(batch, len(inputs.context), ctx.longest)
    with torch.no_grad():
        made = _backward(inputs, Slots(*slots), layout, tau, ctx.noisy, ctx.context_step, *grads[:3])
    return list(made), *([None] * 8)


_grow.register_autograd(_gradients, setup_context=_keep_what_the_gradient_needs)


def _backward(
    inputs: Inputs,
    filled: Slots,
    layout: Layout,
    tau: Tensor,
    noisy: bool,
    context_step: float,
    g_blob: Tensor,
    g_expected: Tensor,
    g_soft: Tensor,
) -> Inputs:
    """Gradients of the inputs from those of :class:`Growth`: (B, S, D), (B, S) and (S, N)."""
    x, keys, width = layout.padded(inputs.x), layout.padded(inputs.keys), inputs.x.shape[1]
    query_weight = inputs.query / math.sqrt(len(inputs.query))
    logit_scale = 1 / tau if noisy else 1
    d_context = torch.zeros_like(inputs.context)
    d_hidden = torch.zeros_like(inputs.projected)  # to be multiplied by the seed head's last weight
    d_seed_logit = torch.zeros_like(inputs.seed_logit[0])
    through_step = (1 - filled.step.square()) * (context_step * filled.active[..., None])
    softs = filled.choice + filled.p
    masses = layout.total(softs.t()).clamp_min_(LEAST_MASS)  # (B, S)
    to_sizes = layout.spread(g_expected).t()  # (S, N)
    found: list[tuple[Tensor, ...]] = []
    for number, slot in reversed(list(enumerate(filled.each()))):
        d_update = d_context * through_step[number]
        # The blob, a weighted mean with weights choice + p.
        soft, mass = softs[number], masses[:, number]
        to_blob = torch.addmm(g_blob[:, number], d_update, inputs.update) / mass[:, None]
        along = layout.dot(x, to_blob)
        d_soft = along - layout.spread(layout.total(soft * along) / mass) + g_soft[number]
        # p = sigmoid((<query, keys>/sqrt(h) + alpha into - theta) / tau)
        d_score = _sigmoid_backward(d_soft + to_sizes[number], slot.p) / tau
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
        found.append((to_blob, to_seed, d_score, d_query, d_theta, d_threshold, d_seed_context, d_update))
    found.reverse()
    to_blob, to_seed, d_score, d_query, d_theta, d_threshold, d_seed_context, d_update = (
        torch.stack(each) for each in zip(*found, strict=True)
    )
    seed, context = filled.threshold_in[..., :width], filled.threshold_in[..., width : 2 * width]
    weights = torch.cat([softs, filled.choice]).t()  # (N, 2 S)
    return Inputs(
        x=layout.weighted(weights, torch.cat([to_blob, to_seed]).transpose(0, 1)),
        projected=d_hidden.mul_(inputs.seed_logit),
        keys=layout.weighted(d_score.t(), filled.query.transpose(0, 1)),
        context=d_context,
        seed_context=_over_slots(d_seed_context, context),
        seed_logit=d_seed_logit[None],
        query=_over_slots(d_query, seed) / math.sqrt(len(inputs.query)),
        alpha=(d_score * filled.into).sum(),
        threshold=_over_slots(d_threshold, filled.threshold_in),
        threshold_bias=d_threshold.sum((0, 1)),
        theta=_over_slots(d_theta, filled.threshold_hidden),
        theta_bias=d_theta.sum((0, 1)),
        update=_over_slots(d_update, filled.blob),
        update_bias=d_update.sum((0, 1)),
    )


def _over_slots(grad: Tensor, given: Tensor) -> Tensor:
    """Gradient of a weight from those of its output (S, B, a), over its input (S, B, b): (a, b)."""
    return grad.flatten(0, 1).t() @ given.flatten(0, 1)
