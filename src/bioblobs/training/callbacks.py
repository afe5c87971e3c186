"""Lightning callbacks: averages of the weights, the last state, the best epoch by validation, the curve."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import pandas as pd
from lightning import LightningModule, Trainer
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import Callback, Checkpoint, ModelCheckpoint, WeightAveraging
from torch import Tensor

from bioblobs.checkpoints.file import save_whole
from bioblobs.io import write_text

Kind = Literal["none", "ema", "swa"]
SWA_SHARE = 0.25
"""Last share of the steps that stochastic weight averaging runs over (Izmailov et al. 2018)."""
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
"""Signals to stop: from kill and cluster managers, from Ctrl-C, and from SLURM before a time limit."""
AGAIN = os.EX_TEMPFAIL
"""Exit status of a run that was interrupted and saved: the same command resumes it (75)."""


class WholeCheckpoints(TorchCheckpointIO):
    """Write a checkpoint whole, or leave the previous one as it is."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Save through :func:`~bioblobs.checkpoints.file.save_whole`."""
        save_whole(checkpoint, Path(path))


class Best(ModelCheckpoint):
    """The best epoch by the validation score ``monitor``; its file is named by the headline ``score``.

    Its state names files, not folders: a run may be moved.
    """

    def __init__(self, folder: Path, stage: int, score: str, monitor: str) -> None:
        super().__init__(
            dirpath=folder,
            filename=f"best-stage{stage}-{{epoch:02d}}-{{{score}:.3f}}",
            monitor=monitor,
            mode="max",
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        )

    def state_dict(self) -> dict[str, Any]:
        """Return Lightning's state without folders."""
        return _renamed(super().state_dict(), lambda path: Path(path).name) | {"dirpath": None}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load Lightning's state into the folder of this run."""
        here = Path(str(self.dirpath))
        state = _renamed(state_dict, lambda path: str(here / Path(path).name))
        super().load_state_dict(state | {"dirpath": self.dirpath})
        self.current_score = state["current_score"]


def _renamed(state: dict[str, Any], rename: Any) -> dict[str, Any]:
    """The state of a ModelCheckpoint with every path changed; an empty one stays empty."""
    names = ("best_model_path", "kth_best_model_path", "last_model_path")
    changed = {name: rename(state[name]) if state[name] else "" for name in names}
    best = {rename(path): value for path, value in state["best_k_models"].items()}
    return {**state, **changed, "best_k_models": best}


class Curve(Callback):
    """One row per epoch of everything logged, in the checkpoint and in ``metrics.csv``."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.rows: list[dict[str, float]] = []

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the epoch's values."""
        values = {name: float(value) for name, value in sorted(trainer.callback_metrics.items())}
        self.rows.append({"epoch": trainer.current_epoch, "step": trainer.global_step, **values})
        if trainer.is_global_zero:
            write_text(self.file, self.table().to_csv(index=False))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Repeat the epochs before an interruption to the loggers, which start empty."""
        for row in self.rows:
            values = {name: value for name, value in row.items() if name != "step"}
            for logger in trainer.loggers:
                logger.log_metrics(values, step=int(row["step"]) - 1)

    def table(self) -> pd.DataFrame:
        """Rows, epochs in order."""
        return pd.DataFrame(self.rows)

    def state_dict(self) -> dict[str, Any]:
        """State for the checkpoint: the rows."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the rows of an interrupted run."""
        self.rows = [dict(row) for row in state_dict["rows"]]


class Last(Checkpoint):
    """Save the last state: after each epoch, from time to time within one, and on a signal to stop.

    A signal is answered after the training batch, or the validation, that is under way: save, say so, and
    exit with status :data:`AGAIN`. A second Ctrl-C exits at once.

    Args:
        path: of the checkpoint.
        minutes: between two checkpoints within an epoch.
    """

    def __init__(self, path: Path, minutes: float) -> None:
        self.path, self.seconds = path, 60 * minutes
        self.saved_at = time.monotonic()
        self.received: signal.Signals | None = None
        self._handlers: dict[signal.Signals, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Handle signals, after Lightning has set its own handlers; an earlier early stop stands."""
        if threading.current_thread() is threading.main_thread():
            self._handlers = {number: signal.signal(number, self._note) for number in SIGNALS}
        if any(stop.stopped_epoch for stop in trainer.early_stopping_callbacks):
            trainer.should_stop = True

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save when due; the state of an epoch's last batch is saved after validation."""
        due = time.monotonic() - self.saved_at > self.seconds
        asked = self._asked(trainer)
        if trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            return
        if asked or trainer.strategy.reduce_boolean_decision(due, all=False):
            self._save(trainer)
        if asked:
            self._leave(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save after validation; the best of this epoch is saved already."""
        self._save(trainer)
        if self._asked(trainer):
            self._leave(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restore the signal handlers."""
        self._restore()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Restore the signal handlers."""
        self._restore()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = signal.Signals(number)

    def _asked(self, trainer: Trainer) -> bool:
        """True if any process received a signal to stop."""
        asked: bool = trainer.strategy.reduce_boolean_decision(self.received is not None, all=False)
        return asked

    def _save(self, trainer: Trainer) -> None:
        trainer.save_checkpoint(self.path, weights_only=False)
        self.saved_at = time.monotonic()

    def _leave(self, trainer: Trainer) -> None:
        if trainer.is_global_zero:
            name = self.received.name if self.received else "signal to another process"
            where = f"in epoch {trainer.current_epoch} after step {trainer.global_step}"
            sys.stderr.write(f"\n{name}: saved {where} in {self.path}; run again to go on from there\n")
        raise SystemExit(AGAIN)

    def _restore(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}


class Averaged(WeightAveraging):
    """Validate and save averaged weights; buffers, the codebook among them, are the present ones.

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
