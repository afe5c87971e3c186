"""Running the project's commands in copies of the working tree, tiny."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bioblobs.store.packed import Store
from bioblobs.training.stage import Stage0CLI
from conftest import ROOT

TINY = {
    "data.subset": "60",
    "data.max_length": "120",
    "data.edge_types": "knn_6",
    "model.node_h_dim": "[8,2]",
    "model.edge_h_dim": "[4,1]",
    "model.num_layers": "1",
    "model.codebook_size": "16",
    "multistage.stage0.epochs": "1",
    "multistage.stage1.epochs": "1",
    "multistage.stage1.kmeans_batches": "4",
    "evaluation.bootstrap": "20",
    "interpretability.deletion_repeats": "1",
    "interpretability.gradient_steps": "2",
    "interpretability.proteins": "4",
}
"""Overrides that make every stage take a second or two."""

ONE_STAGE = {
    "data.data_dir": str(ROOT / "data"),
    "data.subset": 120,
    "data.max_length": 100,
    "data.edge_types": "knn_8",
    "model.node_h_dim": "[8,2]",
    "model.edge_h_dim": "[4,1]",
    "model.num_layers": 1,
    "train.batch_size": 16,
    "train.num_threads": 1,
    "train.accelerator": "cpu",
}
"""Keys of a training stage that runs by itself, in this process, on the store of the tests' fixture."""


def run(
    command: list[str], folder: Path, timeout: float = 1800, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command there, with this interpreter's environment first on PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    fixed = {"PATH": path, "WANDB_MODE": "offline", "OMP_NUM_THREADS": "1"}
    environment = {**inherited, **fixed, **variables}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout
    )


def ok(done: subprocess.CompletedProcess[str]) -> str:
    """Its output, once it is sure that it went well."""
    assert done.returncode == 0, f"{done.args}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout + done.stderr


def run_stage_0(store: Store, folder: Path, *more: str) -> Path:
    """One epoch of the stage's command; returns its folder."""
    places = {f"paths.{name}": folder / name for name in ("output", "metrics", "plots")}
    values = {**ONE_STAGE, **places, "paths.prepared": store.path, "multistage.stage0.epochs": 1}
    words = [f"--{key}={value}" for key, value in values.items()]
    Stage0CLI(["fit", "--trainer.enable_progress_bar=false", *words, *more])
    return folder / "output/stage_0"
