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
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from bioblobs.models import compiled_slots, slots
from bioblobs.models.layout import Layout, Neighbourhoods
from bioblobs.models.slots import Inputs, Slots, Terms

_LEAST_MASS = 1e-6

_sigmoid_backward = torch.ops.aten.sigmoid_backward
_threshold_backward = torch.ops.aten.threshold_backward


class Growth(NamedTuple):
    """The blobs with their gradients; see :class:`~bioblobs.models.partitioner.Blobs`."""

    embedding: Tensor  # (B, S, D)
    expected_size: Tensor  # (B, S)
    soft: Tensor  # (S, N) 0 with the gradient of the soft weight in each slot
    slots: Slots


def grow(inputs: Inputs, terms: Terms, layout: Layout, graph: Neighbourhoods) -> Growth:
    """All slots of all proteins of a batch (algorithm, section 3)."""
    fill = compiled_slots.fill if compiled_slots.suits(inputs) else slots.fill
    with torch.no_grad():
        filled = fill(inputs, terms, layout, graph)
    embedding, expected, soft = _Grow.apply(filled, terms, layout, *inputs)
    return Growth(embedding, expected, soft, filled)


class _Grow(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, filled: Slots, terms: Terms, layout: Layout, *tensors: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        ctx.filled, ctx.terms, ctx.layout = filled, terms, layout
        ctx.save_for_backward(*tensors)
        expected = layout.total(filled.p.t()) + filled.active.t()
        return filled.blob.transpose(0, 1).contiguous(), expected, torch.zeros_like(filled.p)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g_blob: Tensor, g_expected: Tensor, g_soft: Tensor) -> tuple[Any, ...]:
        inputs = Inputs(*ctx.saved_tensors)
        grads = _backward(inputs, ctx.filled, ctx.terms, ctx.layout, g_blob, g_expected, g_soft)
        return (None, None, None, *grads)


def _backward(
    inputs: Inputs,
    filled: Slots,
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
    through_step = (1 - filled.step.square()) * (terms.context_step * filled.active[..., None])
    softs = filled.choice + filled.p
    masses = layout.total(softs.t()).clamp_min_(_LEAST_MASS)  # (B, S)
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
        d_score = _sigmoid_backward(d_soft + to_sizes[number], slot.p) / terms.tau
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
