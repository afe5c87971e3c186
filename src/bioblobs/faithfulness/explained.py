"""What a model says of each chain, as flat arrays: the explanation that is put to the test.

P chains, N residues, S blob slots, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from bioblobs.evaluation.predict import probabilities
from bioblobs.faithfulness.chains import Chains
from bioblobs.models.bioblobs import BioBlobs, Prediction

Floats = NDArray[np.float64]


@dataclass
class Explained:
    """Prediction and blobs of every chain.

    Attributes:
        chances: (P, C) class probabilities.
        assignment: (N,) blob of each residue in its chain, -1: none.
        membership: (N,) as of :class:`~bioblobs.models.partitioner.Blobs`.
        importance: (P, S) of each blob.
        mask: (P, S) True on real blobs.
    """

    chances: Floats
    assignment: NDArray[np.int64]
    membership: Floats
    importance: Floats
    mask: NDArray[np.bool_]

    @property
    def target(self) -> NDArray[np.int64]:
        """(P,) the most probable class."""
        return self.chances.argmax(1)

    def sizes(self, chains: Chains) -> NDArray[np.int64]:
        """(P, S) residues of each blob."""
        inside = self.assignment >= 0
        slot = chains.protein[inside] * self.mask.shape[1] + self.assignment[inside]
        return np.bincount(slot, minlength=self.mask.size).reshape(self.mask.shape)

    def of_residues(self, chains: Chains, importance: Floats | None = None) -> Floats:
        """(N,) importance of each residue's blob, 0 outside every blob."""
        values = self.importance if importance is None else importance
        return np.where(self.assignment >= 0, values[chains.protein, self.assignment], 0.0)


@torch.inference_mode()
def explain(model: BioBlobs, chains: Chains, coordinates: NDArray[np.float32] | None = None) -> Explained:
    """Predict all chains, at these (N, 4, 3) coordinates or at the store's."""
    model.eval()
    made: list[Prediction] = [model(batch) for batch in chains.batches(coordinates=coordinates)]
    multilabel = chains.store.multilabel
    return Explained(
        chances=np.concatenate([probabilities(each.logits, multilabel) for each in made]),
        assignment=torch.cat([each.blobs.assignment for each in made]).numpy(),
        membership=torch.cat([each.blobs.membership for each in made]).double().numpy(),
        importance=torch.cat([each.importance for each in made]).double().numpy(),
        mask=torch.cat([each.blobs.mask for each in made]).numpy(),
    )


@torch.inference_mode()
def chances(model: BioBlobs, chains: Chains, kept: NDArray[np.bool_], target: NDArray[np.int64]) -> Floats:
    """(P,) probability of each chain's ``target`` class where only the kept (N,) residues are there."""
    multilabel = chains.store.multilabel
    made = [probabilities(model(batch).logits, multilabel) for batch in chains.batches(kept)]
    return np.take_along_axis(np.concatenate(made), target[:, None], 1)[:, 0]
