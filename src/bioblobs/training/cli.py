"""LightningCLI of a training stage, over the one tree of parameters."""

from __future__ import annotations

import inspect
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import Namespace
from lightning import Trainer, seed_everything
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.loggers import CSVLogger, Logger, WandbLogger

from bioblobs.datasets.datamodule import ProteinDataModule
from bioblobs.errors import BioBlobsError
from bioblobs.parameters.parsing import OneLineErrors, add_group, make_group, plain
from bioblobs.parameters.reads import note_read
from bioblobs.parameters.schema import Config, Paths, subgroups
from bioblobs.training.module import BlobModule
from bioblobs.training.process import begin, bf16_note

LINKS = {
    "paths.prepared": "data.prepared",
    "train.batch_size": "data.batch_size",
    "train.max_residues": "data.max_residues",
    "train.num_workers": "data.num_workers",
    "train.weight_decay": "model.weight_decay",
    "train.recompute": "model.recompute",
    "train.warmup_epochs": "model.warmup_epochs",
    "train.label_smoothing": "model.label_smoothing",
    "train.accelerator": "trainer.accelerator",
    "train.devices": "trainer.devices",
    "train.precision": "trainer.precision",
    "train.gradient_clip_val": "trainer.gradient_clip_val",
}
"""Key of params.yaml -> argument that it sets, in both stages."""
DIRECT = ("train.seed", "train.num_threads", "train.use_wandb", "train.wandb_project")
"""Keys that are used below, without a link."""
SEED_TARGETS = ("data.seed", "model.seed", "seed_everything")
STAGE_LINKS: tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]] = (
    {
        "multistage.stage0.epochs": ("model.epochs", "trainer.max_epochs"),
        "multistage.stage0.lr": ("model.lr",),
        "multistage.stage0.bypass_codebook": ("model.bypass_codebook",),
        "multistage.stage0.lambda_card": ("model.lambda_card",),
    },
    {
        "multistage.stage0.epochs": ("model.first_epoch",),
        "multistage.stage1.epochs": ("model.epochs", "trainer.max_epochs"),
        "multistage.stage1.lr": ("model.lr",),
        "multistage.stage1.freeze_epochs": ("model.freeze_epochs",),
        "multistage.stage1.lambda_card": ("model.lambda_card",),
        "multistage.stage1.lambda_vq": ("model.lambda_vq",),
        "multistage.stage1.lambda_psc": ("model.lambda_psc",),
        "multistage.stage1.lambda_ent": ("model.lambda_ent",),
        "multistage.stage1.loss_ramp.enabled": ("model.ramp_enabled",),
        "multistage.stage1.loss_ramp.ramp_epochs": ("model.ramp_epochs",),
    },
)
"""The same for the keys of one stage."""


class StageParser(OneLineErrors, LightningArgumentParser):
    """Lightning's parser with errors of one line."""


