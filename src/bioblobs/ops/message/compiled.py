"""The compiled message: :mod:`bioblobs.ops.message.reference` by ``mean_message.cpp`` and ``tile.h``.

Nothing of an edge is kept for the backward pass, which computes it again tile by tile in the cache.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from bioblobs.ops.build import has_bf16, library
from bioblobs.ops.call import call
from bioblobs.ops.message.reference import Inputs, Weights

_INPUTS, _BY_RESIDUE = len(Inputs._fields), 4
"""Tensors before the weights, and those among them with one row per residue, not per edge."""


def suits(tensor: Tensor) -> bool:
    """True where the compiled message takes inputs like this one: on a CPU, fp32 or autocast to bf16."""
    kind = tensor.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else tensor.dtype
    fits = dtype == torch.float32 or (dtype == torch.bfloat16 and has_bf16())
    return fits and kind == "cpu" and library() is not None


def mean_message(
    inputs: Inputs, neighbours: Tensor, edge_weights: Tensor | None, weights: Weights
) -> tuple[Tensor, Tensor]:
    """Compute :func:`bioblobs.ops.message.reference.mean_message`.

    Under bf16 autocast the factors of products are rounded to bf16; sums and everything else are fp32.
    """
    narrow = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16
    tensors = [tensor.float() for tensor in (*inputs, *weights)]
    if edge_weights is not None:
        edge_weights = edge_weights.float().contiguous()
    return _message(neighbours.int().contiguous(), edge_weights, tensors, narrow)


@torch.library.custom_op("bioblobs::mean_message", mutates_args=(), device_types="cpu")
def _message(
    neighbours: Tensor, edge_weights: Tensor | None, tensors: Sequence[Tensor], narrow: bool
) -> tuple[Tensor, Tensor]:
    means = _empty_means(neighbours, tensors)
    given = _given(neighbours, edge_weights, tensors)
    call("mean_message_forward", *given, torch.get_num_threads(), int(narrow), *means)
    return means


@torch.library.custom_op("bioblobs::mean_message_backward", mutates_args=(), device_types="cpu")
def _message_backward(
    neighbours: Tensor,
    edge_weights: Tensor | None,
    tensors: Sequence[Tensor],
    narrow: bool,
    grad_s: Tensor,
    grad_v: Tensor,
) -> list[Tensor]:
    threads = torch.get_num_threads()
    d_inputs = [_empty(tensor) for tensor in tensors[:_INPUTS]]
    weights = [_matrix(tensor) for tensor in tensors[_INPUTS:]]
    d_weights = [each.new_zeros(threads, each.shape[1], _whole(each.shape[0])) for each in weights]
    given = _given(neighbours, edge_weights, tensors)
    means = _rows(grad_s), _rows(grad_v)
    call("mean_message_backward", *given, threads, int(narrow), *means, d_weights, d_inputs)
    summed = [
        each.sum(0)[:, : len(weight)].t().reshape(tensor.shape).contiguous()
        for each, weight, tensor in zip(d_weights, weights, tensors[_INPUTS:], strict=True)
    ]
    return [*d_inputs, *summed]


@_message.register_fake
def _(
    neighbours: Tensor, edge_weights: Tensor | None, tensors: Sequence[Tensor], narrow: bool
) -> tuple[Tensor, Tensor]:
    return _empty_means(neighbours, tensors)


@_message_backward.register_fake
def _(neighbours: Tensor, edge_weights: Tensor | None, tensors: Sequence[Tensor], *_: Any) -> list[Tensor]:
    return [_empty(tensor) for tensor in tensors]


def _keep_inputs(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    neighbours, edge_weights, tensors, ctx.narrow = inputs
    ctx.save_for_backward(neighbours, edge_weights, *tensors)


def _gradients(ctx: Any, grad_s: Tensor, grad_v: Tensor) -> tuple[Any, ...]:
    neighbours, edge_weights, *tensors = ctx.saved_tensors
    return None, None, _message_backward(neighbours, edge_weights, tensors, ctx.narrow, grad_s, grad_v), None


_message.register_autograd(_gradients, setup_context=_keep_inputs)


def _empty(tensor: Tensor) -> Tensor:
    return torch.empty_like(tensor, memory_format=torch.contiguous_format)


def _empty_means(neighbours: Tensor, tensors: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    residues, n, v = len(neighbours), tensors[1].shape[1], tensors[-1].shape[0]
    return tensors[0].new_empty(residues, n + v + 1), tensors[0].new_empty(3, residues, v)


def _given(
    neighbours: Tensor, edge_weights: Tensor | None, tensors: Sequence[Tensor]
) -> tuple[Any, list[Tensor | None], list[Tensor]]:
    """Sizes, inputs and weights as the compiled functions take them."""
    inputs, weights = tensors[:_INPUTS], tensors[_INPUTS:]
    (residues, k), n, v, h = neighbours.shape, inputs[1].shape[1], weights[-1].shape[0], inputs[2].shape[2]
    sizes = (ctypes.c_int64 * 7)(residues, k, n, v, inputs[4].shape[-1], inputs[5].shape[-1], h)
    by_residue, by_edge = inputs[:_BY_RESIDUE], inputs[_BY_RESIDUE:]
    return (
        sizes,
        [neighbours, edge_weights, *map(_rows, by_residue), *(each.contiguous() for each in by_edge)],
        [_rows(weights[0].t()), *(weight.contiguous() for weight in weights)],
    )


def _matrix(weight: Tensor) -> Tensor:
    """A bias as a matrix of one column."""
    return weight if weight.dim() == 2 else weight[:, None]


def _whole(columns: int) -> int:
    """Columns filled up to whole vectors of the processor."""
    compiled = library()
    assert compiled is not None  # suits() comes first
    wide = int(compiled.wide())
    return -(-columns // wide) * wide


def _rows(tensor: Tensor) -> Tensor:
    """(..., channels) with its rows filled up to whole vectors with zeros."""
    return F.pad(tensor, (0, _whole(tensor.shape[-1]) - tensor.shape[-1])).contiguous()
