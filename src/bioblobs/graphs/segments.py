"""Reductions over the residues of each protein, for flat batches with a batch vector.

B proteins, N residues. Reductions go through torch_geometric, which uses torch-scatter, where
it is installed, for the maximum with a gradient on a GPU.
"""

from __future__ import annotations

from torch import Tensor
from torch_geometric.utils import scatter


def segment_sum(values: Tensor, batch: Tensor, size: int) -> Tensor:
    """Sum per protein: (N, ...) -> (B, ...)."""
    return scatter(values, batch, dim=0, dim_size=size, reduce="sum")


def segment_pool(values: Tensor, batch: Tensor, size: int, how: str) -> Tensor:
    """Reduce per protein by sum, mean or max: (N, D) -> (B, D)."""
    return scatter(values, batch, dim=0, dim_size=size, reduce=how)
