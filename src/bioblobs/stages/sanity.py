"""Sanity check that needs another training: labels that mean nothing (`make sanity`).

No stage of dvc.yaml: it takes as long as the default run's training. The trained model is the one that
`dvc repro` left; the other sees the same proteins and is trained by the same stages. Other seeds:
`make seeds`.
"""

from __future__ import annotations

import shutil
import sys
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
    chains = Chains(store, chosen_rows(store, keys.split, keys.proteins, seed))
    metrics = {"split": keys.split, "proteins": len(chains), **compare_models(model, others, chains, seed)}
    write_json(Path(paths.metrics) / "sanity.json", metrics)
    print(f"written: {Path(paths.metrics) / 'sanity.json'}")


def trained(args: Sequence[str], paths: Paths) -> BioBlobs:
    """Run the training stages at these paths, and return their model."""
    flags = [*args, *(f"--paths.{name}={value}" for name, value in vars(paths).items())]
    Stage0CLI(["fit", *flags])
    init_codebook.run(*parse(__doc__ or "", flags))
    Stage1CLI(["fit", *flags])
    return load_model(paths.final_checkpoint(1))[0]


def main(args: Sequence[str] | None = None) -> None:
    """Command line of the check."""
    words = list(sys.argv[1:] if args is None else args)
    with one_line_errors():
        run(*parse(__doc__ or "", words), words)
