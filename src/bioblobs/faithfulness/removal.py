"""Curves of every ranking, and the removal of the most important blob.

P chains, N residues, G shares.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.stats import wilcoxon

from bioblobs.faithfulness.chains import Chains
from bioblobs.faithfulness.curves import (
    DELETED,
    INSERTED,
    Chance,
    area,
    deletion_curve,
    insertion_curve,
    mirrored,
)
from bioblobs.faithfulness.passes import chances
from bioblobs.faithfulness.rankings import (
    Ranking,
    at_random,
    by_blobs,
    by_contribution,
    by_score,
    exchanged,
    patches,
)
from bioblobs.inference.explained import Explained, Floats
from bioblobs.models.bioblobs import BioBlobs

IMPORTANCE = "importance"
RANDOM_RESIDUES = "random_residues"


@dataclass
class Curves:
    """Deletion and insertion curves (P, G) of one ranking."""

    deletion: Floats
    insertion: Floats

    @property
    def deletion_area(self) -> Floats:
        """(P,) lower: what was removed first mattered."""
        return area(self.deletion, DELETED)

    @property
    def insertion_area(self) -> Floats:
        """(P,) higher: what was put in first sufficed."""
        return area(self.insertion, INSERTED)


def rankings(
    chains: Chains, explained: Explained, gradients: Floats, untrained: Explained, seed: int
) -> dict[str, Ranking]:
    """Residues by contribution, and by everything that it is held against, random residues apart.

    ``importance`` is the name of the first: importance is the positive share of contributions, so it ranks
    blobs that argue for a class as they do; those that argue against come last.

    Args:
        gradients: (N,) scores of an attribution method.
        untrained: what a model with fresh weights says of the same chains.
    """

    def rng(stream: int) -> np.random.Generator:  # one each, so that another ranking more changes none
        return np.random.default_rng([seed, stream])

    dealt = exchanged(explained.contribution, explained.mask, rng(1))
    anywhere = patches(chains, explained.sizes, rng(2))
    return {
        IMPORTANCE: by_contribution(chains, explained, rng(0)),
        "random_blobs": by_blobs(chains, explained.assignment, dealt, explained.membership, rng(0)),
        "random_patches": by_blobs(
            chains, anywhere, explained.contribution, rng(3).random(len(anywhere)), rng(0)
        ),
        "gradients": by_score(chains, gradients, rng(4)),
        "untrained_model": by_contribution(chains, untrained, rng(5)),
    }


def curves(
    model: BioBlobs, chains: Chains, explained: Explained, ranked: dict[str, Ranking], seed: int
) -> dict[str, Curves]:
    """The curves of every ranking, and of random residues."""
    chance: Chance = partial(chances, model, chains, target=explained.target)
    whole = explained.chances.max(1)
    made = {
        name: Curves(
            deletion_curve(chance, chains, ranking, whole), insertion_curve(chance, chains, ranking, whole)
        )
        for name, ranking in ranked.items()
    }
    order = at_random(chains, np.random.default_rng([seed, 6]))
    random = deletion_curve(chance, chains, order, whole)
    return {**made, RANDOM_RESIDUES: Curves(random, mirrored(random))}


def top_blob(
    model: BioBlobs, chains: Chains, explained: Explained, repeats: int, seed: int
) -> dict[str, Floats]:
    """(P,) fall in probability without the blob that contributes most, and without as many other residues.

    The others: residues at random, or a patch put anywhere; the mean of ``repeats`` draws of each.
    NaN where that blob is the whole chain.
    """
    place = np.arange(len(chains))
    best = explained.top
    removed = explained.assignment == best[chains.protein]
    size = explained.sizes[place, best]
    whole, usable = explained.chances.max(1), size < chains.lengths

    def fall(gone: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Floats:
        kept = ~gone | ~usable[chains.protein]
        return np.where(usable, whole - chances(model, chains, kept, explained.target), np.nan)

    rngs = [np.random.default_rng([seed, 7, repeat]) for repeat in range(repeats)]
    residues = [fall(at_random(chains, rng) < size[chains.protein]) for rng in rngs]
    anywhere = [fall(patches(chains, size[:, None], rng) == 0) for rng in rngs]
    return {
        "fall_top_blob": fall(removed),
        "fall_random_residues": np.mean(residues, axis=0),
        "fall_random_patch": np.mean(anywhere, axis=0),
    }


def signed_rank(difference: Floats) -> float:
    """p of Wilcoxon's signed-rank test that differences are above zero; 1 where all are zero."""
    difference = difference[np.isfinite(difference)]
    if not np.any(difference):
        return 1.0
    return float(f"{wilcoxon(difference, alternative='greater').pvalue:.4g}")