class SaveConfig(SaveConfigCallback):
    """Write the resolved parameters beside the checkpoints, as config.yaml."""

    def save_config(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        """Called by Lightning on rank 0, before the first step."""
        paths = Paths(**self.config.paths)
        folder = paths.stage(pl_module.stage)
        folder.mkdir(parents=True, exist_ok=True)
        values = {name: plain(self.config[name]) for name in subgroups(Config)}
        (folder / "config.yaml").write_text(yaml.safe_dump(values, sort_keys=False))

    def setup(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        """Save in the stage's own folder; Lightning would ask the logger for one."""
        if trainer.is_global_zero:
            self.save_config(trainer, pl_module, stage)


class StageCLI(LightningCLI):
    """``fit --config params.yaml [--group.key value ...]`` for stage 0 or 1.

    Every group of params.yaml is declared, so an unknown key or a wrong type is refused by its name.
    ``data`` and ``model`` are the arguments of the data module and of the network; the values of
    ``train`` and ``multistage`` reach Lightning through the links above, and cannot be set twice.
    """

    def __init__(self, stage: int, args: Sequence[str] | None = None) -> None:
        self.stage = stage
        super().__init__(
            BlobModule,
            ProteinDataModule,
            args=None if args is None else list(args),
            save_config_callback=SaveConfig,
            auto_configure_optimizers=False,
            trainer_defaults={
                "reload_dataloaders_every_n_epochs": 1,
                "num_sanity_val_steps": 0,
                "use_distributed_sampler": False,
                "enable_model_summary": False,
            },
        )

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Only fit: testing is the evaluate stage's."""
        return {"fit": {"model", "train_dataloaders", "val_dataloaders", "datamodule"}}

    def init_parser(self, **kwargs: Any) -> LightningArgumentParser:
        """As Lightning's, with the parser above."""
        parser = StageParser(**kwargs)
        parser.add_argument("-c", "--config", action="config", help="params.yaml, or a file of its form")
        return parser

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Declare the other groups of params.yaml and link their keys."""
        for name, group in subgroups(Config).items():
            if name not in ("data", "model"):
                add_group(parser, group)
        parser.add_class_arguments(Paths, "paths")
        parser.set_defaults({"model.stage": self.stage})
        for source, target in LINKS.items():
            parser.link_arguments(source, target, plain)
        for target in SEED_TARGETS:
            parser.link_arguments("train.seed", target, plain)
        for source, targets in STAGE_LINKS[self.stage].items():
            for target in targets:
                parser.link_arguments(source, target, plain)
        for name in ("num_classes", "multilabel"):
            parser.link_arguments(f"data.{name}", f"model.{name}", apply_on="instantiate")

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """As Lightning's, without its warning when arguments come from a program."""
        self.config = parser.parse_args(args)

    def before_instantiate_classes(self) -> None:
        """Check all keys; fix seed and threads before anything is drawn."""
        for name, group in subgroups(Config).items():
            make_group(group, self._fit("config")[name])
        for key in (*LINKS, *STAGE_LINKS[self.stage], *DIRECT):
            if not key.startswith("paths."):
                note_read(key)
        self._refuse_own_arguments()
        begin(self._fit("config").train.num_threads)
        _quiet()
        seed_everything(self._fit("config").train.seed, workers=True, verbose=False)

    def _refuse_own_arguments(self) -> None:
        """The module's arguments that this stage links to no key are not the command line's to set."""
        linked = {target for targets in STAGE_LINKS[self.stage].values() for target in targets}
        linked |= {*LINKS.values(), *SEED_TARGETS, "model.num_classes", "model.multilabel"}
        for name, parameter in inspect.signature(BlobModule).parameters.items():
            if parameter.kind is parameter.VAR_KEYWORD or f"model.{name}" in linked:
                continue
            expected = self.stage if name == "stage" else parameter.default
            if self._fit("config").model[name] != expected:
                raise BioBlobsError(f"model.{name}: not a parameter of stage {self.stage}")

    def instantiate_classes(self) -> None:
        """As Lightning's; what the keys make impossible is one line."""
        try:
            super().instantiate_classes()
        except (ValueError, ImportError) as error:
            raise BioBlobsError(" ".join(str(error).split())) from error
        except MisconfigurationException as error:
            raise BioBlobsError(f"train.accelerator, devices, precision or trainer: {error}") from error

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Lightning's Trainer with this stage's checkpoints, logs and progress bar."""
        made = self._fit("config_init")
        paths: Paths = made.paths
        folder = paths.stage(self.stage)
        if self._fit("config").ckpt_path is None:
            for old in (*folder.glob("*.ckpt"), *folder.glob("metrics*.csv")):
                old.unlink(missing_ok=True)  # of an earlier run; a stage starts from its inputs alone
        callbacks: list[Callback] = _checkpoints(folder, self.stage, self.model.score)
        if made.trainer.enable_progress_bar is not False:
            callbacks.append(TQDMProgressBar(refresh_rate=10))
        made.trainer.callbacks = [*(made.trainer.callbacks or []), *callbacks]
        if made.trainer.logger is None:
            made.trainer.logger = self._loggers(made.train, paths)
        trainer: Trainer = super().instantiate_trainer(**kwargs)
        width = self.model.architecture["node_h_dim"][0]
        if note := bf16_note(made.train.precision, trainer.strategy.root_device.type, width):
            print(note, file=sys.stderr)
        return trainer

    def _loggers(self, train: Namespace, paths: Paths) -> list[Logger]:
        folder = paths.stage(self.stage)
        log = folder / "metrics.csv"
        if log.exists():  # of the run that is resumed; Lightning would delete it
            log.rename(folder / f"metrics_{len(list(folder.glob('metrics_*.csv')))}.csv")
        loggers: list[Logger] = [CSVLogger(folder, name="", version="", flush_logs_every_n_steps=1)]
        if train.use_wandb:
            loggers.append(_wandb(train.wandb_project, f"stage_{self.stage}", folder))
            loggers[-1].log_hyperparams(plain(self._fit("config")))
        return loggers

    def _fit(self, which: str) -> Namespace:
        values: Namespace = getattr(self, which)
        return values.fit if "fit" in values else values


def _quiet() -> None:
    """Leave out what a user can do nothing about."""
    logging.getLogger("lightning.pytorch.utilities.rank_zero").setLevel(logging.WARNING)
    for message in (
        "Checkpoint directory .* exists",
        ".*does not have many workers",
        ".*smaller than the logging interval",  # logs are by epoch
        ".*LeafSpec",
    ):
        warnings.filterwarnings("ignore", message=message)


def _checkpoints(folder: Path, stage: int, score: str) -> list[Callback]:
    """Best by validation score, and last; names as the guide shows them.

    Two callbacks: ``save_last`` beside a monitor is a copy of the best (Lightning 2.6).
    """
    best = ModelCheckpoint(
        dirpath=folder,
        filename=f"best-stage{stage}-{{epoch:02d}}-{{{score}:.3f}}",
        monitor=score,
        mode="max",
        enable_version_counter=False,
    )
    return [best, ModelCheckpoint(dirpath=folder, filename="last", enable_version_counter=False)]


def _wandb(project: str, name: str, folder: Path) -> Logger:
    try:
        import wandb
    except ImportError as error:
        raise BioBlobsError("train.use_wandb: the package wandb is missing; pip install wandb") from error
    mode = os.environ.get("WANDB_MODE", "online")
    if mode == "online" and wandb.api.api_key is None:
        raise BioBlobsError(
            "train.use_wandb: no W&B account is set up; run `wandb login`, or set WANDB_MODE=offline"
        )
    return WandbLogger(project=project, name=name, save_dir=folder, log_model=False)
