"""Baselines that need a training: their scores on the test set, run by run, and over the seeds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bioblobs.evaluation.by_task import scorer
from bioblobs.evaluation.over_seeds import spread
from bioblobs.evaluation.scores import with_intervals
from bioblobs.inference.predict import class_probabilities
from bioblobs.models.bioblobs import BioBlobs
from bioblobs.store.packed import Store

TRAINED = ("none", "topk", "random")
"""Values of ``model.partition`` that are baselines."""
ON_VALIDATION = ("score", "blobs", "blob_size", "coverage")


def scores_on_test_set(model: BioBlobs, store: Store, resamples: int, seed: int) -> dict[str, Any]:
    """Score a model on the test set: score -> {value, low, high}."""
    rows = store.rows("test")
    chance = class_probabilities(model, store, rows, "test")
    own = scorer(store, np.asarray(store.labels[rows]), chance)
    return with_intervals(own, len(rows), resamples, seed)


def compared(scores: Mapping[str, Any], folders: Mapping[str, Path]) -> dict[str, Any]:
    """Entry of a baseline in metrics/baselines.json.

    Args:
        scores: seed -> its test scores.
        folders: seed -> folder of the run, whose metrics have the validation chains' score, blobs per
            protein, their size and the share of residues in them.
    """
    return {
        "over_seeds": _over_seeds(scores),
        "validation": {seed: _validation(folder) for seed, folder in folders.items()},
        "runs": dict(scores),
    }


def _validation(folder: Path) -> dict[str, float]:
    made = json.loads((folder / "metrics" / "stage_0.json").read_text())
    return {name: made[f"val_{name}"] for name in ON_VALIDATION}


def _over_seeds(runs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Mean, least and greatest value of each score that every seed has."""
    names = next(iter(runs.values()))
    values = {name: [run[name]["value"] for run in runs.values()] for name in names}
    return {name: spread(each) for name, each in values.items() if None not in each}
