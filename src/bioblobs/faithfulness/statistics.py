"""Rank correlations within each chain, and means over chains with intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import bootstrap

from bioblobs.inference.explained import Floats

Interval = dict[str, float | None]
RESAMPLES = 2000
DIGITS = 5


def mean_interval(values: Floats, seed: int) -> Interval:
    """Mean over chains with a percentile bootstrap 95 % interval; undefined (NaN) ones are left out.

    All three are None where there is none; the interval is where there is only one.
    """
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return {"value": _round(values[0]) if len(values) else None, "low": None, "high": None}
    found = bootstrap(
        (values,), np.mean, n_resamples=RESAMPLES, method="percentile", rng=np.random.default_rng(seed)
    ).confidence_interval
    return {"value": _round(values.mean()), "low": _round(found.low), "high": _round(found.high)}


def spearman(one: Floats, other: Floats, group: NDArray[np.int64], groups: int) -> Floats:
    """(groups,) Spearman's rank correlation within each group; NaN where a side is constant or too short.

    Args:
        one, other: (M,) values, without NaN.
        group: (M,) group of each pair.
    """
    ranks = [pd.Series(values).groupby(group).rank().to_numpy(np.float64) for values in (one, other)]
    count = np.maximum(np.bincount(group, minlength=groups), 1).astype(np.float64)

    def total(values: NDArray[np.floating]) -> Floats:
        return np.bincount(group, values, minlength=groups).astype(np.float64)

    a, b = (np.asarray(rank - (total(rank) / count)[group]) for rank in ranks)
    scale = np.sqrt(total(a * a) * total(b * b))
    return np.divide(total(a * b), scale, out=np.full(groups, np.nan), where=scale > 0)


def _round(value: float) -> float:
    return round(float(value), DIGITS)
