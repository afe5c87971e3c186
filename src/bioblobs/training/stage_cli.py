"""LightningCLI of a training stage, over the one tree of parameters."""

from __future__ import annotations

import inspect
import logging
import shutil
import sys
import warnings
from collections.abc import Sequence
from contextlib import ExitStack
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

from bioblobs.config.file_words import with_files_read
from bioblobs.config.groups import CODEBOOK, CODEBOOK_LOSS, keys_of_part, shaping_values
from bioblobs.config.parsing import OneLineErrors, add_group, make_group
from bioblobs.config.ranges import plain
from bioblobs.config.schema import Config, ModelConfig, Paths, subgroups
from bioblobs.errors import BioBlobsError
from bioblobs.inference.process import begin, bf16_note, memory_advice, slow_note
from bioblobs.io import file_digest, unlock, write_text, writing
from bioblobs.training.callbacks import Averaged, Best, Curve, Last, WholeCheckpoints
from bioblobs.training.datamodule import ProteinDataModule
from bioblobs.training.loggers import make_loggers
from bioblobs.training.module import BlobModule
from bioblobs.training.unfinished import (
    LAST,
    Unfinished,
    begin_folder,
    find_unfinished,
    take_folder,
    work_identity,
)

OF_TRAINER = ("accelerator", "devices", "num_nodes", "strategy", "precision", "gradient_clip_val")
"""Keys of ``train`` that set the argument of Lightning's Trainer with the same name."""
OF_LIGHTNING = ("trainer", "seed_everything", "ckpt_path")
"""What a file may hold beside the groups of params.yaml."""
TRAINER_NO_SHAPE = ("logger", "callbacks", "enable_progress_bar", "default_root_dir")
"""Arguments of the Trainer that no result depends on; a run may be resumed with other values."""


class StageParser(OneLineErrors, LightningArgumentParser):
    """Lightning's parser without abbreviations and with errors of one line."""


