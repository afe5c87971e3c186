"""Sanity check that needs another training: labels that mean nothing (`make sanity`).

No stage of dvc.yaml: it takes as long as the default run's training. The trained model is the one that
`dvc repro` left; the other sees the same proteins and is trained by the same stages.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from bioblobs.checkpoints.file import load_model
from bioblobs.config.parsing import parse
from bioblobs.config.schema import Config, Paths
from bioblobs.errors import one_line_errors
from bioblobs.faithfulness.chains import Chains, chosen_rows
from bioblobs.faithfulness.other_models import compare_models, copy_with_permuted_labels
from bioblobs.inference.process import begin
from bioblobs.io import write_json
from bioblobs.models.bioblobs import BioBlobs
from bioblobs.stages import init_codebook
from bioblobs.stages.runs.run_folder import path_words
from bioblobs.store.packed import open_store
from bioblobs.training.stage import Stage0CLI, Stage1CLI

PERMUTED = "permuted_labels"


def run(config: Config, paths: Paths, args: Sequence[str]) -> None:
    """Train the other, compare its explanations with the trained model's, write metrics/sanity.json."""
    seed, keys = config.train.seed, config.interpretability
    begin(config.train.num_threads)
    store = open_store(paths.prepared, config.data.identity())
    model, _ = load_model(paths.final_checkpoint(1), store.classes)
    folder = Path(paths.output) / "sanity" / PERMUTED
    place = Paths(*(str(folder / part) for part in ("prepared", "models", "metrics", "plots")))
    shutil.rmtree(folder, ignore_errors=True)
    copy_with_permuted_labels(store, Path(place.prepared), seed)
    print(f"== training {PERMUTED}", flush=True)
    others = {PERMUTED: trained(args, place)}
    chains = Chains(store, chosen_rows(store, keys.split, keys.proteins, config.data.seed))
    about, target = {"split": keys.split, "proteins": len(chains)}, Path(paths.metrics) / "sanity.json"
    write_json(target, about | compare_models(model, others, chains, seed))
    print(f"written: {target}")


def trained(args: Sequence[str], paths: Paths) -> BioBlobs:
    """Run the training stages at these paths, and return their model."""
    flags = [*args, *path_words(vars(paths))]
    Stage0CLI(["fit", *flags])
    init_codebook.run(*parse(__doc__ or "", flags))
    Stage1CLI(["fit", *flags])
    return load_model(paths.final_checkpoint(1))[0]


def main(args: Sequence[str]) -> None:
    """Command line of the check."""
    with one_line_errors():
        run(*parse(__doc__ or "", args), args)
