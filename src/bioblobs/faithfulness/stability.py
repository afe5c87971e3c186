"""Stability of explanations under coordinate noise, and agreement of models. P chains, N residues."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from bioblobs.faithfulness.chains import Chains
from bioblobs.faithfulness.passes import explain
from bioblobs.faithfulness.statistics import Interval, mean_interval, spearman
from bioblobs.inference.device import device_of
from bioblobs.inference.explained import Explained, Floats
from bioblobs.models.bioblobs import BioBlobs

NOISES = (0.1, 0.25, 0.5)
"""Standard deviations of the coordinate noise, angstrom; the first is a good crystal structure's error."""
FROM_OUTPUT = ("readout", "codebook", "blob_encoder", "partitioner", "encoder")
"""Parts in the order in which a prediction passes them, backward; a model may lack the second and third."""


@dataclass
class Stability:
    """Two explanations of the same chains.

    Attributes:
        blobs: (P,) adjusted Rand index over residues; those in no blob count as one more group.
        importance: (P,) Spearman of the importance of residues that are in a blob in both.
        scores: (P,) Spearman of importance over all residues, 0 outside blobs.
        contribution: (P,) Spearman over all residues, 0 outside blobs, of signed contributions to the class
            that the first predicts (attention: importance).
        same_class: (P,) 1 where both predict the same class, else 0.
    """

    blobs: Floats
    importance: Floats
    scores: Floats
    contribution: Floats
    same_class: Floats

    def summary(self, seed: int) -> dict[str, Interval]:
        """Means over chains with intervals."""
        return {name: mean_interval(values, seed) for name, values in vars(self).items()}


def compare(one: Explained, other: Explained, chains: Chains) -> Stability:
    """Agreement of two explanations, chain by chain."""
    scores = [each.of_residues(each.importance) for each in (one, other)]
    signed = [each.of_residues(each.contribution_to(one.target)) for each in (one, other)]
    both = (one.assignment >= 0) & (other.assignment >= 0)
    return Stability(
        blobs=rand_index(one.assignment, other.assignment, chains),
        importance=spearman(scores[0][both], scores[1][both], chains.protein[both], len(chains)),
        scores=spearman(scores[0], scores[1], chains.protein, len(chains)),
        contribution=spearman(signed[0], signed[1], chains.protein, len(chains)),
        same_class=(one.target == other.target).astype(float),
    )


def agreements(models: Sequence[BioBlobs], chains: Chains) -> dict[str, list[float]]:
    """Agreement of each two models, mean over chains: ``contribution``, ``blobs`` and ``same_class``."""
    made = [explain(model, chains) for model in models]
    pairs = [compare(one, other, chains) for one, other in itertools.combinations(made, 2)]
    return {
        name: [pd.Series(getattr(pair, name)).mean() for pair in pairs]  # NaN left out
        for name in ("contribution", "blobs", "same_class")
        if pairs
    }


def rand_index(one: NDArray[np.int64], other: NDArray[np.int64], chains: Chains) -> Floats:
    """(P,) adjusted Rand index (Hubert and Arabie 1985) of two assignments (N,) of residues to blobs."""
    cuts = chains.starts[1:-1]
    pairs = zip(np.split(one, cuts), np.split(other, cuts), strict=True)
    return np.array([adjusted_rand_score(a, b) for a, b in pairs])


def shaken(chains: Chains, sigma: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """(N, 4, 3) coordinates with Gaussian noise of ``sigma`` angstrom on each axis of each atom."""
    noise = rng.normal(0, sigma, chains.coordinates.shape)
    return (chains.coordinates + noise).astype(np.float32)


def cascade(model: BioBlobs, fresh: BioBlobs) -> Iterator[tuple[str, BioBlobs]]:
    """Exchange more and more parts of a model for an untrained one's (Adebayo et al. 2018).

    Each comes with the name of the part that was exchanged last; the last model is untrained as a whole.
    """
    mixed = copy.deepcopy(model).eval()
    fresh = copy.deepcopy(fresh).eval().to(device_of(model))
    fresh.partitioner.tau.copy_(model.partitioner.tau)  # a setting of the schedule, not a weight
    for part in FROM_OUTPUT:
        if getattr(model, part) is not None:
            setattr(mixed, part, getattr(fresh, part))
            yield part, mixed
