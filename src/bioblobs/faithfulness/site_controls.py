"""Scores of residues that know no model: depth, residue type, and both. Catalytic residues follow all three.

P chains, N residues. What has to be learned is learned on training chains' sites alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from sklearn.linear_model import LogisticRegression

from bioblobs.faithfulness.chains import Chains
from bioblobs.inference.explained import Floats
from bioblobs.proteins.alphabet import SYMBOLS

RADIUS = 10.0
"""Angstrom, within which a residue's neighbours are counted: the usual contact number of C-alphas."""
PSEUDO_COUNT = 0.5
"""Added to each cell of a residue type's table: a type without a site has finite log odds."""


def depth(chains: Chains) -> Floats:
    """(N,) minus the distance of each C-alpha from the centroid of its chain's, angstrom."""
    ca = chains.coordinates[:, 1].astype(np.float64)
    total = np.column_stack([np.bincount(chains.protein, axis, minlength=len(chains)) for axis in ca.T])
    return -np.linalg.norm(ca - (total / chains.lengths[:, None])[chains.protein], axis=1)


def contact_number(chains: Chains) -> Floats:
    """(N,) other C-alphas of the chain within :data:`RADIUS` of each."""
    ca = chains.coordinates[:, 1].astype(np.float64)
    apart = np.column_stack([ca, 2 * RADIUS * chains.protein])  # a fourth axis keeps chains from one another
    found = cKDTree(apart).query_ball_point(apart, RADIUS, return_length=True)
    return np.asarray(found, np.float64) - 1


@dataclass
class Background:
    """Statistics of training chains' sites, without any structure model.

    Attributes:
        log_odds: (21,) of being a site, by residue type.
        regression: logistic, on depth, contact number and residue type.
    """

    log_odds: Floats
    regression: LogisticRegression


def learn_background(chains: Chains, site: NDArray[np.bool_]) -> Background:
    """Fit to sites (N,) of training chains, of which each has one."""
    types = residue_types(chains)
    sites = np.bincount(types[site], minlength=len(SYMBOLS)) + PSEUDO_COUNT
    others = np.bincount(types[~site], minlength=len(SYMBOLS)) + PSEUDO_COUNT
    regression = LogisticRegression(max_iter=1000).fit(features(chains), site)
    return Background(np.log(sites / others), regression)


def control_scores(chains: Chains, background: Background | None) -> dict[str, Floats]:
    """(N,) each: higher where a site is likelier. Without a background, what needs none."""
    made = {"depth": depth(chains), "neighbours": contact_number(chains)}
    if background is None:
        return made
    both = background.regression.decision_function(features(chains))
    return {
        **made,
        "residue_type": background.log_odds[residue_types(chains)],
        "depth_and_type": np.asarray(both, np.float64),
    }


def features(chains: Chains) -> Floats:
    """(N, 2 + 21) depth and contact number, each in standard deviations of its chain; residue type, one-hot.

    Only differences within a chain count in a ranking of its residues, so sizes of chains are taken out.
    """
    depths = [_standardised(chains, values) for values in (depth(chains), contact_number(chains))]
    return np.column_stack([*depths, np.eye(len(SYMBOLS))[residue_types(chains)]])


def residue_types(chains: Chains) -> NDArray[np.int64]:
    """(N,) index into the residue alphabet."""
    return np.asarray(chains.store.residue_types[chains.residue], np.int64)


def _standardised(chains: Chains, values: Floats) -> Floats:
    """(N,) less the mean of the chain, by its standard deviation; 0 where all are alike."""

    def mean(each: Floats) -> Floats:
        return (np.bincount(chains.protein, each, minlength=len(chains)) / chains.lengths)[chains.protein]

    centred = values - mean(values)
    spread = np.sqrt(mean(centred**2))
    return np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 0)
