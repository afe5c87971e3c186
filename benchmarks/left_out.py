"""Time per training step with each compiled piece left out: does it earn its place? (docs/speed.md)

    python -m benchmarks.left_out

Variants alternate within one process, so that a change of the machine meets all of them. A step is forward,
loss and backward of stage 1 on training batches of the prepared sample. Results: results/left_out.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from benchmarks.machine import record
from bioblobs.checkpoints.build import build_model
from bioblobs.config.parsing import parse
from bioblobs.config.schema import Config
from bioblobs.inference.process import begin
from bioblobs.store.batches import collate, plan_batches
from bioblobs.store.packed import Store
from bioblobs.training.losses import LossWeights, loss_terms

RESULTS = Path("benchmarks") / "results" / "left_out.json"
WEIGHTS = LossWeights(card=0.3, vq=1.0, psc=0.01)
PIECES = {
    "growth": ["bioblobs.ops.growth.compiled.suits"],
    "message": ["bioblobs.ops.message.compiled.suits"],
}
"""Name -> functions that say whether the compiled piece takes its inputs."""


def steps(config: Config, store: Store, batches: int) -> Callable[[int], None]:
    """One training step of a model of these keys on the batch of a number."""
    torch.manual_seed(0)
    model = build_model(config.model, len(store.classes), with_codebook=True).train()
    train, prior = config.train, config.model.cluster_size_prior
    plan = plan_batches(store.rows("train"), store.lengths, train.batch_size, train.max_residues, 0)
    held = [collate(store, rows) for rows in plan[:batches]]

    def step(number: int) -> None:
        torch.manual_seed(number)
        model.zero_grad()
        batch = held[number % len(held)]
        loss_terms(model(batch), batch.labels, WEIGHTS, 1.0, prior, 0.1)["loss"].backward()

    return step


def measure(step: Callable[[int], None], rounds: int) -> dict[str, float]:
    """Median seconds per step: with everything, and without each piece."""
    found: dict[str, list[float]] = {}
    for number in range(rounds + 1):
        for name, places in {"everything": [], **PIECES}.items():
            with ExitStack() as stack:
                for place in places:
                    stack.enter_context(patch(place, lambda *_: False))
                start = time.process_time()
                step(number)
                if number:  # the first is not counted
                    found.setdefault(name, []).append(time.process_time() - start)
    return {name: statistics.median(each) for name, each in found.items()}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    rounds = parser.parse_args().rounds
    begin(1)
    store = Store("data/prepared")
    made: dict[str, Any] = {"machine": record(), "threads": 1}
    for name, files in (("default", ["params.yaml"]), ("guide", ["params.yaml", "params/guide.yaml"])):
        config, _ = parse("", [f"--config={file}" for file in files])
        seconds = measure(steps(config, store, 6), rounds)
        full = seconds["everything"]
        made[name] = {
            "step_s": round(full, 4),
            "left_out": {piece: round(seconds[piece] / full, 3) for piece in PIECES},
        }
        print(name, json.dumps(made[name]), flush=True)
    RESULTS.write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
