"""Sums of an epoch so far: means and code counts by split.

Lightning's own averages are not in its checkpoints, and an interrupted epoch must go on with them. MeanMetric
of torchmetrics keeps a running mean, which rounds differently, takes five times as long per step, and needs
several reductions per name where processes are joined.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from bioblobs.models.processes import sum_over_processes


class EpochSums:
    """Weighted sums by split and name, and code counts (K,) by split."""

    def __init__(self) -> None:
        self.names: dict[str, list[str]] = {}
        self.sums: dict[str, Tensor] = {}  # (2, names): of value times weight, of weights
        self.code_counts: dict[str, Tensor] = {}

    def add(self, split: str, means: Mapping[str, tuple[Tensor, Tensor]]) -> None:
        """Add one batch.

        Args:
            means: name -> mean of the batch, and how many it is over (proteins, blobs, residues).
        """
        values, weights = (
            torch.stack([part.detach().float() for part in column])
            for column in zip(*means.values(), strict=True)
        )
        own = torch.stack([values * weights, weights])
        self.names[split] = list(means)
        self.sums[split] = self.sums[split] + own if split in self.sums else own

    def count_codes(self, split: str, codes: Tensor, real: Tensor, size: int) -> None:
        """Count the codes (M,) of the blobs that are ``real`` (M,)."""
        counts = self.code_counts.setdefault(split, torch.zeros(size, device=codes.device))
        counts.index_add_(0, codes, real.float())

    def means(self, split: str) -> dict[str, Tensor]:
        """Compute each mean over what it is of, in all batches and processes; 0 of nothing."""
        if split not in self.sums:
            return {}
        total, weight = sum_over_processes(self.sums[split])
        return dict(zip(self.names[split], total / weight.clamp_min(1), strict=True))

    def state_dict(self) -> dict[str, Any]:
        """Return plain data for a checkpoint."""
        return {"names": self.names, "sums": self.sums, "code_counts": self.code_counts}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        """Restore the sums of a checkpoint."""
        self.names = state["names"]
        self.sums = {split: sums.to(device) for split, sums in state["sums"].items()}
        self.code_counts = {split: counts.to(device) for split, counts in state["code_counts"].items()}

    def clear(self) -> None:
        """Remove all sums at the end of an epoch."""
        self.names.clear()
        self.sums.clear()
        self.code_counts.clear()
