"""Lightning's view of a prepared store."""

from __future__ import annotations

from typing import Any

from lightning import LightningDataModule
from torch.utils.data import DataLoader

from bioblobs.datasets.batching import BatchDataset, plan_batches, share_of
from bioblobs.datasets.prepare import open_store
from bioblobs.graphs.residue_graph import ProteinBatch
from bioblobs.parameters.schema import DataConfig


class ProteinDataModule(LightningDataModule):
    """Batches of a store that was prepared with the same ``data`` keys.

    Training batches are planned anew each epoch from (seed, epoch) alone, so that a resumed run sees
    what an uninterrupted one would (``reload_dataloaders_every_n_epochs=1``).

    Args:
        prepared: folder of the store.
        batch_size: most proteins a batch.
        max_residues: most residues a batch.
        num_workers: processes that make batches.
        seed: of the order of training proteins.
    """

    def __init__(
        self,
        prepared: str = "data/prepared",
        batch_size: int = 64,
        max_residues: int = 6000,
        num_workers: int = 0,
        seed: int = 0,
        **data: Any,
    ) -> None:
        super().__init__()
        self.store = open_store(prepared, DataConfig(**data), seed)
        self.batch_size, self.max_residues = batch_size, max_residues
        self.num_workers, self.seed = num_workers, seed
        self.num_classes = len(self.store.classes)
        self.multilabel = self.store.multilabel

    def train_dataloader(self) -> DataLoader[ProteinBatch]:
        """This epoch's training batches; under several processes, this process's share of them."""
        epoch, rank, world = 0, 0, 1
        if self.trainer is not None:
            epoch, rank = self.trainer.current_epoch, self.trainer.global_rank
            world = self.trainer.world_size
        seed = self.seed * 100_003 + epoch
        plan = plan_batches(
            self.store.rows("train"), self.store.lengths, self.batch_size, self.max_residues, seed
        )
        if world > 1:
            plan = share_of(plan, self.store.lengths, rank, world, seed)
        return self._loader(BatchDataset(self.store, plan))

    def val_dataloader(self) -> DataLoader[ProteinBatch]:
        """Validation batches, the same in every process and epoch."""
        plan = plan_batches(
            self.store.rows("val"), self.store.lengths, self.batch_size, self.max_residues, None
        )
        return self._loader(BatchDataset(self.store, plan))

    def _loader(self, dataset: BatchDataset) -> DataLoader[ProteinBatch]:
        return DataLoader(dataset, batch_size=None, num_workers=self.num_workers)
