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

_WEIGHT = "weight"


class EpochSums:
    """Weighted sums by split and name, and code counts (K,) by split."""

    def __init__(self) -> None:
        self.sums: dict[str, dict[str, Tensor]] = {}
        self.code_counts: dict[str, Tensor] = {}

    def add(self, split: str, values: Mapping[str, Tensor], weight: int) -> None:
        """Add the means of one batch of ``weight`` proteins."""
        sums = self.sums.setdefault(split, {})
        device = next(iter(values.values())).device
        for name, value in (*values.items(), (_WEIGHT, torch.ones((), device=device))):
            addend = value.detach().float() * weight
            sums[name] = sums[name] + addend if name in sums else addend

    def count_codes(self, split: str, codes: Tensor, real: Tensor, size: int) -> None:
        """Count the codes (M,) of the blobs that are ``real`` (M,)."""
        counts = self.code_counts.setdefault(split, torch.zeros(size, device=codes.device))
        counts.index_add_(0, codes, real.float())

    def means(self, split: str) -> dict[str, Tensor]:
        """Compute the mean of each name over the proteins of a split in all processes."""
        sums = self.sums.get(split)
        if not sums:
            return {}
        total = dict(zip(sums, sum_over_processes(torch.stack(list(sums.values()))), strict=True))
        weight = total.pop(_WEIGHT)
        return {name: value / weight for name, value in total.items()}

    def state_dict(self) -> dict[str, Any]:
        """Return plain data for a checkpoint."""
        return {"sums": self.sums, "code_counts": self.code_counts}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        """Restore the sums of a checkpoint."""
        self.sums = {
            split: {name: value.to(device) for name, value in sums.items()}
            for split, sums in state["sums"].items()
        }
        self.code_counts = {split: counts.to(device) for split, counts in state["code_counts"].items()}

    def clear(self) -> None:
        """Remove all sums at the end of an epoch."""
        self.sums.clear()
        self.code_counts.clear()
