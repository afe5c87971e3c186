"""Explanations of other models, beside those of the model itself; and labels that mean nothing, for one."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bioblobs.faithfulness.chains import Chains
from bioblobs.faithfulness.curves import deletion_curve, insertion_curve
from bioblobs.faithfulness.masking import falls_without, masking
from bioblobs.faithfulness.measurements import areas
from bioblobs.faithfulness.passes import chances, explain
from bioblobs.faithfulness.rankings import by_contribution
from bioblobs.faithfulness.removal import IMPORTANCE, Curves, curves
from bioblobs.faithfulness.stability import compare
from bioblobs.faithfulness.statistics import mean_interval
from bioblobs.inference.explained import Explained
from bioblobs.io import write_json
from bioblobs.models.bioblobs import BioBlobs
from bioblobs.store.array_file import write_array
from bioblobs.store.packed import META, Store, seal


def compare_models(model: BioBlobs, others: dict[str, BioBlobs], chains: Chains, seed: int) -> dict[str, Any]:
    """Compare the other models' explanations with this model's.

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


def copy_with_permuted_labels(store: Store, target: Path, seed: int) -> None:
    """Copy a store with labels exchanged at random.

    They are exchanged among the training proteins and among the validation proteins, so that neither the
    training nor the choice of the best epoch sees a true one. Arrays are linked, not copied.
    """
    target.mkdir(parents=True)
    for path in store.path.iterdir():
        if path.is_file() and path.name not in (META, "labels.npy"):
            os.symlink(path.resolve(), target / path.name)
    labels = np.array(store.labels)
    rng = np.random.default_rng(seed)
    for split in ("train", "val"):
        rows = store.rows(split)
        labels[rows] = labels[rng.permutation(rows)]
    arrays = {**store.meta["arrays"], "labels": write_array(target / "labels.npy", labels)}
    meta = {**store.meta, "arrays": arrays, "report": {}}  # of other labels
    write_json(target / META, {**meta, "content_sha256": seal(meta)})
