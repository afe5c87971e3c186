"""Neighbour lists of one protein from its C-alphas, made without torch when data are prepared."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

PADDING = -1


def neighbour_lists(ca: NDArray[np.floating], edge_types: str) -> NDArray[np.int32]:
    """Find the neighbours of each residue, nearest first, without itself.

    Args:
        ca: (L, 3) C-alpha coordinates in angstrom.
        edge_types: ``knn_K``: the K nearest; ``eps_R``: all within R angstrom.

    Returns:
        (L, k) rows of the neighbours; :data:`PADDING` where there are fewer than k. For ``knn_K`` k is K;
        for ``eps_R`` it is the largest number of neighbours in this protein, at least one.
    """
    kind, value = edge_types.split("_")
    length = len(ca)
    if kind == "knn":
        k = int(value)
        found = cKDTree(ca).query(ca, k=min(k + 1, length))[1].reshape(length, -1)
        return _without_self(found.astype(np.int32), k)
    pairs = cKDTree(ca).query_pairs(float(value), output_type="ndarray")
    source = np.concatenate([pairs[:, 1], pairs[:, 0]])
    target = np.concatenate([pairs[:, 0], pairs[:, 1]])
    order = np.lexsort((np.linalg.norm(ca[source] - ca[target], axis=1), target))
    source, target = source[order], target[order]
    counts = np.bincount(target, minlength=length)
    place = np.arange(len(target)) - np.repeat(counts.cumsum() - counts, counts)
    lists = np.full((length, int(counts.max(initial=1))), PADDING, np.int32)
    lists[target, place] = source
    return lists


def _without_self(found: NDArray[np.int32], k: int) -> NDArray[np.int32]:
    """Drop each residue from its own list (or the last entry, where coinciding C-alphas hid it)."""
    length, width = found.shape
    is_self = found == np.arange(length)[:, None]
    is_self[~is_self.any(1), -1] = True
    lists = np.full((length, k), PADDING, np.int32)
    lists[:, : width - 1] = found[~is_self].reshape(length, width - 1)
    return lists


def mutual_edges(lists: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Tell where the neighbour lists the residue as well, (L, k); False on padding."""
    real = lists != PADDING
    back = lists[np.where(real, lists, 0)]  # (L, k, k)
    return (back == np.arange(len(lists))[:, None, None]).any(-1) & real
