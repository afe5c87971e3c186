"""Live views of a run beside metrics.csv: DVCLive, TensorBoard, Weights & Biases."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

from lightning.pytorch.loggers import Logger, TensorBoardLogger, WandbLogger

from bioblobs.errors import BioBlobsError


def make_loggers(kind: str, wandb_project: str | None, folder: Path, stage: int) -> list[Logger]:
    """Lightning's loggers; none for csv, which is always written.

    Args:
        kind: csv, dvclive or tensorboard.
        wandb_project: None: no W&B.
        folder: what the loggers write lies here, out of the stage's outputs: it has dates in it.

    Raises:
        BioBlobsError: a package is missing, or W&B has no account.
    """
    made: list[Logger] = []
    if kind == "dvclive":
        made.append(_dvclive(folder / f"stage_{stage}"))
    elif kind == "tensorboard":
        made.append(_tensorboard(folder, f"stage_{stage}"))
    if wandb_project is not None:
        made.append(_wandb(wandb_project, f"stage_{stage}", folder))
    return made


def _dvclive(folder: Path) -> Logger:
    try:
        from dvclive.lightning import DVCLiveLogger
    except ImportError as error:
        raise _missing("train.logger=dvclive", "dvclive") from error
    # By itself it would write dvc.yaml, and make an experiment inside the one that DVC is running.
    return DVCLiveLogger(dir=str(folder), dvcyaml=None, save_dvc_exp=False, report=None, log_model=False)


def _tensorboard(folder: Path, name: str) -> Logger:
    if find_spec("tensorboard") is None:
        raise _missing("train.logger=tensorboard", "tensorboard")
    shutil.rmtree(folder / name, ignore_errors=True)  # its files add up: an earlier run's curve would show
    return TensorBoardLogger(folder, name=name, version="")


def _wandb(project: str, name: str, folder: Path) -> Logger:
    try:
        import wandb
    except ImportError as error:
        raise _missing("train.use_wandb", "wandb") from error
    mode = os.environ.get("WANDB_MODE", "online")
    if mode == "online" and wandb.api.api_key is None:
        raise BioBlobsError(
            "train.use_wandb: no W&B account is set up; run `wandb login`, or set WANDB_MODE=offline"
        )
    folder.mkdir(parents=True, exist_ok=True)
    return WandbLogger(project=project, name=name, save_dir=folder, log_model=False)


def _missing(key: str, package: str) -> BioBlobsError:
    return BioBlobsError(f"{key}: the package {package} is missing; pip install {package}")
