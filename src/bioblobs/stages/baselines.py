"""Train the baselines that need a training, and score them on the test set (`make baselines`).

No stage of dvc.yaml: each takes as long as stage 0. Encoder, readout, batches, rate and epochs are those of
stage 0; only ``model.partition`` differs. Each has a folder, ``<output>/baselines/NAME/seed_N``: what is
finished there is not trained again. metrics/baselines.json has every finished seed of the same work.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bioblobs.checkpoints.file import load_model
from bioblobs.config.parsing import parse
from bioblobs.config.schema import Config, Paths
from bioblobs.errors import one_line_errors
from bioblobs.evaluation.by_task import scorer
from bioblobs.evaluation.scores import with_intervals
from bioblobs.faithfulness.seed_runs import spread
from bioblobs.inference.device import choose
from bioblobs.inference.predict import class_probabilities
from bioblobs.inference.process import begin
from bioblobs.io import write_json
from bioblobs.stages.seed_folders import IDENTITY, PARTS, begin_folder, run_stage
from bioblobs.store.packed import Store, open_store

TRAINED = ("none", "topk", "random")
"""Values of ``model.partition`` that are baselines."""
NOT_OF_STAGE0 = (
    "train.seed",
    "multistage.stage1.",
    "evaluation.",
    "interpretability.",
    "report.",
    "leakage.",
)
"""Keys that a baseline's folder may differ in and still hold the same training."""
STAGE, RESULT = PARTS[0]


def run(config: Config, paths: Paths, args: Sequence[str]) -> None:
    """Train what is missing for ``train.seed``, and write metrics/baselines.json."""
    store = open_store(paths.prepared, config.data.identity())
    found: dict[str, Any] = {}
    for name in TRAINED:
        own, words = _with_partition(config, name), [*args, *_words(name)]
        folder = Path(paths.output) / "baselines" / name / f"seed_{config.train.seed}"
        begin_folder(folder, own, store, NOT_OF_STAGE0)
        if not (folder / RESULT).is_file():
            print(f"== baseline {name}, seed {config.train.seed}: {STAGE}", flush=True)
            run_stage(STAGE, config.train.seed, folder, paths, words)
        found[name] = _finished(folder)
    begin(config.train.num_threads)
    scores = {
        name: {seed: _scores(config, store, folder) for seed, folder in folders.items()}
        for name, folders in found.items()
    }
    write_json(
        Path(paths.metrics) / "baselines.json",
        {
            "data": store.meta["parameters"],
            "test_proteins": len(store.rows("test")),
            "epochs": config.multistage.stage0.epochs,
            "baselines": {
                name: {
                    "over_seeds": _over_seeds(scores[name]),
                    "validation": {seed: _validation(folder) for seed, folder in folders.items()},
                    "runs": scores[name],
                }
                for name, folders in found.items()
            },
        },
    )
    for name, runs in scores.items():
        for seed, values in runs.items():
            said = ", ".join(f"{key} {value['value']}" for key, value in values.items())
            print(f"{name}, seed {seed}: {said}")


def _with_partition(config: Config, name: Any) -> Config:
    """The keys of a baseline; blobs that are not learned have no size to pull."""
    stages = config.multistage
    first = replace(stages.stage0, lambda_card=0.0)
    return replace(
        config, model=replace(config.model, partition=name), multistage=replace(stages, stage0=first)
    )


def _words(name: str) -> list[str]:
    """The same as words of the training's command line."""
    return [f"--model.partition={name}", "--multistage.stage0.lambda_card=0.0"]


def _finished(folder: Path) -> dict[str, Path]:
    """Seed -> folder of every finished training of the same work as this one."""
    wanted = json.loads((folder / IDENTITY).read_text())
    every = sorted(folder.parent.glob("seed_*"), key=lambda each: int(each.name.removeprefix("seed_")))
    return {
        each.name.removeprefix("seed_"): each
        for each in every
        if (each / RESULT).is_file() and json.loads((each / IDENTITY).read_text()) == wanted
    }


def _scores(config: Config, store: Store, folder: Path) -> dict[str, Any]:
    model, _ = load_model(folder / RESULT, store.classes)
    rows = store.rows("test")
    chance = class_probabilities(model.to(choose(config.train.accelerator)), store, rows, "test")
    own = scorer(store, np.asarray(store.labels[rows]), chance)
    return with_intervals(own, len(rows), config.evaluation.bootstrap, config.train.seed)


def _validation(folder: Path) -> dict[str, float]:
    """Score, blobs per protein, their size and the residues in them, on the validation chains."""
    made = json.loads((folder / "metrics" / "stage_0.json").read_text())
    return {name: made[f"val_{name}"] for name in ("score", "blobs", "blob_size", "coverage")}


def _over_seeds(runs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Mean, least and greatest value of each score that every seed has."""
    names = next(iter(runs.values()))
    values = {name: [run[name]["value"] for run in runs.values()] for name in names}
    return {name: spread(each) for name, each in values.items() if None not in each}


def main(args: Sequence[str] | None = None) -> None:
    """Command line of the baselines."""
    words = list(sys.argv[1:] if args is None else args)
    with one_line_errors():
        run(*parse(__doc__ or "", words), words)
