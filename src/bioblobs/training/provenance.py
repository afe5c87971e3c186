"""Provenance of a result: versions, device, and the revision of the code.

The revision is on a checkpoint's card, not in ``metrics/``: a file that git holds can't name the commit that
holds it, and would change with every commit. It is that of the last commit that changed this package, so
that a commit of a text leaves a stage's outputs as they are.
"""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning import Trainer

import bioblobs


def made_with(trainer: Trainer, seed: int) -> dict[str, Any]:
    """Seed, versions and device of a training run, as plain values."""
    device = trainer.strategy.root_device
    return {
        "seed": seed,
        "bioblobs": bioblobs.__version__,
        "torch": str(torch.__version__),
        "lightning": lightning.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "processes": trainer.world_size,
        "threads": torch.get_num_threads(),
        "precision": str(trainer.precision),
    }


def code_revision() -> dict[str, Any]:
    """``commit`` that last changed this package, and whether it is ``changed`` since; None out of git."""
    folder = Path(bioblobs.__file__).parent
    commit = _git(folder, "log", "-1", "--format=%H", "--", ".")
    if not commit:
        return {"commit": None, "changed": None}
    return {"commit": commit, "changed": bool(_git(folder, "status", "--porcelain", "--", "."))}


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True)
    except OSError:  # no git here
        return None
    return done.stdout.strip() if done.returncode == 0 else None
