"""Train the baselines that need a training, and score them on the test set (`make baselines`).

No stage of dvc.yaml: each takes as long as stage 0. Encoder, readout, batches, rate and epochs are those of
stage 0; only ``model.partition`` differs. Each has a folder, ``<output>/baselines/NAME/seed_N``: what is
finished there is not trained again. metrics/baselines.json has every finished seed of the same work.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bioblobs.checkpoints.file import load_model
from bioblobs.config.parsing import parse
from bioblobs.config.schema import Config, Paths
from bioblobs.errors import one_line_errors
from bioblobs.evaluation.trained_baselines import TRAINED, compared, scores_on_test_set
from bioblobs.inference.device import choose
from bioblobs.inference.process import begin
from bioblobs.io import write_json
from bioblobs.stages.runs.seed_folders import NOT_OF_STAGE0, PARTS, begin_folder, finished, run_stage
from bioblobs.store.packed import open_store

STAGE, RESULT = PARTS[0]


def run(config: Config, paths: Paths, args: Sequence[str]) -> None:
    """Train what is missing for ``train.seed``, and write metrics/baselines.json."""
    seed, device = config.train.seed, choose(config.train.accelerator)
    store = open_store(paths.prepared, config.data.identity())
    folders: dict[str, dict[str, Path]] = {}
    for name in TRAINED:
        words = [*args, f"--model.partition={name}", "--multistage.stage0.lambda_card=0.0"]  # no size to pull
        folder = Path(paths.output) / "baselines" / name / f"seed_{seed}"
        begin_folder(folder, parse("", words)[0], store, NOT_OF_STAGE0)
        if not (folder / RESULT).is_file():
            print(f"== baseline {name}, seed {seed}: {STAGE}", flush=True)
            run_stage(STAGE, seed, folder, paths, words)
        folders[name] = finished(folder, RESULT)
    begin(config.train.num_threads)
    about = {"data": store.meta["parameters"], "test_proteins": len(store.rows("test"))}
    found: dict[str, Any] = {}
    for name, runs in folders.items():
        scores = {}
        for number, folder in runs.items():
            model = load_model(folder / RESULT, store.classes)[0].to(device)
            scores[number] = scores_on_test_set(model, store, config.evaluation.bootstrap, seed)
            said = ", ".join(f"{key} {value['value']}" for key, value in scores[number].items())
            print(f"{name}, seed {number}: {said}")
        found[name] = compared(scores, runs)
    content = {**about, "epochs": config.multistage.stage0.epochs, "baselines": found}
    write_json(Path(paths.metrics) / "baselines.json", content)


def main(args: Sequence[str]) -> None:
    """Command line of the baselines."""
    with one_line_errors():
        run(*parse(__doc__ or "", args), args)
