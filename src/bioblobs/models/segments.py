"""Reductions over the residues of each protein, for flat batches with a batch vector.

B proteins, N residues. Sums go through torch_geometric, which uses torch-scatter where it is installed.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.utils import scatter


def segment_sum(values: Tensor, batch: Tensor, size: int) -> Tensor:
    """Sum a protein: (N, ...) -> (B, ...)."""
    return scatter(values, batch, dim=0, dim_size=size, reduce="sum")


def segment_pool(values: Tensor, batch: Tensor, size: int, how: str) -> Tensor:
    """Sum, mean or max a protein: (N, D) -> (B, D)."""
    return scatter(values, batch, dim=0, dim_size=size, reduce=how)


def segment_softmax(logits: Tensor, allowed: Tensor, batch: Tensor, size: int) -> Tensor:
    """Softmax over the allowed residues of each protein, (N,); zero elsewhere.

    A protein without an allowed residue gets zeros, not NaN.
    """
    lowest = torch.finfo(logits.dtype).min
    top = scatter(logits.masked_fill(~allowed, lowest).detach(), batch, 0, size, "max")
    weights = torch.exp(
        torch.where(allowed, logits - top.index_select(0, batch), lowest)
    )  # 0 where not allowed
    total = segment_sum(weights, batch, size).clamp_min(torch.finfo(logits.dtype).tiny)
    return weights / total.index_select(0, batch)


def segment_argmax(values: Tensor, allowed: Tensor, batch: Tensor, size: int) -> Tensor:
    """(N,) one-hot of each protein's largest allowed value; ties go to the first residue.

    All False for a protein without an allowed residue.
    """
    lowest = torch.finfo(values.dtype).min
    masked = values.masked_fill(~allowed, lowest)
    is_top = allowed & (masked == scatter(masked, batch, 0, size, "max")[batch])
    row = torch.arange(len(values), device=values.device)
    first = scatter(torch.where(is_top, row, len(values)), batch, 0, size, "min")
    return row == first[batch]


def rank_in_segment(values: Tensor, batch: Tensor, starts: Tensor) -> Tensor:
    """(N,) place of each residue among its protein's by descending value, counting from 0.

    Ties keep the order of the residues. ``starts`` (B,) is the first row of each protein.
    """
    by_value = torch.argsort(values, descending=True, stable=True)
    order = by_value[torch.argsort(batch[by_value], stable=True)]  # by protein, then by value
    place = torch.arange(len(values), device=values.device) - starts[batch]
    return torch.empty_like(place).scatter_(0, order, place)
