"""The codebook in two dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA


def codebook_map(vectors: NDArray[np.float32], distance: str) -> dict[str, Any]:
    """Principal components of the codes' vectors.

    PCA, since it is linear and has nothing to tune: what is near on the map may be far in the codebook, never
    the reverse, and the share of variance says how much is lost.

    Args:
        vectors: (K, D).
        distance: "l2" or "cos", as the codebook compares them.

    Returns:
        ``points``, (K, 2) scaled to the unit square's longer side, and ``explained``, the share of each axis.
    """
    codes = vectors.astype(np.float64)
    if distance == "cos":
        codes = codes / np.maximum(np.linalg.norm(codes, axis=1, keepdims=True), 1e-12)
    if min(codes.shape) < 2 or not np.ptp(codes, axis=0).any():
        return {"points": [[0.0, 0.0]] * len(codes), "explained": [0.0, 0.0]}
    fitted = PCA(2, svd_solver="full").fit(codes)
    points = fitted.transform(codes)
    points /= max(float(np.abs(points).max()), 1e-12)
    explained = np.round(fitted.explained_variance_ratio_, 4)
    return {"points": np.round(points, 4).tolist(), "explained": explained.tolist()}
