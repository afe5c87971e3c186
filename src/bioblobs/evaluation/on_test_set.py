"""Measurements on the test set: scores beside baselines, calibration, ablation, tables behind plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from bioblobs.evaluation.ablation import ablation
from bioblobs.evaluation.by_distance import by_distance
from bioblobs.evaluation.by_group import by_class, by_length
from bioblobs.evaluation.by_task import headline_scorer, scorer
from bioblobs.evaluation.mistakes import worst_mistakes
from bioblobs.evaluation.score_tables import calibrations, confusion, score_table
from bioblobs.evaluation.scores import with_intervals
from bioblobs.evaluation.temperature import (
    calibration_error,
    class_logits,
    fit_temperature,
    without_interval,
)
from bioblobs.evaluation.untrained_baselines import baseline_probabilities, similarities
from bioblobs.inference.predict import probabilities
from bioblobs.models.bioblobs import BioBlobs
from bioblobs.store.packed import Store


@dataclass
class Measured:
    """Results on the test set.

    Attributes:
        scores: predictor -> score -> {value, low, high}; ``stageN_scaled`` after temperature scaling.
        ablation: variant of stage 1's model -> score.
        plots: table by name.
        mistakes: the wrong predictions that stage 1's model is surest of.
    """

    scores: dict[str, Any]
    ablation: dict[str, Any]
    plots: dict[str, pd.DataFrame]
    mistakes: pd.DataFrame


def measure_test_set(
    models: Mapping[str, BioBlobs],
    store: Store,
    baselines: Sequence[str],
    nearest: pd.DataFrame | None,
    resamples: int,
    seed: int,
) -> Measured:
    """Measure both stages' models and the named baselines that need no training.

    Args:
        models: ``stage0`` and ``stage1``.
        nearest: nearest.csv of the stage ``leakage``, by chain id.
        resamples: of the bootstrap.
        seed: of the bootstrap, the baselines and the random partition.
    """
    rows = store.rows("test")
    truth = np.asarray(store.labels[rows])
    logits = {name: class_logits(model, store, rows, name) for name, model in models.items()}
    stages = {name: _chance(own, store) for name, own in logits.items()}
    chances = {**stages, **baseline_probabilities(baselines, store, rows, seed, nearest)}
    scores = {
        name: with_intervals(scorer(store, truth, chance), len(rows), resamples, seed)
        for name, chance in chances.items()
    }
    plots = {"test_scores": score_table(scores)}
    for name, chance in chances.items():
        scores[name]["ece"] = without_interval(calibration_error(truth, chance))
    for name, model in models.items():
        temperature = _temperature(model, store)
        stages[f"{name}_scaled"] = scaled = _chance(logits[name] / temperature, store)
        entry = {"ece": calibration_error(truth, scaled), "temperature": temperature}
        scores[f"{name}_scaled"] = {key: without_interval(value) for key, value in entry.items()}
    final, alike = chances["stage1"], similarities(store, rows, nearest)
    alone = {name: headline_scorer(store, truth, chance) for name, chance in chances.items()}
    plots |= {
        "confusion": confusion(store, truth, final),
        "calibration": calibrations(store, truth, stages),
        "by_distance": by_distance(alone, alike, resamples, seed),
        "by_length": by_length(alone["stage1"], store.lengths[rows], resamples, seed),
        "by_class": by_class(store, truth, final),
    }
    return Measured(
        scores,
        ablation(models["stage1"], store, rows, final, seed),
        plots,
        worst_mistakes(store, rows, final, nearest),
    )


def _chance(logits: NDArray[np.float64], store: Store) -> NDArray[np.float64]:
    return probabilities(torch.from_numpy(logits), store.multilabel)


def _temperature(model: BioBlobs, store: Store) -> float:
    """Temperature fitted on the validation chains."""
    rows = store.rows("val")
    logits = class_logits(model, store, rows, "validation")
    return fit_temperature(logits, np.asarray(store.labels[rows]))
