"""Linear maps of many rows, through the library whose kernels are the faster ones.

In fp32 on a CPU torch multiplies with MKL, which stops at AVX2 on processors of other makers than its own.
oneDNN, which comes with torch as well, takes AVX-512 wherever it is: up to 2.4 times faster on the shapes of
this model. Other types and devices, and installations without oneDNN, go the usual way.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

SMALL_GRADIENT = 32
"""Side of a weight up to which MKL sums its gradient over rows faster: oneDNN splits rows over no threads."""

_ONEDNN: Any = None
if torch.backends.mkldnn.is_available():
    _ONEDNN = getattr(torch.ops.mkldnn, "_linear_pointwise", None)


class Linear(nn.Linear):
    """``torch.nn.Linear``, with the same parameters and result."""

    def forward(self, input: Tensor) -> Tensor:
        """(..., a) -> (..., b)."""
        return linear(input, self.weight, self.bias)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``torch.nn.functional.linear``, with its gradient: x (..., a), weight (b, a), bias (b,)."""
    if _suits_onednn(x, weight) and not torch.is_autocast_enabled("cpu"):
        return cast(Tensor, _Linear.apply(x, weight, bias))
    return F.linear(x, weight, bias)


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return product(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        for_x, for_weight, for_bias = ctx.needs_input_grad
        return (
            product(grad, weight.t()) if for_x else None,
            weight_gradient(grad, x) if for_weight else None,
            grad.flatten(0, -2).sum(0) if for_bias else None,
        )


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None, add: Tensor | None = None) -> Tensor:
    """x @ weight.t(), plus ``bias`` or ``add`` (one of them); without gradient.

    Args:
        x: (..., a).
        weight: (b, a), transposed or not.
        bias: (b,).
        add: (rows, b), for an x of two dimensions; may be overwritten.
    """
    if _suits_onednn(x, weight):
        x, weight = _dense(x), _dense(weight)
        if add is None:
            return cast(Tensor, _ONEDNN(x, weight, bias, "none", [], ""))
        return cast(Tensor, _ONEDNN.binary(x, add, weight, None, "add"))
    return F.linear(x, weight, bias) if add is None else add.addmm_(x, weight.t())


def weight_gradient(grad: Tensor, x: Tensor) -> Tensor:
    """(b, a) sum over rows of the outer products of grad (..., b) and x (..., a)."""
    grad, x = grad.reshape(-1, grad.shape[-1]), x.reshape(-1, x.shape[-1])
    if min(grad.shape[1], x.shape[1]) > SMALL_GRADIENT:
        return product(grad.t(), x.t())
    return grad.t() @ x


def _suits_onednn(x: Tensor, weight: Tensor) -> bool:
    """Whether oneDNN has a fast kernel; for a single column it has none."""
    on_cpu = x.device.type == "cpu" and x.dtype == torch.float32
    return on_cpu and _ONEDNN is not None and x.numel() > 0 and min(weight.shape) > 1


def _dense(matrix: Tensor) -> Tensor:
    """The same without gaps between its rows, or columns: with gaps oneDNN is a hundred times slower."""
    if matrix.is_contiguous() or (matrix.dim() == 2 and matrix.t().is_contiguous()):
        return matrix
    return matrix.contiguous()
