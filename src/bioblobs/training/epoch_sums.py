"""What an epoch has added up so far: means by split, and how often each code was used.

Lightning's own averages are not in its checkpoints, and an epoch that was interrupted must go on with them.
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
        """The mean of each name over the proteins of a split, those of all processes."""
        sums = self.sums.get(split)
        if not sums:
            return {}
        total = dict(zip(sums, sum_over_processes(torch.stack(list(sums.values()))), strict=True))
        weight = total.pop(_WEIGHT)
        return {name: value / weight for name, value in total.items()}

    def state_dict(self) -> dict[str, Any]:
        """Plain data for a checkpoint."""
        return {"sums": self.sums, "code_counts": self.code_counts}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        """Go on from a checkpoint's."""
        self.sums = {
            split: {name: value.to(device) for name, value in sums.items()}
            for split, sums in state["sums"].items()
        }
        self.code_counts = {split: counts.to(device) for split, counts in state["code_counts"].items()}

    def clear(self) -> None:
        """Forget everything: the epoch is over."""
        self.sums.clear()
        self.code_counts.clear()
