"""Averages of the weights over steps; the average is what is validated and saved."""

from __future__ import annotations

from typing import Literal

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor

Kind = Literal["none", "ema", "swa"]
SWA_SHARE = 0.25
"""Last share of the steps that stochastic weight averaging runs over (Izmailov et al. 2018)."""


class Averaged(WeightAveraging):
    """Lightning's callback: parameters are averaged, buffers (the codebook among them) are the present ones.

    ema: avg <- d avg + (1 - d) w, with d = min(decay, (1 + n) / (10 + n)) at the n-th step, so that the first
    weights, which are random, are soon forgotten (the warm-up of TensorFlow's ExponentialMovingAverage).
    swa: the present weights, and over the last quarter of the steps their plain mean.
    """

    def __init__(self, kind: Kind, decay: float) -> None:
        super().__init__(use_buffers=False, avg_fn=self._average)
        self.kind, self.decay, self.start = kind, decay, 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Set the step at which swa begins."""
        self.start = int((1 - SWA_SHARE) * trainer.estimated_stepping_batches)

    def _average(self, average: Tensor, now: Tensor, count: Tensor | int) -> Tensor:
        """The new average after ``count`` steps before this one."""
        if self.kind == "ema":
            decay = min(self.decay, (1 + float(count)) / (10 + float(count)))
            return average.lerp(now, 1 - decay)
        before = int(count) - self.start
        return now.clone() if before <= 0 else average.lerp(now, 1 / (before + 1))
