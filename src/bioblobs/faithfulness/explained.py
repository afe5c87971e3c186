"""A model's explanation of each chain as flat arrays, for the tests of it.

P chains, N residues, S blob slots, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bioblobs.faithfulness.chains import Chains
from bioblobs.inference.device import device_of, on_cpu
from bioblobs.inference.predict import probabilities
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
        contributions: (P, S, C) signed, of each blob to each class; None with an attention head.
        sum_error: (P,) largest difference, over the classes, of a logit from base and contributions added up;
            None with an attention head, whose logits are no such sum.
    """

    chances: Floats
    assignment: NDArray[np.int64]
    membership: Floats
    importance: Floats
    mask: NDArray[np.bool_]
    contributions: Floats | None = None
    sum_error: Floats | None = None

    @property
    def target(self) -> NDArray[np.int64]:
        """(P,) the most probable class."""
        return self.chances.argmax(1)

    @cached_property
    def contribution(self) -> Floats:
        """(P, S) signed contribution to the most probable class; with an attention head, importance."""
        return self.contribution_to(self.target)

    def contribution_to(self, target: NDArray[np.int64]) -> Floats:
        """(P, S) signed contribution to the ``target`` (P,) class of each chain; attention: importance."""
        if self.contributions is None:
            return self.importance
        return np.take_along_axis(self.contributions, target[:, None, None], 2)[:, :, 0]

    @property
    def top(self) -> NDArray[np.int64]:
        """(P,) blob that contributes most."""
        return np.where(self.mask, self.contribution, -np.inf).argmax(1)

    def sizes(self, chains: Chains) -> NDArray[np.int64]:
        """(P, S) residues of each blob."""
        inside = self.assignment >= 0
        slot = chains.protein[inside] * self.mask.shape[1] + self.assignment[inside]
        return np.bincount(slot, minlength=self.mask.size).reshape(self.mask.shape)

    def of_residues(self, chains: Chains, values: Floats) -> Floats:
        """(N,) value (P, S) of each residue's blob, 0 outside every blob."""
        return np.where(self.assignment >= 0, values[chains.protein, self.assignment], 0.0)


@torch.inference_mode()
def explain(model: BioBlobs, chains: Chains, coordinates: NDArray[np.float32] | None = None) -> Explained:
    """Predict all chains, at these (N, 4, 3) coordinates or at the store's."""
    model.eval()
    device = device_of(model)
    made: list[Prediction] = [
        on_cpu(model(batch.to(device))) for batch in chains.batches(coordinates=coordinates)
    ]
    multilabel = chains.store.multilabel
    base = on_cpu(model.base())
    added = [(each, each.contributions) for each in made if each.contributions is not None]
    return Explained(
        chances=np.concatenate([probabilities(each.logits, multilabel) for each in made]),
        assignment=torch.cat([each.blobs.assignment for each in made]).numpy(),
        membership=torch.cat([each.blobs.membership for each in made]).double().numpy(),
        importance=torch.cat([each.importance for each in made]).double().numpy(),
        mask=torch.cat([each.blobs.mask for each in made]).numpy(),
        contributions=torch.cat([each for _, each in added]).double().numpy() if added else None,
        sum_error=np.concatenate([_sum_error(each.logits, base, own, multilabel) for each, own in added])
        if base is not None
        else None,
    )


def _sum_error(logits: Tensor, base: Tensor, contributions: Tensor, multilabel: bool) -> Floats:
    """(b,) of logits (b, C), base (C,) and contributions (b, S, C).

    Where a protein has one class, all three are less their mean over classes, which softmax ignores.
    """
    logits = logits.double()
    if not multilabel:
        logits = logits - logits.mean(1, keepdim=True)
    return (logits - base.double() - contributions.double().sum(1)).abs().amax(1).numpy()


@torch.inference_mode()
def chances(model: BioBlobs, chains: Chains, kept: NDArray[np.bool_], target: NDArray[np.int64]) -> Floats:
    """(P,) probability of each chain's ``target`` class where only the kept (N,) residues are there."""
    multilabel = chains.store.multilabel
    device = device_of(model)
    made = [probabilities(model(batch.to(device)).logits, multilabel) for batch in chains.batches(kept)]
    return np.take_along_axis(np.concatenate(made), target[:, None], 1)[:, 0]
