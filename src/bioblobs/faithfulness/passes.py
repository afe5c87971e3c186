"""Forward passes over chains whose residues are moved or taken away."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from bioblobs.faithfulness.chains import Chains
from bioblobs.inference.device import device_of, on_cpu
from bioblobs.inference.explained import Explained, Floats
from bioblobs.inference.predict import probabilities
from bioblobs.models.bioblobs import BioBlobs


@torch.inference_mode()
def explain(model: BioBlobs, chains: Chains, coordinates: NDArray[np.float32] | None = None) -> Explained:
    """Predict all chains, at these (N, 4, 3) coordinates or at the store's."""
    model.eval()
    device, multilabel = device_of(model), chains.store.multilabel
    return Explained.joined(
        Explained.of(batch, on_cpu(model(batch.to(device))), multilabel)
        for batch in chains.batches(coordinates=coordinates)
    )


@torch.inference_mode()
def chances(model: BioBlobs, chains: Chains, kept: NDArray[np.bool_], target: NDArray[np.int64]) -> Floats:
    """(P,) probability of each chain's ``target`` class where only the kept (N,) residues are there."""
    multilabel = chains.store.multilabel
    device = device_of(model)
    made = [probabilities(model(batch.to(device)).logits, multilabel) for batch in chains.batches(kept)]
    return np.take_along_axis(np.concatenate(made), target[:, None], 1)[:, 0]
