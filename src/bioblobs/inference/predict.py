"""Run a model over store rows, in evaluation mode, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.inference.device import device_of, on_cpu
from bioblobs.models.bioblobs import BioBlobs, Prediction
from bioblobs.store.arrays import Packed
from bioblobs.store.batches import Rows, collate, plan_batches

BATCH_SIZE, MAX_RESIDUES = 64, 6000
"""Of evaluation batches; a protein's prediction does not depend on them."""


Forward = Callable[[BioBlobs, ProteinBatch], Prediction]
"""A way to predict a batch; the plain one calls the model."""


def plain_forward(model: BioBlobs, batch: ProteinBatch) -> Prediction:
    """Predict with the model as it is."""
    prediction: Prediction = model(batch)
    return prediction


@torch.inference_mode()
def predictions(
    model: BioBlobs,
    store: Packed,
    rows: Rows,
    title: str | None = "predict",
    forward: Forward = plain_forward,
) -> Iterator[tuple[ProteinBatch, Prediction]]:
    """Yield each batch of ``rows``, in order, with its prediction, both on the CPU.

    The forward pass runs on the model's device.

    Args:
        title: of the progress bar; None: without one.
    """
    model.eval()
    device = device_of(model)
    plan = plan_batches(rows, store.lengths, BATCH_SIZE, MAX_RESIDUES, None)
    for part in tqdm(plan, title, unit="batch", mininterval=1, disable=title is None):
        batch = collate(store, part)
        yield batch, on_cpu(forward(model, batch.to(device)))


def probabilities(logits: Tensor, multilabel: bool) -> NDArray[np.float64]:
    """(B, C) sigmoid where a protein may have several classes, softmax otherwise."""
    logits = logits.double()
    return (logits.sigmoid() if multilabel else logits.softmax(-1)).cpu().numpy()


def class_probabilities(
    model: BioBlobs, store: Packed, rows: Rows, title: str = "predict", forward: Forward = plain_forward
) -> NDArray[np.float64]:
    """(P, C) class probabilities of ``rows``."""
    made = predictions(model, store, rows, title, forward)
    return np.concatenate([probabilities(p.logits, store.multilabel) for _, p in made])
