"""Ablation: scores of a model whose blobs are changed or removed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioblobs.evaluation.ablation import (
    blobs_of_another,
    random_partition,
    with_input,
    without_blobs,
)
from bioblobs.evaluation.by_task import headline, scorer
from bioblobs.inference.predict import class_probabilities
from bioblobs.models.bioblobs import BioBlobs
from bioblobs.store.batches import Rows
from bioblobs.store.packed import Store


def ablation(
    model: BioBlobs, store: Store, rows: Rows, whole: NDArray[np.float64], seed: int
) -> dict[str, Any]:
    """Measure the headline score and the mean change of the class probabilities per variant.

    Args:
        whole: class probabilities of the model as trained.
        seed: of the random partition.
    """
    truth = np.asarray(store.labels[rows])
    variants = {
        "quantised_blobs": with_input("quantised"),
        "raw_blobs": with_input("raw"),
        "without_blobs": without_blobs,
        "blobs_of_another_protein": blobs_of_another,
    }
    chances = {
        name: class_probabilities(model, store, rows, name, forward) for name, forward in variants.items()
    }
    with random_partition(model, seed):
        chances["random_partition"] = class_probabilities(model, store, rows, "random partition")
    everything = np.arange(len(rows))
    return {
        name: {
            headline(store): round(scorer(store, truth, chance)(everything)[headline(store)], 6),
            "mean_probability_change": round(float(np.abs(chance - whole).mean()), 6),
        }
        for name, chance in {"as_trained": whole, **chances}.items()
    }
