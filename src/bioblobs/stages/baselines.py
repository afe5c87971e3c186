"""Train the baselines that need a training, and score them on the test set (`make baselines`).

No stage of dvc.yaml: each takes as long as stage 0. Encoder, readout, batches, rate and epochs are those of
stage 0; only ``model.partition`` differs. ``evaluation.baselines`` chooses them. Each has a folder,
``<output>/baselines/NAME/seed_N``: what is finished there is not trained again. metrics/baselines.json and
plots/baselines_by_distance.csv have every finished seed of the same work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from bioblobs.checkpoints.build import LEARNED
from bioblobs.checkpoints.file import load_model
from bioblobs.config.parsing import parse
from bioblobs.config.recipe import of_stage0, recipe
from bioblobs.config.schema import Config, Paths
from bioblobs.errors import BioBlobsError, one_line_errors
from bioblobs.evaluation.trained_baselines import TRAINED, BaselineScores, compared, measure_baseline
from bioblobs.evaluation.untrained_baselines import read_nearest
from bioblobs.inference.device import choose
from bioblobs.inference.process import begin
from bioblobs.io import write_json, write_table
from bioblobs.stages.runs.seed_folders import PARTS, begin_folder, finished, run_stage
from bioblobs.store.packed import open_store
from bioblobs.sums import Sums

STAGE, RESULT = PARTS[0]
NO_SIZE_TO_PULL = "--multistage.stage0.lambda_card=0.0"
"""These partitions take the sizes that they are given."""


def run(config: Config, paths: Paths, args: Sequence[str]) -> None:
    """Train what is missing for ``train.seed``, and write scores and their table by likeness."""
    keys, seed, device = config.evaluation, config.train.seed, choose(config.train.accelerator)
    chosen = {name: partition for name, partition in TRAINED.items() if name in keys.baselines}
    if not chosen:
        raise BioBlobsError(f"evaluation.baselines: none of {', '.join(TRAINED)}: nothing to train")
    store = open_store(paths.prepared, config.data.identity())
    nearest = read_nearest(Sums(paths.folders).check(Path(paths.output) / "leakage" / "nearest.csv"))
    folders: dict[str, dict[str, Path]] = {}
    for baseline, partition in chosen.items():
        words = [*args, f"--model.partition={partition}", NO_SIZE_TO_PULL]
        folder = Path(paths.output) / "baselines" / baseline / f"seed_{seed}"
        begin_folder(folder, of_stage0(recipe(parse("", words)[0])), store)
        if not (folder / RESULT).is_file():
            print(f"== baseline {baseline}, seed {seed}: {STAGE}", flush=True)
            run_stage(STAGE, seed, folder, paths, words)
        folders[baseline] = finished(folder, RESULT)
    begin(config.train.num_threads)
    if nearest is None:
        print("likeness to training was not measured: run the stage leakage for scores by likeness")
    found: dict[str, Any] = {}
    tables = []
    for name, runs in folders.items():
        each: dict[str, BaselineScores] = {}
        for number, folder in runs.items():
            model, _ = load_model(folder / RESULT, store.classes)
            each[number] = measure_baseline(name, model.to(device), store, nearest, keys.bootstrap, seed)
            tables.append(each[number].by_distance.assign(seed=number))
            said = ", ".join(f"{key} {value['value']}" for key, value in each[number].scores.items())
            print(f"{name}, seed {number}: {said}")
        found[name] = compared(each, runs)
    learned = replace(config, model=replace(config.model, partition=LEARNED))
    made_with = {"recipe": of_stage0(recipe(learned)), "data": store.meta["parameters"]}
    about = {"made_with": made_with, "test_proteins": len(store.rows("test"))}
    content = {**about, "epochs": config.multistage.stage0.epochs, "baselines": found}
    write_json(Path(paths.metrics) / "baselines.json", content)
    write_table(Path(paths.plots) / "baselines_by_distance.csv", pd.concat(tables))


def main(args: Sequence[str]) -> None:
    """Command line of the baselines."""
    with one_line_errors():
        run(*parse(__doc__ or "", args), args)
