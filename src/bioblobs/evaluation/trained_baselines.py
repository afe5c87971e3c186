"""Baselines that need a training: their scores on the test set, by likeness, and over the seeds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioblobs.evaluation.by_distance import by_distance
from bioblobs.evaluation.by_task import headline_scorer, scorer
from bioblobs.evaluation.over_seeds import spread
from bioblobs.evaluation.scores import with_intervals
from bioblobs.evaluation.untrained_baselines import similarities
from bioblobs.inference.predict import class_probabilities
from bioblobs.models.bioblobs import BioBlobs
from bioblobs.store.packed import Store

TRAINED = {"mean_pooling": "none", "topk_pooling": "topk", "random_blobs": "random"}
"""Name in ``evaluation.baselines`` -> ``model.partition`` that the baseline is trained with."""
ON_VALIDATION = ("score", "blobs", "blob_size", "coverage")


@dataclass(frozen=True)
class BaselineScores:
    """A baseline on the test set.

    Attributes:
        scores: score -> {value, low, high}.
        by_distance: rows as of :func:`bioblobs.evaluation.by_distance.by_distance`.
    """

    scores: dict[str, Any]
    by_distance: pd.DataFrame


def measure_baseline(
    name: str, model: BioBlobs, store: Store, nearest: pd.DataFrame | None, resamples: int, seed: int
) -> BaselineScores:
    """Measure a trained baseline on the test set.

    Args:
        name: of the baseline.
        nearest: nearest.csv of the stage ``leakage``, by chain id.
        resamples: of the bootstrap.
        seed: of the bootstrap.
    """
    rows = store.rows("test")
    truth = np.asarray(store.labels[rows])
    chance = class_probabilities(model, store, rows, "test")
    alone = {name: headline_scorer(store, truth, chance)}
    return BaselineScores(
        with_intervals(scorer(store, truth, chance), len(rows), resamples, seed),
        by_distance(alone, similarities(store, rows, nearest), resamples, seed),
    )


def compared(found: Mapping[str, BaselineScores], folders: Mapping[str, Path]) -> dict[str, Any]:
    """Entry of a baseline in metrics/baselines.json.

    Args:
        found: seed -> what was measured.
        folders: seed -> folder of the run, whose metrics have the validation chains' score, blobs per
            protein, their size and the share of residues in them.
    """
    scores = {seed: run.scores for seed, run in found.items()}
    return {
        "over_seeds": _over_seeds(scores),
        "validation": {seed: _validation(folder) for seed, folder in folders.items()},
        "runs": scores,
    }


def _validation(folder: Path) -> dict[str, float]:
    made = json.loads((folder / "metrics" / "stage_0.json").read_text())
    return {name: made[f"val_{name}"] for name in ON_VALIDATION}


def _over_seeds(runs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Mean, least and greatest value of each score that every seed has."""
    names = next(iter(runs.values()))
    values = {name: [run[name]["value"] for run in runs.values()] for name in names}
    return {name: spread(each) for name, each in values.items() if None not in each}
