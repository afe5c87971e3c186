"""LightningCLI of a training stage, over the one tree of parameters."""

from __future__ import annotations

import inspect
import logging
import shutil
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import Namespace
from lightning import Trainer, seed_everything
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, EarlyStopping, TQDMProgressBar
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from bioblobs.checkpoints.build import CODEBOOK_KEYS
from bioblobs.config.parsing import OneLineErrors, add_group, make_group
from bioblobs.config.ranges import plain
from bioblobs.config.reads import note_read
from bioblobs.config.schema import Config, Paths, subgroups
from bioblobs.errors import BioBlobsError
from bioblobs.inference.process import begin, bf16_note, slow_note
from bioblobs.training.averaging import Averaged
from bioblobs.training.datamodule import ProteinDataModule
from bioblobs.training.loggers import make_loggers
from bioblobs.training.memory import memory_advice
from bioblobs.training.module import BlobModule
from bioblobs.training.saving import Best, Curve, Last, WholeCheckpoints
from bioblobs.training.unfinished import (
    LAST,
    Unfinished,
    begin_folder,
    file_digest,
    find_unfinished,
    work_identity,
)

LINKS = {
    "paths.prepared": "data.prepared",
    "train.batch_size": "data.batch_size",
    "train.max_residues": "data.max_residues",
    "train.num_workers": "data.num_workers",
    "train.weight_decay": "model.weight_decay",
    "train.recompute": "model.recompute",
    "train.warmup_epochs": "model.warmup_epochs",
    "train.label_smoothing": "model.label_smoothing",
    "train.class_weights": "model.class_weights",
    "train.accelerator": "trainer.accelerator",
    "train.devices": "trainer.devices",
    "train.num_nodes": "trainer.num_nodes",
    "train.strategy": "trainer.strategy",
    "train.precision": "trainer.precision",
    "train.gradient_clip_val": "trainer.gradient_clip_val",
}
"""Key of params.yaml -> argument that it sets, in both stages."""
DIRECT = (
    "train.seed",
    "train.num_threads",
    "train.early_stopping_patience",
    "train.weight_averaging",
    "train.ema_decay",
    "train.checkpoint_minutes",
    "train.logger",
    "train.use_wandb",
    "train.wandb_project",
)
"""Keys that are used below, without a link."""
NO_SHAPE = (
    *(
        "train.num_workers",
        "train.logger",
        "train.use_wandb",
        "train.wandb_project",
        "train.checkpoint_minutes",
    ),
    "train.recompute",
    *("trainer.logger", "trainer.callbacks", "trainer.enable_progress_bar", "trainer.default_root_dir"),
)
"""Keys that a run may be resumed with other values of: its result does not depend on them."""
SEED_TARGETS = ("data.order_seed", "model.seed", "seed_everything")
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
        folder = Path(trainer.checkpoint_callback.dirpath)  # type: ignore[union-attr]
        values = {name: plain(self.config[name]) for name in subgroups(Config)}
        (folder / "config.yaml").write_text(yaml.safe_dump(values, sort_keys=False))

    def setup(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        """Save beside the checkpoints; Lightning would ask the logger for a folder."""
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
        self._memory_keys: dict[str, object] = {}
        with memory_advice(self._memory_keys):
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
        train = self._fit("config").train
        for key in ("max_residues", "batch_size", "recompute"):
            self._memory_keys[f"train.{key}"] = plain(train[key])
        begin(train.num_threads)
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
        if made.trainer.logger is None:
            made.trainer.logger = self._loggers(made.train, made.paths) or False
        work = self._begin_work(made)
        self.curve = Curve(work.folder / "metrics.csv")
        callbacks = self._callbacks(made.train, work.folder)
        if made.trainer.enable_progress_bar is not False:
            callbacks.append(TQDMProgressBar(refresh_rate=10))
        made.trainer.callbacks = [*(made.trainer.callbacks or []), *callbacks]
        made.trainer.plugins = [*_listed(made.trainer.plugins), WholeCheckpoints()]
        trainer: Trainer = super().instantiate_trainer(**kwargs)
        width = self.model.architecture["node_h_dim"][0]
        device = trainer.strategy.root_device.type
        for note in (bf16_note(made.train.precision, device, width), slow_note(device)):
            if note:
                _tell(note)
        _tell(f"stage {self.stage}: {self.model.parameter_summary()}")
        return trainer

    def _callbacks(self, train: Namespace, folder: Path) -> list[Callback]:
        """In the order that they act in; checkpoints come last, so that they hold what the others did."""
        callbacks: list[Callback] = []
        if train.weight_averaging != "none":
            callbacks.append(Averaged(train.weight_averaging, train.ema_decay))
        if train.early_stopping_patience is not None:
            patience = int(train.early_stopping_patience)  # its state is read with weights_only
            callbacks.append(EarlyStopping(self.model.score, mode="max", patience=patience))
        best = Best(folder, self.stage, self.model.score)
        return [*callbacks, self.curve, best, Last(folder / LAST, train.checkpoint_minutes)]

    def start_checkpoint(self) -> Path | None:
        """What the stage starts from, beside the data."""
        return None

    def _begin_work(self, made: Namespace) -> Unfinished:
        """The folder of this run: that of the same work, unfinished, or a fresh one."""
        asked: str | None = self._fit("config").ckpt_path
        inputs = {"data sha256": self.datamodule.store.meta["content_sha256"]}
        for name, path in (("start sha256", self.start_checkpoint()), ("ckpt_path sha256", asked)):
            if path is not None and Path(path).is_file():
                inputs[name] = file_digest(Path(path))
        identity = work_identity(self._shaping_keys(), inputs)
        work = find_unfinished(made.paths.unfinished, self.stage, identity)
        if work.note:
            _tell(work.note)
        if getattr(rank_zero_only, "rank", 0) == 0:
            begin_folder(work, identity)
            if work.resume is None and asked is not None:
                for best in Path(asked).parent.glob(f"best-stage{self.stage}-*.ckpt"):
                    shutil.copy(best, work.folder)  # of the run that goes on
        if work.resume is not None:
            made.ckpt_path = str(work.resume)
        return work

    def _shaping_keys(self) -> dict[str, Any]:
        """The parameters that this stage's result depends on, by full name."""
        config, links = self._fit("config"), {**LINKS, **STAGE_LINKS[self.stage]}
        linked = {target for targets in links.values() for target in _listed(targets)}
        own = [f"{group}.{key}" for group in ("model", "trainer") for key in vars(config[group])]
        unread = set(NO_SHAPE)
        if self.model.model.codebook is None:
            unread |= {f"model.{key}" for key in (*CODEBOOK_KEYS, "codebook_beta", "psc_temp")}
        keys = [*links, *DIRECT, *(key for key in own if key not in linked)]
        return {key: plain(config[key]) for key in keys if key not in unread and not key.startswith("paths.")}

    def _loggers(self, train: Namespace, paths: Paths) -> list[Logger]:
        project = train.wandb_project if train.use_wandb else None
        loggers = make_loggers(train.logger, project, paths.live, self.stage)
        values = {name: plain(self._fit("config")[name]) for name in subgroups(Config)}
        for logger in loggers:
            logger.log_hyperparams(values)
        return loggers

    def _fit(self, which: str) -> Namespace:
        values: Namespace = getattr(self, which)
        return values.fit if "fit" in values else values


def _quiet() -> None:
    """Leave out what a user can do nothing about."""
    logging.getLogger("lightning.pytorch.utilities.rank_zero").setLevel(logging.WARNING)
    for message in (
        "Checkpoint directory .* exists",
        "You're resuming from a checkpoint that ended before the epoch",  # our loaders can
        ".*does not have many workers",
        ".*smaller than the logging interval",  # logs are by epoch
        ".*LeafSpec",
    ):
        warnings.filterwarnings("ignore", message=message)


def _listed(value: Any) -> list[Any]:
    """What Lightning takes as one thing, several or none."""
    return list(value) if isinstance(value, list | tuple) else [] if value is None else [value]


@rank_zero_only
def _tell(text: str) -> None:
    print(text, file=sys.stderr)
