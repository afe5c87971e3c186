"""Time that the training step waits for batches, in the default run's stage 0.

Trains some steps under torch's profiler and keeps, per step, how long the next batch took to arrive and how
long the step took: benchmarks/results/loading.json, and a picture of the first steps in docs/pictures.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.machine import record
from benchmarks.pictures import draw
from bioblobs.checkpoints.build import build_model
from bioblobs.config.parsing import parse
from bioblobs.config.schema import Config
from bioblobs.inference.process import begin
from bioblobs.training.datamodule import ProteinDataModule
from bioblobs.training.losses import LossWeights, loss_terms

RESULTS, PICTURE = Path("benchmarks/results/loading.json"), Path("docs/pictures/loading.png")
SHOWN = 8
"""Steps in the picture."""


def trace(config: Config, workers: int, steps: int) -> list[dict[str, float]]:
    """Milliseconds from the first wait, for each step: when waiting begins, the step begins, and it ends."""
    module = ProteinDataModule(
        batch_size=config.train.batch_size,
        max_residues=config.train.max_residues,
        num_workers=workers,
        order_seed=config.train.seed,
        **config.data.identity(),
    )
    model = build_model(config.model, module.num_classes, with_codebook=False).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.multistage.stage0.lr)
    coming = iter(module.train_dataloader())
    for _ in range(3):  # the worker starts, memory settles
        _step(model, optimizer, next(coming))
    with profile(activities=[ProfilerActivity.CPU]) as trace:
        for _ in range(steps):
            with torch.profiler.record_function("wait"):
                batch = next(coming)
            with torch.profiler.record_function("step"):
                _step(model, optimizer, batch)
    with tempfile.TemporaryDirectory() as folder:
        trace.export_chrome_trace(f"{folder}/trace.json")
        events = json.loads(Path(f"{folder}/trace.json").read_text())["traceEvents"]
    found = {
        kind: sorted((e["ts"], e["dur"]) for e in events if e.get("name") == kind and e.get("ph") == "X")
        for kind in ("wait", "step")
    }
    zero = found["wait"][0][0]
    return [
        {"wait": (w - zero) / 1e3, "begin": (s - zero) / 1e3, "end": (s + d - zero) / 1e3}
        for (w, _), (s, d) in zip(found["wait"], found["step"], strict=False)
    ]


def _step(model: Any, optimizer: torch.optim.Optimizer, batch: Any) -> None:
    optimizer.zero_grad()
    loss_terms(model(batch), batch.labels, LossWeights(card=0.01), 1.0, 10.0, 0.1)["loss"].backward()
    optimizer.step()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=40)
    args = parser.parse_args()
    config, _ = parse("", ["--config", "params.yaml"])
    begin(config.train.num_threads)
    traces = {workers: trace(config, workers, args.steps) for workers in (0, 1)}
    result: dict[str, Any] = {"machine": record()}
    for workers, steps in traces.items():
        waits = mean(step["begin"] - step["wait"] for step in steps)
        works = mean(step["end"] - step["begin"] for step in steps)
        result[f"num_workers {workers}"] = {
            "wait_ms": waits,
            "step_ms": works,
            "share": waits / (waits + works),
        }
        print(workers, result[f"num_workers {workers}"])
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    rows = [
        {"lane": f"num_workers {workers}", "what": what, "from": step[start], "to": step[end]}
        for workers, steps in traces.items()
        for step in steps[:SHOWN]
        for what, start, end in (("waiting for the batch", "wait", "begin"), ("step", "begin", "end"))
    ]
    draw(
        {
            "title": "Default run, stage 0: waiting for batches and working on them",
            "data": {"values": rows},
            "mark": {"type": "bar", "height": 24},
            "width": 620,
            "encoding": {
                "x": {"field": "from", "type": "quantitative", "title": "milliseconds"},
                "x2": {"field": "to"},
                "y": {"field": "lane", "type": "nominal", "title": None},
                "color": {"field": "what", "type": "nominal", "title": None},
            },
        },
        PICTURE,
    )


if __name__ == "__main__":
    main()
