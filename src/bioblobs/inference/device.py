"""The device that a model runs on, and the way of its results back to the CPU."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from bioblobs.errors import BioBlobsError

NAMES = ("auto", "cpu", "cuda")
"""Devices that a command line or :func:`bioblobs.load` may name."""
T = TypeVar("T")


def choose(name: str | torch.device) -> torch.device:
    """Device of a name: auto (the GPU, if there is one), cpu, cuda; gpu, as `train.accelerator` has it.

    Raises:
        BioBlobsError: there is no such device, or not on this machine.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device("cuda" if name == "gpu" else name)
    except RuntimeError:
        raise BioBlobsError(f"device {name}: unknown; name one of {', '.join(NAMES)}") from None
    if device.type == "cuda" and not (device.index or 0) < torch.cuda.device_count():
        raise BioBlobsError(f"device {name}: not on this machine; use cpu or auto")
    return device


def device_of(model: nn.Module) -> torch.device:
    """Device of a model's weights, which batches follow."""
    return next(iter(model.parameters())).device


def on_cpu(value: T) -> T:
    """The same value with every tensor on the CPU, those of nested dataclasses included."""
    moved: Any = value
    if isinstance(value, Tensor):
        moved = value.cpu()
    elif is_dataclass(value) and not isinstance(value, type):
        moved = replace(value, **{f.name: on_cpu(getattr(value, f.name)) for f in fields(value)})
    return moved
