"""Time to accuracy: validation accuracy by processor time, the public recipe beside our default one.

Both train stage 0 (no codebook) on the chains of the prepared store, single threaded, each in a process of
its own; time is that process's CPU time, so that other work on the machine does not count::

    python -m benchmarks.accuracy public CHECKOUT
    python -m benchmarks.accuracy ours

On few short chains the public recipe can be followed to its end; in a clone of its own::

    sed -i 's/max_length: 512/max_length: 120/' params.yaml && dvc repro prepare
    python -m benchmarks.accuracy public CHECKOUT --epochs 120 --name short
    python -m benchmarks.accuracy ours --name short --others=--multistage.stage0.epochs=60
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from lightning import Callback, LightningModule, Trainer

from benchmarks.machine import record
from benchmarks.public import PublicImplementation
from bioblobs.inference.process import begin
from bioblobs.proteins.alphabet import decode
from bioblobs.stages.train_stage0 import main as train_stage0
from bioblobs.store.packed import Store

RESULTS = Path("benchmarks") / "results"
PUBLIC = {"node_h_dim": (100, 16), "edge_h_dim": (32, 1), "num_layers": 3, "max_clusters": 5}
NEIGHBOURS, BATCH, RATE = 16, 16, 1e-3
"""Of the public recipe that the comparison is made with: k, proteins a batch, Adam's rate."""


class Clock(Callback):
    """CPU time and validation score at the end of each epoch, and the file that they go to."""

    points: ClassVar[list[dict[str, float]]] = []

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Called by Lightning."""
        score = float(trainer.callback_metrics["val_acc"])
        point = {"epoch": trainer.current_epoch + 1, "cpu_s": time.process_time(), "val_acc": score}
        self.points.append(point)
        print(point, flush=True)


def ours(args: argparse.Namespace) -> list[dict[str, float]]:
    """The default run's stage 0, by its own command."""
    quiet = ["--trainer.enable_progress_bar", "false", "--train.num_threads", "1"]
    folders = [f"--paths.{name}={args.scratch}/{name}" for name in ("output", "metrics", "plots")]
    clock = ["--trainer.callbacks+=benchmarks.accuracy.Clock"]
    train_stage0(["fit", "--config", "params.yaml", *quiet, *folders, *clock, *args.others])
    from benchmarks.accuracy import Clock as Filled  # the class that Lightning imported

    return Filled.points


def public(args: argparse.Namespace) -> list[dict[str, float]]:
    """The public implementation on the same chains, in batches of 16, featurised anew each epoch as there."""
    torch.manual_seed(args.seed)
    store, code = Store("data/prepared"), PublicImplementation(args.checkout)
    model = code.model(num_classes=len(store.classes), codebook_size=512, **PUBLIC)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    rng, points = np.random.default_rng(args.seed), []

    def batch(rows: Any) -> tuple[object, torch.Tensor]:
        graphs = []
        for row in rows:
            part = slice(store.offsets[row], store.offsets[row + 1])
            chain = decode(np.asarray(store.residue_types[part]))
            graphs.append(code.graph(np.array(store.coordinates[part]), chain, NEIGHBOURS))
        return code.batch(graphs), torch.from_numpy(np.array(store.labels[rows]))

    train, val = store.rows("train"), store.rows("val")
    for epoch in range(args.epochs):
        model.train()
        rows = rng.permutation(train)
        for start in range(0, len(rows), BATCH):
            inputs, labels = batch(rows[start : start + BATCH])
            optimizer.zero_grad()
            code.loss(model, inputs, labels, stage=0).backward()
            optimizer.step()
        right = 0
        for start in range(0, len(val), BATCH):
            inputs, labels = batch(val[start : start + BATCH])
            right += int((code.predict(model, inputs).argmax(-1) == labels).sum())
        points.append({"epoch": epoch + 1, "cpu_s": time.process_time(), "val_acc": right / len(val)})
        print(points[-1], flush=True)
        write(args, points)
    return points


def write(args: argparse.Namespace, points: list[dict[str, float]]) -> None:
    """Results so far, with the machine."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    store = Store("data/prepared")
    chains = {split: len(store.rows(split)) for split in ("train", "val")}
    values = {"seed": args.seed, "chains": chains, "points": points, "machine": record()}
    path = RESULTS / f"accuracy_{args.name}_{args.which}_{args.seed}.json"
    path.write_text(json.dumps(values, indent=1) + "\n")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", choices=["ours", "public"])
    parser.add_argument("checkout", type=Path, nargs="?")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name", default="sample", help="of the chains, in the name of the result's file")
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "bioblobs_accuracy")
    parser.add_argument("--others", nargs="*", default=[], help="arguments for our stage")
    args = parser.parse_args()
    begin(1)
    if args.which == "ours":
        args.others += [f"--train.seed={args.seed}"]
        write(args, ours(args))
    else:
        public(args)


if __name__ == "__main__":
    main()
