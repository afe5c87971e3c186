"""The compiled message: :mod:`bioblobs.models.mean_message` by ``kernels/mean_message.cpp``.

Nothing of an edge is kept for the backward pass, which makes it again tile by tile in the processor's cache.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from bioblobs.kernels.build import has_bf16, library
from bioblobs.kernels.call import call

if TYPE_CHECKING:
    from bioblobs.models.mean_message import Inputs, Weights

_INPUTS, _BY_RESIDUE = 6, 4
"""Tensors before the weights, and those among them that have a row a residue, not an edge."""


def suits(inputs: Inputs, dtype: torch.dtype | None) -> bool:
    """Whether the compiled message takes these inputs on this processor: fp32, or bf16 where it has that.

    Args:
        inputs: see there.
        dtype: that of autocast; None without it.
    """
    tensor = inputs.scalars_j
    fits = tensor.dtype == torch.float32 if dtype is None else dtype == torch.bfloat16 and has_bf16()
    return fits and tensor.device.type == "cpu" and library() is not None


def mean_message(
    inputs: Inputs,
    neighbours: Tensor,
    edge_weights: Tensor | None,
    weights: Weights,
    dtype: torch.dtype | None = None,
) -> tuple[Tensor, Tensor]:
    """See :func:`bioblobs.models.mean_message.mean_message`.

    With ``dtype`` bf16 the factors of products are rounded to it; sums and everything else are fp32.
    """
    tensors = (tensor.float() for tensor in (*inputs, *weights))
    neighbours = neighbours.int().contiguous()
    if edge_weights is not None:
        edge_weights = edge_weights.float().contiguous()
    scalars, vectors = _MeanMessage.apply(neighbours, edge_weights, dtype == torch.bfloat16, *tensors)
    return scalars, vectors


class _MeanMessage(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, neighbours: Tensor, edge_weights: Tensor | None, narrow: bool, *tensors: Tensor
    ) -> tuple[Tensor, Tensor]:
        given = _given(neighbours, edge_weights, tensors)
        residues, n, v = len(neighbours), tensors[1].shape[1], tensors[-1].shape[0]
        means = tensors[0].new_empty(residues, n + v + 1), tensors[0].new_empty(3, residues, v)
        call("mean_message_forward", *given, torch.get_num_threads(), int(narrow), *means)
        ctx.narrow = narrow
        ctx.save_for_backward(neighbours, edge_weights, *tensors)
        return means

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_s: Tensor, grad_v: Tensor) -> tuple[Tensor | None, ...]:
        neighbours, edge_weights, *tensors = ctx.saved_tensors
        threads = torch.get_num_threads()
        d_inputs = [
            torch.empty_like(tensor, memory_format=torch.contiguous_format) for tensor in tensors[:_INPUTS]
        ]
        weights = [_matrix(tensor) for tensor in tensors[_INPUTS:]]
        d_weights = [each.new_zeros(threads, each.shape[1], _whole(each.shape[0])) for each in weights]
        given = _given(neighbours, edge_weights, tensors)
        means = _rows(grad_s), _rows(grad_v)
        call("mean_message_backward", *given, threads, int(ctx.narrow), *means, d_weights, d_inputs)
        summed = [
            each.sum(0)[:, : len(weight)].t().reshape(tensor.shape)
            for each, weight, tensor in zip(d_weights, weights, tensors[_INPUTS:], strict=True)
        ]
        return (None, None, None, *d_inputs, *summed)


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
