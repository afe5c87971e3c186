"""Clusters of chains that no split may take apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def single_linkage(
    count: int, links: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]
) -> NDArray[np.int64]:
    """(count,) cluster of each chain: connected components of the graph of all links.

    Two chains of different clusters are never linked. Greedy clustering around representatives (CD-HIT,
    ``mmseqs cluster``'s default) does not promise that: members of two clusters may be more alike than
    either is to its representative.
    """
    rows = np.concatenate([np.empty(0, np.int64), *(first for first, _ in links)])
    columns = np.concatenate([np.empty(0, np.int64), *(second for _, second in links)])
    graph = coo_array((np.ones(len(rows), np.bool_), (rows, columns)), shape=(count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def identical(sequences: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Links of each chain with the first one of the same sequence."""
    _, first, which = np.unique(np.array(sequences, object), return_index=True, return_inverse=True)
    return np.arange(len(sequences)), first[which]
