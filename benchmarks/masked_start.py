"""Train stage 0 from an encoder that has learned to name hidden residues, and keep its validation figures.

    python -m benchmarks.masked_start NAME --config params/enzymecommission.yaml --multistage.stage0.epochs=10

The encoder sees every chain of the sample that the split gives to training (of the preset's lengths), with or
without a label of the task: whole chains, a quarter of whose residue types are hidden. No validation or test
chain is among them. Then it is the encoder of blobs at the start of stage 0. The row goes to
benchmarks/results/choices.json, as those of `make tried` do.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from lightning import LightningModule, Trainer, seed_everything
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import CosineAnnealingLR

from benchmarks.choices import check_name, keep, reached, run_stage, stage_words
from bioblobs.checkpoints.build import build_model
from bioblobs.config.parsing import parse
from bioblobs.config.schema import Config
from bioblobs.errors import BioBlobsError, one_line_errors
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.graphs.residue_graph import build_graph
from bioblobs.inference.process import begin
from bioblobs.models.encoder import Encoder
from bioblobs.proteins.alphabet import UNKNOWN
from bioblobs.sources.preparation import prepare_store
from bioblobs.sources.sample import SampleSource
from bioblobs.training.datamodule import ProteinDataModule
from bioblobs.training.optimizer import make_optimizer
from bioblobs.training.stage import Stage0CLI

HIDDEN = 0.25
"""Share of residues whose type is hidden, and asked for."""


class EveryChain(SampleSource):
    """All chains of the sample, those of the test set left out; labels are none of the task's."""

    def table(self) -> pd.DataFrame:
        """See bioblobs.sources.source.Source."""
        table = super().table()
        table["labels"] = [(str(place % 2),) for place in range(len(table))]  # a store has classes
        return table[table["split"] != "test"]


class HiddenResidues(LightningModule):
    """Names of hidden residues from what the encoder makes of their surroundings."""

    def __init__(self, encoder: Encoder, config: Config) -> None:
        super().__init__()
        self.encoder, self.config = encoder, config
        self.head = nn.Linear(config.model.node_h_dim[0], UNKNOWN)
        self.right: list[Tensor] = []

    def guesses(self, batch: ProteinBatch) -> tuple[Tensor, Tensor]:
        """Logits (H, 20) and types (H,) of the H residues that were hidden."""
        types = batch.residue_types
        hidden = (torch.rand(types.shape, device=types.device) < HIDDEN) & (types != UNKNOWN)
        graph = build_graph(batch, self.config.model.edge_in_dim[0])
        x = self.encoder(graph, types.masked_fill(hidden, UNKNOWN))
        return self.head(x[hidden]), types[hidden]

    def training_step(self, batch: ProteinBatch, batch_idx: int) -> Tensor:
        """Cross-entropy of one batch."""
        return F.cross_entropy(*self.guesses(batch))

    def validation_step(self, batch: ProteinBatch, batch_idx: int) -> None:
        """Note which guesses were right."""
        logits, types = self.guesses(batch)
        self.right.append(logits.argmax(-1) == types)

    def on_validation_epoch_end(self) -> None:
        """Share of hidden residues that were named."""
        self.log("named", torch.cat(self.right).float().mean(), prog_bar=True)
        self.right.clear()

    def configure_optimizers(self) -> Any:
        """The task's optimizer and rate, down to zero by half a cosine."""
        optimizer = make_optimizer(self, self.config.train, self.config.multistage.stage0.lr, None)
        steps = int(self.trainer.estimated_stepping_batches)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": CosineAnnealingLR(optimizer, steps), "interval": "step"},
        }


class StartedStage0(Stage0CLI):
    """Stage 0 whose encoder of blobs starts from a file of weights."""

    def __init__(self, weights: Path, args: Sequence[str]) -> None:
        self.weights = weights
        super().__init__(args)

    def start_checkpoint(self) -> Path:
        """Return that file."""
        return self.weights

    def before_fit(self) -> None:
        """Load them; all else is as stage 0 draws it."""
        blob_encoder = self.model.model.blob_encoder
        assert blob_encoder is not None  # `started` has looked
        blob_encoder.load_state_dict(torch.load(self.weights, weights_only=True))


def started(folder: Path, config: Config, epochs: int) -> dict[str, Any]:
    """Train the encoder that stage 0 starts from, and write its weights to ``folder``.

    Raises:
        BioBlobsError: the keys describe a model that doesn't read blobs alone.
    """
    train_keys = config.train
    begin(train_keys.num_threads)
    seed_everything(train_keys.seed, verbose=False)
    encoder = build_model(config.model, 2, with_codebook=False).blob_encoder
    if encoder is None:
        raise BioBlobsError("model.blob_view: a start is for an encoder of blobs that are read alone")
    place = folder / "every_chain"
    prepare_store(config.data, place, ("train", "val"), EveryChain(config.data))
    batches = (train_keys.batch_size, train_keys.max_residues, train_keys.num_workers, train_keys.seed)
    module = HiddenResidues(encoder, config)
    trainer = Trainer(
        accelerator=train_keys.accelerator,
        max_epochs=epochs,
        gradient_clip_val=train_keys.gradient_clip_val,
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
    )
    data = ProteinDataModule(str(place), *batches, **vars(config.data))
    trainer.fit(module, datamodule=data)
    torch.save(encoder.state_dict(), folder / "start.pt")
    named = round(float(trainer.callback_metrics["named"]), 4)
    return {"epochs": epochs, "chains": len(data.store.rows("train")), "named": named}


def main(words: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("name", help="of the run in the table")
    parser.add_argument("--config", default="params.yaml", help="preset that the keys are changed in")
    parser.add_argument("--start-epochs", type=int, default=12, help="of naming hidden residues")
    args, keys = parser.parse_known_args(words)
    with one_line_errors():
        check_name(args.name)
        config, _ = parse("", ["--config", args.config, *keys])
        folder = Path("outputs") / "choices" / args.name
        start = started(folder, config, args.start_epochs)
        of_stage = stage_words(folder, args.config, keys)
        run_stage("prepare", of_stage)
        StartedStage0(folder / "start.pt", ["fit", *of_stage])
        about = {"name": args.name, "config": args.config, "arguments": keys, "start": start}
        keep({**about, "stage_0": reached(folder, 0, config)})


if __name__ == "__main__":
    main()
