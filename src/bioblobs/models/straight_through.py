"""Means that are hard in the forward pass and soft in the backward pass."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_LEAST_MASS = 1e-6


def straight_through_mean(hard: Tensor, x: Tensor, weights: Tensor, batch: Tensor) -> Tensor:
    """Value ``hard``; gradient of the weighted mean sum_i w_i x_i / sum_i w_i over each protein, alone.

    The soft mean itself is never needed, only its gradient, which is elementwise in the residues:
    d/dx_i = w_i g / W and d/dw_i = (x_i - mean) g / W, with g the gradient of the result and W = sum w.

    Args:
        hard: (B, D), without gradient.
        x: (N, D).
        weights: (N,), not negative; a protein whose weights are all zero must not use its result.
        batch: (N,) protein of each residue.
    """
    if not torch.is_grad_enabled():
        return hard
    mean: Tensor = _StraightThroughMean.apply(hard, x, weights, batch)
    return mean


class _StraightThroughMean(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hard: Tensor, x: Tensor, weights: Tensor, batch: Tensor) -> Tensor:
        ctx.save_for_backward(x, weights, batch)
        return hard.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor, Tensor, None]:
        x, weights, batch = ctx.saved_tensors
        total = grad.new_zeros(2, len(grad))
        mass = total[0].index_add_(0, batch, weights).clamp_min_(_LEAST_MASS)
        rows = (grad / mass[:, None]).index_select(0, batch)  # (N, D)
        along = torch.linalg.vecdot(x, rows)
        mean = total[1].index_add_(0, batch, weights * along) / mass  # (B,) mean . g / W
        d_weights = along - mean.index_select(0, batch)
        return None, rows.mul_(weights[:, None]), d_weights, None
