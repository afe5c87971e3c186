"""Lightning data module over a prepared store."""

from __future__ import annotations

from typing import Any

import numpy as np
from lightning import LightningDataModule
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_class_weight
from torch.utils.data import DataLoader

from bioblobs.config.schema import DataConfig
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.store.batches import BatchDataset, PlacesFrom, Rows, plan_batches, share_of
from bioblobs.store.packed import open_store


class ProteinDataModule(LightningDataModule):
    """Batches of a store that was prepared with the same ``data`` keys.

    Training batches are planned anew each epoch from (order_seed, epoch) alone, so that a resumed run sees
    what an uninterrupted one would (``reload_dataloaders_every_n_epochs=1``). Its state in a checkpoint
    is how many batches of which epoch are done: a run that was interrupted there goes on with the next one.

    Args:
        prepared: folder of the store.
        batch_size: most proteins per batch.
        max_residues: most residues per batch.
        num_workers: processes that make batches.
        order_seed: of the order of training proteins.
    """

    def __init__(
        self,
        prepared: str = "data/prepared",
        batch_size: int = 64,
        max_residues: int = 6000,
        num_workers: int = 0,
        order_seed: int = 0,
        **data: Any,
    ) -> None:
        super().__init__()
        self.store = open_store(prepared, DataConfig(**data).identity())
        self.batch_size, self.max_residues = batch_size, max_residues
        self.num_workers, self.order_seed = num_workers, order_seed
        self.num_classes = len(self.store.classes)
        self.multilabel = self.store.multilabel
        self._done = {"epoch": 0, "batches": 0}

    def balanced_weights(self) -> NDArray[np.float64]:
        """(C,) weight of each class, inverse to its training proteins; their mean over these is 1."""
        labels = np.asarray(self.store.labels[self.store.rows("train")])
        return compute_class_weight("balanced", classes=np.arange(self.num_classes), y=labels)

    def state_dict(self) -> dict[str, int]:
        """Number of batches of this epoch that are done, in every process."""
        if self.trainer is None:
            return self._done
        progress = self.trainer.fit_loop.epoch_loop.batch_progress.current
        return {"epoch": self.trainer.current_epoch, "batches": progress.ready}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Restore the place in the epoch; Lightning calls this before the first loader is made."""
        self._done = dict(state_dict)

    def train_dataloader(self) -> DataLoader[ProteinBatch]:
        """This epoch's training batches; under several processes, this process's share of them."""
        epoch = 0 if self.trainer is None else self.trainer.current_epoch
        seed = self.order_seed * 100_003 + epoch
        plan = self._plan("train", seed)
        rank, world = self._place()
        if world > 1:
            plan = share_of(plan, self.store.lengths, rank, world, seed)
        return self._loader(plan, self._done["batches"] if epoch == self._done["epoch"] else 0)

    def val_dataloader(self) -> DataLoader[ProteinBatch]:
        """Validation batches, the same in every epoch; each in one process.

        Where there are fewer batches than processes, every process has all: it must have one to validate.
        """
        plan = self._plan("val", None)
        rank, world = self._place()
        return self._loader(plan[rank::world] if len(plan) >= world else plan)

    def _place(self) -> tuple[int, int]:
        """Rank and number of processes."""
        return (0, 1) if self.trainer is None else (self.trainer.global_rank, self.trainer.world_size)

    def _plan(self, split: str, seed: int | None) -> list[Rows]:
        rows = self.store.rows(split)
        return plan_batches(rows, self.store.lengths, self.batch_size, self.max_residues, seed)

    def _loader(self, plan: list[Rows], start: int = 0) -> DataLoader[ProteinBatch]:
        return DataLoader(
            BatchDataset(self.store, plan),
            batch_size=None,
            sampler=PlacesFrom(len(plan), start),
            num_workers=self.num_workers,
        )
