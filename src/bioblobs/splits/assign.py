"""Assign chains to train, val and test: whole clusters, sizes near the wanted shares, classes balanced."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from tqdm import tqdm

from bioblobs.errors import BioBlobsError
from bioblobs.similarity.by_sequence import identity_hits, sequence_tool
from bioblobs.similarity.by_structure import structure_links, structure_tool
from bioblobs.splits import SPLITS

THRESHOLDS = {
    "sequence": (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    "structure": (0.5, 0.6, 0.7, 0.8, 0.9),
}
"""Values of data.split_similarity_threshold by kind of split, ProteinShake's."""
TOLERANCE = 0.05
"""Shares that are off by more are pointed out."""


@dataclass(frozen=True)
class SplitPlan:
    """Split of each of P chains, and the reasons.

    Attributes:
        splits: (P,) "train", "val" or "test".
        clusters: (P,) cluster that the chain is in; no cluster is in two splits.
        tool: what found the clusters: "mmseqs", "opal", "foldseek", "tmalign", or "" for random.
        summary: one line for people.
        warning: one line where the shares could not be kept, else "".
    """

    splits: list[str]
    clusters: NDArray[np.int64]
    tool: str
    summary: str
    warning: str


def assign_splits(
    sequences: Sequence[str],
    ca: Sequence[NDArray[np.float32]],
    labels: Sequence[tuple[str, ...]],
    kind: str,
    threshold: float,
    fractions: Sequence[float],
    seed: int,
) -> list[str]:
    """Assign each chain to a split; print to stderr which tool decided, and whether the shares were kept.

    Args:
        sequences: one-letter sequence of each chain.
        ca: (L, 3) C-alphas of each chain in angstrom, NaN where missing; read once, by structure only.
        labels: classes of each chain, for the balance.
        kind: "random", "sequence" or "structure" (data.split).
        threshold: highest similarity between splits; not used by random (data.split_similarity_threshold).
        fractions: shares of train, val and test (data.split_fractions).
        seed: of the order of clusters of one size (data.seed).

    Raises:
        BioBlobsError: a threshold that is none of :data:`THRESHOLDS`, too few clusters, or no tool.
    """
    plan = plan_splits(sequences, ca, labels, kind, threshold, fractions, seed)
    for line in filter(None, (plan.summary, plan.warning)):
        tqdm.write(line, file=sys.stderr)
    return plan.splits


def plan_splits(
    sequences: Sequence[str],
    ca: Sequence[NDArray[np.float32]],
    labels: Sequence[tuple[str, ...]],
    kind: str,
    threshold: float,
    fractions: Sequence[float],
    seed: int,
) -> SplitPlan:
    """Return the assignment with its clusters and tool; arguments as in :func:`assign_splits`."""
    threshold = check_threshold(kind, threshold)
    links, tool = [identical(sequences)], ""
    if kind == "sequence":
        tool = sequence_tool()
        hits = identity_hits(sequences, tool=tool).at_least(threshold)
        links.append((hits.query, hits.target))
    elif kind == "structure":
        tool = structure_tool()
        hits = structure_links(sequences, list(ca), threshold, tool)
        links.append((hits.query, hits.target))
    clusters = single_linkage(len(sequences), links)
    split = distribute(clusters, labels, fractions, seed)
    by = f"{kind} at {threshold:g}, by {tool}" if tool else "random"
    largest = np.bincount(clusters).max() if len(clusters) else 0
    summary = f"split ({by}): {clusters.max() + 1} clusters of {len(clusters)} chains, the largest {largest}"
    names = [SPLITS[index] for index in split]
    return SplitPlan(names, clusters, tool, summary, _missed(split, fractions, largest))


def distribute(
    clusters: NDArray[np.int64], labels: Sequence[tuple[str, ...]], fractions: Sequence[float], seed: int
) -> NDArray[np.int64]:
    """Assign clusters, largest first, to the split furthest below its target; (P,) split index per chain.

    Each cluster goes to the split where it lowers the sum of (count - wanted)^2 / wanted over classes and
    chains most: a greedy descent on the chi-squared statistic. Clusters of one size come in an order drawn
    from ``seed``.

    Raises:
        BioBlobsError: fewer clusters than splits.
    """
    counts, sizes = _contents(clusters, labels)
    if len(sizes) < len(fractions):
        raise BioBlobsError(
            f"data.split: {len(sizes)} clusters of alike chains among {len(clusters)} cannot fill "
            f"{len(fractions)} splits; raise data.split_similarity_threshold, or use data.split=random"
        )
    share = np.asarray(fractions, float)
    missing = share[:, None] * counts.sum(0)  # (splits, classes): what is still wanted
    weight = 1 / (share[:, None] * counts.sum(0).clip(min=1))
    random = np.random.default_rng(seed).permutation(len(sizes))
    chosen = np.empty(len(sizes), np.int64)
    for cluster in random[np.argsort(-sizes[random], kind="stable")]:
        change = (weight * counts[cluster] * (counts[cluster] - 2 * missing)).sum(1)
        chosen[cluster] = change.argmin()
        missing[chosen[cluster]] -= counts[cluster]
    _fill_empty(chosen, sizes, len(share))
    return chosen[clusters]


def _contents(
    clusters: NDArray[np.int64], labels: Sequence[tuple[str, ...]]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(clusters, classes + 1) chains of each class, and of any in the last column; sizes of the clusters."""
    names = sorted({label for chain in labels for label in chain})
    index = {name: column for column, name in enumerate(names)}
    sizes = np.bincount(clusters)
    counts = np.zeros((len(sizes), len(names) + 1))
    pairs = [
        (cluster, index[label]) for cluster, chain in zip(clusters, labels, strict=True) for label in chain
    ]
    if pairs:
        np.add.at(counts, tuple(np.array(pairs).T), 1)
    counts[:, -1] = sizes
    return counts, sizes


def _fill_empty(chosen: NDArray[np.int64], sizes: NDArray[np.int64], splits: int) -> None:
    """Give a split that got nothing the smallest cluster of the split that has most clusters, in place."""
    for split in range(splits):
        if not (chosen == split).any():
            donor = np.bincount(chosen, minlength=splits).argmax()
            own = np.flatnonzero(chosen == donor)
            chosen[own[sizes[own].argmin()]] = split


def check_threshold(kind: str, threshold: float) -> float:
    """Return the threshold of a split that is made here; 0 for random.

    Raises:
        BioBlobsError: it is none of :data:`THRESHOLDS`.
    """
    allowed = THRESHOLDS.get(kind, ())
    for value in allowed:
        if abs(value - threshold) < 1e-9:
            return value
    if not allowed:
        return 0.0
    listed = ", ".join(f"{value:g}" for value in allowed)
    raise BioBlobsError(
        f"data.split_similarity_threshold: expected one of {listed} for data.split={kind}; got {threshold:g}"
    )


def _missed(split: NDArray[np.int64], fractions: Sequence[float], largest: int) -> str:
    got = np.bincount(split, minlength=len(SPLITS)) / max(len(split), 1)
    if np.abs(got - np.asarray(fractions)).max() <= TOLERANCE:
        return ""
    asked = ", ".join(f"{value:.0%}" for value in fractions)
    found = ", ".join(f"{value:.0%}" for value in got)
    return (
        f"warning: the splits have {found} of the chains, data.split_fractions asks for {asked}: "
        f"clusters stay whole, and the largest has {largest} of {len(split)} chains"
    )


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
