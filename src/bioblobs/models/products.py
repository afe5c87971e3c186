"""Linear maps of many rows, through the library whose kernels are the faster ones.

In fp32 on a CPU torch multiplies with MKL, which stops at AVX2 on processors of other makers than its own.
oneDNN, which comes with torch as well, takes AVX-512 wherever it is: up to 2.4 times faster on the shapes of
this model. But it builds a kernel for every new number of rows, which takes longer (0.4 ms) than most of
these products: it is for numbers of rows that come again, which are the multiples of ``RECURRING``. Other
types and devices, and installations without oneDNN, go the usual way.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F

RECURRING = 64
"""Chunks are cut to multiples of it; another batch has their number of rows again, and seldom any other's."""
NARROW_SUM = 16
"""Width up to which MKL is the faster one where the product is added to something."""
SMALL_GRADIENT = 32
"""Side of a weight up to which MKL sums its gradient over rows faster: oneDNN splits rows over no threads."""

_ONEDNN: Any = None
if torch.backends.mkldnn.is_available():
    _ONEDNN = getattr(torch.ops.mkldnn, "_linear_pointwise", None)


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None, add: Tensor | None = None) -> Tensor:
    """x @ weight.t(), plus ``bias`` or ``add`` (one of them); without gradient.

    Args:
        x: (..., a).
        weight: (b, a), transposed or not.
        bias: (b,).
        add: (rows, b), for an x of two dimensions; may be overwritten.
    """
    rows = x.numel() // x.shape[-1]
    if _suits_onednn(x, weight, rows) and (add is None or x.shape[-1] > NARROW_SUM):
        x, weight = _dense(x), _dense(weight)
        if add is None:
            return cast(Tensor, _ONEDNN(x, weight, bias, "none", [], ""))
        return cast(Tensor, _ONEDNN.binary(x, add, weight, None, "add"))
    return F.linear(x, weight, bias) if add is None else add.addmm_(x, weight.t())


def weight_gradient(grad: Tensor, x: Tensor) -> Tensor:
    """(b, a) sum over rows of the outer products of grad (..., b) and x (..., a)."""
    grad, x = grad.reshape(-1, grad.shape[-1]), x.reshape(-1, x.shape[-1])
    if min(grad.shape[1], x.shape[1]) > SMALL_GRADIENT and _suits_onednn(grad, x, len(x)):
        return cast(Tensor, _ONEDNN(_dense(grad.t()), _dense(x.t()), None, "none", [], ""))
    return grad.t() @ x


def _suits_onednn(x: Tensor, other: Tensor, rows: int) -> bool:
    """Whether oneDNN has a fast kernel; for a single column it has none."""
    here = _ONEDNN is not None and x.device.type == "cpu" and x.dtype == torch.float32
    return here and rows > 0 and rows % RECURRING == 0 and min(other.shape) > 1


def _dense(matrix: Tensor) -> Tensor:
    """The same without gaps between its rows, or columns: with gaps oneDNN is a hundred times slower."""
    if matrix.is_contiguous() or (matrix.dim() == 2 and matrix.t().is_contiguous()):
        return matrix
    return matrix.contiguous()
