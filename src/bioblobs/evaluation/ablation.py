"""Ablation: scores of a model whose blobs are changed or removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bioblobs.evaluation.by_task import headline, scorer
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.inference.predict import Forward, class_probabilities, plain_forward
from bioblobs.models.bioblobs import BioBlobs, BlobInput, Prediction
from bioblobs.models.partitioner import Blobs
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


def with_input(blob_input: BlobInput) -> Forward:
    """Show the readout codes ("quantised") or embeddings ("raw"), whichever it was trained on."""

    def forward(model: BioBlobs, batch: ProteinBatch) -> Prediction:
        trained, model.blob_input = model.blob_input, blob_input
        try:
            return plain_forward(model, batch)
        finally:
            model.blob_input = trained

    return forward


def _changed(change: Callable[[Blobs], Blobs]) -> Forward:
    def forward(model: BioBlobs, batch: ProteinBatch) -> Prediction:
        pooled, blobs = model.partition(batch)
        return model.read(pooled, change(blobs))

    return forward


def _none(blobs: Blobs) -> Blobs:
    return replace(blobs, mask=torch.zeros_like(blobs.mask))


def _of_another(blobs: Blobs) -> Blobs:
    return replace(blobs, embedding=blobs.embedding.roll(1, 0), mask=blobs.mask.roll(1, 0))


without_blobs: Forward = _changed(_none)
"""The readout gets no blob: it is left the base (additive), nothing (blobs), or pooled residues (full)."""
blobs_of_another: Forward = _changed(_of_another)
"""Each protein gets the blobs of the protein before it in the batch."""


@contextmanager
def random_partition(model: BioBlobs, seed: int) -> Iterator[None]:
    """Draw the partitioner's weights anew inside the block: random seeds, growth by chance."""
    partitioner = model.partitioner
    kept = {name: value.clone() for name, value in partitioner.state_dict().items()}
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in partitioner.parameters():
            noise = torch.randn(parameter.shape, generator=generator).to(parameter.device)
            parameter.copy_(noise * parameter.std(correction=0).nan_to_num(0.0).clamp_min(1e-3))
    try:
        yield
    finally:
        partitioner.load_state_dict(kept)
