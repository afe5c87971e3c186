"""Rankings of residues by their blob's contribution and by controls, and where they put annotated residues.

P chains, N residues, S blob slots.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from bioblobs.faithfulness.chains import Chains
from bioblobs.faithfulness.rankings import Ranking, by_score, exchanged, patches
from bioblobs.faithfulness.site_controls import Background, control_scores
from bioblobs.inference.explained import Explained, Floats

CONTRIBUTION = "contribution"
BOTH = "depth_and_type"
DRAWS = 10
"""Of each random control; their mean is reported."""


@dataclass
class Scored:
    """A score per residue, and the order that it makes of each chain's residues.

    Attributes:
        score: (N,) higher first; residues of one blob are alike.
        place: (N,) with ties broken: blob after blob, or at random.
    """

    score: Floats
    place: Ranking


def site_rankings(
    chains: Chains,
    explained: Explained,
    untrained: Iterable[Explained],
    background: Background | None,
    seed: int,
) -> dict[str, list[Scored]]:
    """Contribution first, then every control: one ranking each, or several where there is chance in it.

    Args:
        untrained: what models with fresh weights say of the same chains.
    """
    mask, own = explained.mask, explained.contribution

    def blobs(assignment: NDArray[np.int64], values: Floats, rng: np.random.Generator) -> Scored:
        inside = assignment >= 0
        score = np.where(inside, values[chains.protein, assignment], 0.0)
        return Scored(score, chains.order(~inside, -score, assignment, rng.random(len(inside))))

    def rngs(stream: int) -> list[np.random.Generator]:
        return [np.random.default_rng([seed, stream, draw]) for draw in range(DRAWS)]

    sizes = explained.sizes
    made = {CONTRIBUTION: [blobs(explained.assignment, own, np.random.default_rng([seed, 20]))]}
    controls = control_scores(chains, background)
    for name, score in controls.items():
        made[name] = [Scored(score, by_score(chains, score, np.random.default_rng([seed, 21])))]
    if BOTH in controls:
        of_blobs = blob_means(chains, explained, controls[BOTH])
        made[f"{BOTH}_of_blobs"] = [blobs(explained.assignment, of_blobs, np.random.default_rng([seed, 25]))]
    made["random_patches"] = [blobs(patches(chains, sizes, rng), own, rng) for rng in rngs(22)]
    made["exchanged"] = [blobs(explained.assignment, exchanged(own, mask, rng), rng) for rng in rngs(23)]
    rng = np.random.default_rng([seed, 24])
    made["untrained_model"] = [blobs(each.assignment, each.contribution, rng) for each in untrained]
    return made


def blob_means(chains: Chains, explained: Explained, score: Floats) -> Floats:
    """(P, S) mean score (N,) of each blob's residues, moved so that all real blobs are above 0.

    A residue's own score tells the residues of a blob apart, which a contribution cannot; the mean does not.
    """
    inside = explained.assignment >= 0
    slot = chains.protein[inside] * explained.mask.shape[1] + explained.assignment[inside]
    total = np.bincount(slot, score[inside], minlength=explained.mask.size).reshape(explained.mask.shape)
    mean = total / np.maximum(explained.sizes, 1)
    return np.where(explained.mask, 1 + mean - mean.min(), 0.0)


def roc_areas(chains: Chains, score: Floats, site: NDArray[np.bool_]) -> Floats:
    """(P,) area under the ROC curve of sites (N,) ranked by score (N,), ties counted half.

    NaN where all residues of a chain are sites, or none.
    """
    cuts = chains.starts[1:-1]
    pairs = zip(np.split(site, cuts), np.split(score, cuts), strict=True)
    return np.array([roc_auc_score(a, b) if 0 < a.sum() < len(a) else np.nan for a, b in pairs])


def share_held(chains: Chains, place: Ranking, count: NDArray[np.int64], site: NDArray[np.bool_]) -> Floats:
    """(P,) share of a chain's sites among its first ``count`` (P,) residues; NaN without a site."""
    sites = np.bincount(chains.protein[site], minlength=len(chains))
    first = site & (place < count[chains.protein])
    held = np.bincount(chains.protein[first], minlength=len(chains))
    return np.divide(held, sites, out=np.full(len(chains), np.nan), where=sites > 0)


def residues_of_best(chains: Chains, explained: Explained, most: int) -> NDArray[np.int64]:
    """(P, most) residues in the one, two, ... blobs that contribute most, or in all if there are fewer."""
    value = np.where(explained.mask, explained.contribution, -np.inf)
    order = np.argsort(-value, axis=1, kind="stable")
    sizes = np.take_along_axis(explained.sizes, order, 1).cumsum(1)
    return sizes[:, np.minimum(np.arange(most), sizes.shape[1] - 1)]
