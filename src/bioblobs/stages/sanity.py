"""A sanity check that needs another training: labels that mean nothing (`make sanity`).

No stage of dvc.yaml: it takes as long as the default run's training. The trained model is the one that
`dvc repro` left; the other sees the same proteins and is trained by the same stages. Other seeds:
`make seeds`.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bioblobs.checkpoints.file import check_classes, load_model
from bioblobs.config.parsing import parse
from bioblobs.config.schema import Config, Paths
from bioblobs.errors import one_line_errors
from bioblobs.faithfulness.chains import Chains
from bioblobs.faithfulness.curves import deletion_curve, insertion_curve
from bioblobs.faithfulness.explained import Explained, chances, explain
from bioblobs.faithfulness.masking import falls_without, masking
from bioblobs.faithfulness.rankings import by_contribution
from bioblobs.faithfulness.removal import IMPORTANCE, Curves, curves
from bioblobs.faithfulness.report import areas
from bioblobs.faithfulness.stability import compare
from bioblobs.faithfulness.statistics import mean_interval
from bioblobs.inference.process import begin
from bioblobs.io import write_json
from bioblobs.models.bioblobs import BioBlobs
from bioblobs.splits import SPLITS
from bioblobs.stages import init_codebook
from bioblobs.stages.faithfulness import chosen_rows
from bioblobs.store.array_file import write_array
from bioblobs.store.packed import META, Store, open_store, seal
from bioblobs.training.stage import Stage0CLI, Stage1CLI

PERMUTED = "permuted_labels"


def run(config: Config, paths: Paths, args: Sequence[str]) -> None:
    """Train the other, compare its explanations with the trained model's, write metrics/sanity.json."""
    seed, keys = config.train.seed, config.interpretability
    begin(config.train.num_threads)
    store = open_store(paths.prepared, config.data.identity())
    path = paths.final_checkpoint(1)
    model, card = load_model(path)
    check_classes(path, card, store.classes)
    folder = Path(paths.output) / "sanity" / PERMUTED
    place = Paths(*(str(folder / part) for part in ("prepared", "models", "metrics", "plots")))
    shutil.rmtree(folder, ignore_errors=True)
    copy_with_permuted_labels(store, Path(place.prepared), seed)
    print(f"== training {PERMUTED}", flush=True)
    others = {PERMUTED: trained(args, place)}
    chains = Chains(store, chosen_rows(store, keys.split, keys.proteins, seed))
    metrics = {"split": keys.split, "proteins": len(chains), **sanity(model, others, chains, seed)}
    write_json(Path(paths.metrics) / "sanity.json", metrics)
    print(f"written: {Path(paths.metrics) / 'sanity.json'}")


def copy_with_permuted_labels(store: Store, target: Path, seed: int) -> None:
    """The same proteins with labels exchanged at random.

    They are exchanged among the training proteins and among the validation proteins, so that neither the
    training nor the choice of the best epoch sees a true one. Arrays are linked, not copied.
    """
    target.mkdir(parents=True)
    for path in store.path.iterdir():
        if path.is_file() and path.name not in (META, "labels.npy"):
            os.symlink(path.resolve(), target / path.name)
    labels = np.array(store.labels)
    rng = np.random.default_rng(seed)
    for split in SPLITS[:2]:
        rows = store.rows(split)
        labels[rows] = labels[rng.permutation(rows)]
    arrays = {**store.meta["arrays"], "labels": write_array(target / "labels.npy", labels)}
    meta = {**store.meta, "arrays": arrays}
    write_json(target / META, {**meta, "content_sha256": seal(meta)})


def trained(args: Sequence[str], paths: Paths) -> BioBlobs:
    """The model that the training stages make at these paths."""
    flags = [*args, *(f"--paths.{name}={value}" for name, value in vars(paths).items())]
    Stage0CLI(["fit", *flags])
    init_codebook.run(*parse(__doc__ or "", flags))
    Stage1CLI(["fit", *flags])
    return load_model(paths.final_checkpoint(1))[0]


def sanity(model: BioBlobs, others: dict[str, BioBlobs], chains: Chains, seed: int) -> dict[str, Any]:
    """How far the others agree with the model, and how well their blobs do as explanations of it.

    The curves are the model's own, of its own predictions; only the ranking of residues is another model's. A
    ranking that knows nothing of the labels should gain nothing.
    """
    explained = explain(model, chains)
    heard = {name: explain(other, chains) for name, other in others.items()}
    found = curves(model, chains, explained, {IMPORTANCE: _ranked(chains, explained, seed)}, seed)
    chance = partial(chances, model, chains, target=explained.target)
    whole = explained.chances.max(1)
    for name, each in heard.items():
        ranking = _ranked(chains, each, seed)
        found[name] = Curves(
            deletion_curve(chance, chains, ranking, whole), insertion_curve(chance, chains, ranking, whole)
        )
    agreement = {name: compare(explained, each, chains).summary(seed) for name, each in heard.items()}
    inside = {
        name: mean_interval(masking(falls_without(other, chains, heard[name]), heard[name]).correlation, seed)
        for name, other in others.items()
    }
    return {"agreement": agreement, "masking_correlation": inside, **areas(found, seed)}


def _ranked(chains: Chains, explained: Explained, seed: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    rng = np.random.default_rng([seed, 0])
    return by_contribution(chains, explained, rng)


def main(args: Sequence[str] | None = None) -> None:
    """Command line of the check."""
    words = list(sys.argv[1:] if args is None else args)
    with one_line_errors():
        run(*parse(__doc__ or "", words), words)


if __name__ == "__main__":
    main()
