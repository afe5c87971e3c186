"""Run one training stage and leave its results: checkpoints, learning curve, metrics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lightning.pytorch.loggers import WandbLogger

from bioblobs.checkpoints.file import (
    check_architecture,
    check_classes,
    network_weights,
    read_checkpoint,
    write_checkpoint,
)
from bioblobs.io import write_json, write_table
from bioblobs.training.provenance import code_revision, made_with
from bioblobs.training.stage_cli import StageCLI
from bioblobs.training.unfinished import move_finished

CURVES = (
    "train_loss",
    "val_loss",
    "val_score",
    "val_macro_recall",
    "val_macro_f1",
    "tau",
    "vq_share",
    "train_lr",
    "train_perplexity",
    "val_perplexity",
    "val_codes_used",
    "val_coverage",
    "val_blobs",
    "val_blob_size",
    "val_blobs_at_cap",
)
"""Columns of the learning-curve plots, where a stage has them."""


class FinishedStageCLI(StageCLI):
    """A stage that leaves its results when training is done."""

    def after_fit(self) -> None:
        """Leave the results; Lightning calls this when training is done."""
        finish_stage(self)


class Stage0CLI(FinishedStageCLI):
    """Baseline training."""

    def __init__(self, args: Sequence[str] | None = None) -> None:
        super().__init__(0, args)


class Stage1CLI(FinishedStageCLI):
    """Joint fine-tuning, from the weights and the codebook that init_codebook left."""

    def __init__(self, args: Sequence[str] | None = None) -> None:
        super().__init__(1, args)

    def start_checkpoint(self) -> Path:
        """Return the checkpoint of the stage init_codebook."""
        return self.paths.codebook

    def before_fit(self) -> None:
        """Load weights only: the optimizer and the schedule of stage 1 start fresh."""
        path = self.start_checkpoint()
        content = read_checkpoint(path)
        check_architecture(path, content["card"], self.model.architecture)
        check_classes(path, content["card"], self.datamodule.store.classes)
        self.model.model.load_state_dict(network_weights(content))


def finish_stage(cli: StageCLI) -> None:
    """Write the best checkpoint as ``stage_N_final.ckpt``, the learning curve and the metrics."""
    trainer = cli.trainer
    if not trainer.is_global_zero:
        return
    paths = cli.paths
    best = Path(trainer.checkpoint_callback.best_model_path)  # type: ignore[union-attr]
    content = read_checkpoint(best)
    cli.model.model.load_state_dict(network_weights(content))
    card = {**content["card"], "epoch": content["epoch"], "seed": cli.model.seed}
    curve = cli.curve.table()
    curve["val_score"] = curve[cli.model.score]  # one name for every task's plot
    best_row = curve[curve["epoch"] == content["epoch"]].iloc[0].drop("epoch").dropna()
    scores = [name for name in (cli.model.score, "val_macro_recall") if name in best_row]  # else undefined
    card["validation"] = {name: float(best_row[name]) for name in scores}
    run = made_with(trainer, cli.model.seed)
    card["made_with"] = {**run, "code": code_revision()}
    work = best.parent
    write_checkpoint(work / paths.final_checkpoint(cli.stage).name, cli.model.model, card)
    shown = curve[["epoch", *(name for name in CURVES if name in curve)]]
    write_table(Path(paths.plots) / f"stage_{cli.stage}.csv", shown)
    summary = {
        "best_epoch": int(content["epoch"]),
        "epochs": len(curve),
        "parameters": sum(p.numel() for p in cli.model.parameters()),
        "seed": cli.model.seed,
        **{name: round(float(value), 6) for name, value in best_row.items() if name.startswith("val_")},
    }
    if (chosen_by := cli.model.monitor) in best_row:  # else undefined, and every epoch as good
        summary["val_monitored"] = summary[chosen_by]
    write_json(Path(paths.metrics) / f"stage_{cli.stage}.json", summary)
    write_json(Path(paths.metrics) / f"stage_{cli.stage}_run.json", run)
    if cli.stage:  # what `dvc exp show` has of it; a trial of a search ends here
        known = {name: summary[name] for name in ("val_score", "val_macro_recall") if name in summary}
        write_json(Path(paths.metrics) / "validation.json", known)
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.finish()  # the next stage is a run of its own
    move_finished(work, paths.stage(cli.stage))
