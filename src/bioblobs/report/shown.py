"""Which proteins a page of limited size shows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def shown_rows(count: int, most: int, seed: int) -> NDArray[np.int64]:
    """Ascending places of the proteins shown: all, or ``most`` drawn at random, whatever was predicted."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, most, replace=False))
