"""Means over the joint batch of several processes, with the gradient that one process would have.

Distributed data parallel training averages gradients over processes, each of which holds other proteins.
A mean over each process's own blobs would then weigh a blob by how few others its process has.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist


class _JointSum(torch.autograd.Function):
    """Sum over processes. Its gradient is scaled by their number, by which DDP divides it again."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0] * dist.get_world_size()


def joint_mean(mean: Tensor, count: Tensor | int) -> Tensor:
    """Mean over the joint batch, from this process's mean (any shape) over ``count`` items.

    Communicates only while gradients are recorded: processes validate different numbers of batches, so that
    one would wait for the other.
    """
    if not (dist.is_available() and dist.is_initialized() and torch.is_grad_enabled()):
        return mean
    weight = torch.as_tensor(count, dtype=mean.dtype, device=mean.device)
    total = _JointSum.apply(torch.cat([(mean * weight).reshape(-1), weight.reshape(1)]))
    return (total[:-1] / total[-1].clamp_min(1)).view_as(mean)


def sum_over_processes(values: Tensor) -> Tensor:
    """Sum without a gradient; ``values`` themselves with one process."""
    values = values.detach().clone()
    if dist.is_available() and dist.is_initialized():
        dist.all_reduce(values)
    return values