class SaveConfig(SaveConfigCallback):
    """Write the resolved parameters beside the checkpoints, as config.yaml."""

    def save_config(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        """Write the file; Lightning calls this on rank 0, before the first step."""
        folder = Path(trainer.checkpoint_callback.dirpath)  # type: ignore[union-attr]
        values = {name: plain(self.config[name]) for name in subgroups(Config)}
        write_text(folder / "config.yaml", yaml.safe_dump(values, sort_keys=False))

    def setup(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        """Save beside the checkpoints; Lightning would ask the logger for a folder."""
        if trainer.is_global_zero:
            self.save_config(trainer, pl_module, stage)


class StageCLI(LightningCLI):
    """``fit --config params.yaml [--group.key value ...]`` for stage 0 or 1.

    Every group of params.yaml is declared, so an unknown key or a wrong type is refused by its name. Data
    module, network and Trainer are made from the checked keys; ``--trainer.*`` takes only arguments of the
    Trainer that no key sets.
    """

    params: Config

    def __init__(self, stage: int, args: Sequence[str] | None = None) -> None:
        self.stage = stage
        self._memory_keys: dict[str, object] = {}
        with ExitStack() as self._held, memory_advice(self._memory_keys):
            super().__init__(
                BlobModule,
                ProteinDataModule,
                args=None if args is None else list(args),
                save_config_callback=SaveConfig,
                auto_configure_optimizers=False,
                seed_everything_default=False,  # train.seed is used below
                trainer_defaults={
                    "reload_dataloaders_every_n_epochs": 1,
                    "num_sanity_val_steps": 0,
                    "use_distributed_sampler": False,
                    "enable_model_summary": False,
                },
            )

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Offer only fit: the stage evaluate tests."""
        return {"fit": {"model", "train_dataloaders", "val_dataloaders", "datamodule"}}

    def init_parser(self, **kwargs: Any) -> LightningArgumentParser:
        """Make Lightning's parser with the errors above."""
        parser = StageParser(**kwargs)
        parser.add_argument("-c", "--config", action="config", help="params.yaml, or a file of its form")
        return parser

    def add_core_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Declare the Trainer's arguments, all groups of params.yaml, and the paths."""
        parser.add_lightning_class_args(self.trainer_class, "trainer")
        parser.set_defaults({f"trainer.{name}": value for name, value in self.trainer_defaults.items()})
        for group in subgroups(Config).values():
            add_group(parser, group)
        parser.add_class_arguments(Paths, "paths")

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse without Lightning's warning about arguments that come from a program."""
        self.config = parser.parse_args(with_files_read(sys.argv[1:] if args is None else args, OF_LIGHTNING))

    def before_instantiate_classes(self) -> None:
        """Check all keys; fix seed and threads before anything is drawn."""
        self.params = make_group(Config, self._fit("config"))
        self._refuse_second_settings()
        train = self.params.train
        for key in ("max_residues", "batch_size", "recompute"):
            self._memory_keys[f"train.{key}"] = getattr(train, key)
        begin(train.num_threads)
        _quiet()
        seed_everything(train.seed, workers=True, verbose=False)

    def _trainer_keys(self) -> dict[str, str]:
        """Argument of the Trainer -> key of params.yaml that sets it."""
        keys = {name: f"train.{name}" for name in OF_TRAINER}
        return {**keys, "max_epochs": f"multistage.stage{self.stage}.epochs"}

    def _refuse_second_settings(self) -> None:
        """Refuse arguments of Lightning that follow from a key of params.yaml."""
        given = self._fit("config")
        if given.seed_everything is not False:
            raise BioBlobsError("seed_everything: follows from train.seed; set that key instead")
        for name, key in self._trainer_keys().items():
            if given.trainer[name] != inspect.signature(Trainer).parameters[name].default:
                raise BioBlobsError(f"trainer.{name}: follows from {key}; set that key instead")

    def instantiate_classes(self) -> None:
        """Make data module, network and Trainer; report impossible keys in one line."""
        try:
            self._make_classes()
        except (ValueError, ImportError) as error:
            raise BioBlobsError(" ".join(str(error).split())) from error
        except MisconfigurationException as error:
            raise BioBlobsError(f"train.accelerator, devices, precision or trainer: {error}") from error

    def _make_classes(self) -> None:
        self.config_init = self.parser.instantiate_classes(self.config)
        train, data = self.params.train, vars(self.params.data)
        self.datamodule = ProteinDataModule(
            self.paths.prepared, train.batch_size, train.max_residues, train.num_workers, train.seed, **data
        )
        store = self.datamodule.store
        self.model = BlobModule(
            self.params, self.stage, len(store.classes), store.multilabel, store.embedding_dim
        )
        self.model.recipe |= self._given_arguments()
        self.trainer = self.instantiate_trainer()

    @property
    def paths(self) -> Paths:
        """Places that this run reads and writes."""
        paths: Paths = self._fit("config_init").paths
        return paths

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Make Lightning's Trainer with this stage's checkpoints, logs and progress bar."""
        given, params = self._fit("config_init").trainer, self.params
        if given.logger is None:
            given.logger = self._loggers() or False
        work = self._begin_work()
        self.curve = Curve(work.folder / "metrics.csv")
        callbacks = self._callbacks(work.folder)
        if given.enable_progress_bar is not False:
            callbacks.append(TQDMProgressBar(refresh_rate=10))
        given.callbacks = [*(given.callbacks or []), *callbacks]
        given.plugins = [*_listed(given.plugins), WholeCheckpoints()]
        kwargs |= {name: getattr(params.train, name) for name in OF_TRAINER}
        trainer: Trainer = super().instantiate_trainer(max_epochs=self.model.plan.epochs, **kwargs)
        width = self.model.architecture["node_h_dim"][0]
        device = trainer.strategy.root_device.type
        for note in (bf16_note(params.train.precision, device, width), slow_note(device)):
            if note:
                _tell(note)
        _tell(f"stage {self.stage}: {self.model.parameter_summary()}")
        return trainer

    def _callbacks(self, folder: Path) -> list[Callback]:
        """Callbacks in the order of their work; checkpoints, which hold what the others did, are last."""
        callbacks: list[Callback] = []
        train = self.params.train
        if train.weight_averaging != "none":
            callbacks.append(Averaged(train.weight_averaging, train.ema_decay))
        if train.early_stopping_patience is not None:
            patience = train.early_stopping_patience
            callbacks.append(EarlyStopping(self.model.monitor, mode="max", patience=patience))
        best = Best(folder, self.stage, self.model.score, self.model.monitor)
        return [*callbacks, self.curve, best, Last(folder / LAST, train.checkpoint_minutes)]

    def start_checkpoint(self) -> Path | None:
        """Return the checkpoint that the stage starts from, if it starts from one."""
        return None

    def _begin_work(self) -> Unfinished:
        """Choose the folder of this run: that of the same work, unfinished, or a fresh one."""
        asked: str | None = self._fit("config").ckpt_path
        inputs = {"data sha256": self.datamodule.store.meta["content_sha256"]}
        for name, path in (("start sha256", self.start_checkpoint()), ("ckpt_path sha256", asked)):
            if path is not None and Path(path).is_file():
                inputs[name] = file_digest(Path(path))
        identity = work_identity(self._shaping_keys(), inputs)
        first = getattr(rank_zero_only, "rank", 0) == 0
        if first:
            self._held.callback(unlock, take_folder(self.paths.unfinished, self.stage, identity))
        work = find_unfinished(self.paths.unfinished, self.stage, identity)
        if work.note:
            _tell(work.note)
        if first:
            begin_folder(work, identity)
            if work.resume is None and asked is not None:
                for best in Path(asked).parent.glob(f"best-stage{self.stage}-*.ckpt"):
                    with writing(work.folder / best.name):
                        shutil.copy(best, work.folder)  # of the run that goes on
        if work.resume is not None:
            self._fit("config_init").ckpt_path = str(work.resume)
        return work

    def _shaping_keys(self) -> dict[str, Any]:
        """Keys and Trainer arguments that this stage's result depends on, by full name."""
        params, stages = self.params, self.params.multistage
        keys = shaping_values(params.model) | shaping_values(params.train) | shaping_values(self.model.plan)
        if self.model.model.codebook is None:
            for key in keys_of_part(ModelConfig, CODEBOOK, CODEBOOK_LOSS):
                del keys[f"model.{key}"]
        if self.stage:
            keys["multistage.stage0.epochs"] = stages.stage0.epochs
        return keys | self._shaping_arguments()

    def _shaping_arguments(self) -> dict[str, Any]:
        """Arguments of the Trainer that no key sets and that results depend on, by full name."""
        trainer = vars(self._fit("config").trainer)
        own = {*trainer} - {*self._trainer_keys(), *TRAINER_NO_SHAPE}
        return {f"trainer.{name}": plain(trainer[name]) for name in sorted(own)}

    def _given_arguments(self) -> dict[str, Any]:
        """Those of them that are not this command's defaults."""
        known = {name: each.default for name, each in inspect.signature(Trainer).parameters.items()}
        usual = {f"trainer.{name}": plain(value) for name, value in (known | self.trainer_defaults).items()}
        return {name: value for name, value in self._shaping_arguments().items() if value != usual[name]}

    def _loggers(self) -> list[Logger]:
        train = self.params.train
        project = train.wandb_project if train.use_wandb else None
        loggers = make_loggers(train.logger, project, self.paths.live, self.stage)
        values = {name: plain(self._fit("config")[name]) for name in subgroups(Config)}
        for logger in loggers:
            logger.log_hyperparams(values)
        return loggers

    def _fit(self, which: str) -> Namespace:
        values: Namespace = getattr(self, which)
        return values.fit if "fit" in values else values


def _quiet() -> None:
    """Silence messages that a user can do nothing about."""
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
    """Normalise None, one item or a sequence to a list."""
    return list(value) if isinstance(value, list | tuple) else [] if value is None else [value]


@rank_zero_only
def _tell(text: str) -> None:
    print(text, file=sys.stderr)
