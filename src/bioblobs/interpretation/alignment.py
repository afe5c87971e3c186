"""Whole blobs of a code aligned in pairs by TM-align, against blobs of other codes of the same sizes.

Blobs are bundles of pieces of chain, of different sizes: which residue lies on which, TM-align (Zhang &
Skolnick 2005) finds. It knows order along the chain and shape, nothing of residue types. Its scores of such
small pieces mean little by themselves; the comparison tells.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import tmtools
from numpy.typing import NDArray

from bioblobs.interpretation.residues import Residues
from bioblobs.interpretation.superposition import one_per_protein

MEMBERS = 6
"""Blobs of a code that are aligned, at most; drawn at random, one per protein."""
SMALLEST = 5
"""Residues that TM-align needs."""
SETS = 3
"""Control sets per code."""
POOL = 2000
"""Blobs that the control sets are drawn from, at most."""
Ints = NDArray[np.int64]


def align_blobs(residues: Residues, members: pd.DataFrame, seed: int) -> dict[int, dict[str, Any]]:
    """For each code with two proteins or more whose blobs are large enough (schema: ``blobs``)."""
    blobs = members[members["size"] >= SMALLEST]
    traces = [
        residues.ca[residues.offsets[protein] + np.asarray(places)].astype(np.float64)
        for protein, places in zip(blobs["protein"], blobs["residues"], strict=True)
    ]
    codes, proteins, sizes = (blobs[name].to_numpy(np.int64) for name in ("code", "protein", "size"))
    pool = np.random.default_rng(seed).permutation(len(blobs))[:POOL]
    found: dict[int, dict[str, Any]] = {}
    for code in np.unique(codes).tolist():
        rng = np.random.default_rng([seed, code])
        chosen = one_per_protein(proteins, np.flatnonzero(codes == code), MEMBERS, rng)
        if len(chosen) < 2:
            continue
        pairs = _all_pairs([traces[i] for i in chosen])
        middle = int(pairs[:, :, 0].sum(1).argmax())
        others = pool[codes[pool] != code]
        found[code] = {
            "members": len(chosen),
            "medoid": int(blobs.index[chosen[middle]]),
            **_medians([pairs]),
            "other_codes": _control(traces, sizes, others, chosen, rng),
        }
    return found


def tm_align(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[float, float, int]:
    """TM-score (mean of both normalisations), RMSD of the aligned residues in angstrom, and their number."""
    result = tmtools.tm_align(first, second, "A" * len(first), "A" * len(second))
    aligned = sum(a != "-" and b != "-" for a, b in zip(result.seqxA, result.seqyA, strict=True))
    return (result.tm_norm_chain1 + result.tm_norm_chain2) / 2, result.rmsd, aligned


def _all_pairs(traces: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """(n, n, 3) results of :func:`tm_align` for each pair."""
    n = len(traces)
    pairs = np.zeros((n, n, 3))
    for i, j in itertools.combinations(range(n), 2):
        pairs[i, j] = pairs[j, i] = tm_align(traces[i], traces[j])
    return pairs


def _control(
    traces: list[NDArray[np.float64]], sizes: Ints, others: Ints, chosen: Ints, rng: np.random.Generator
) -> dict[str, float] | None:
    """The same of sets with sizes (nearly) those of ``chosen``, drawn from ``others``; None: too few."""
    if len(others) < 2 * len(chosen):
        return None
    sets = [_same_sizes(sizes, others, chosen, rng) for _ in range(SETS)]
    return _medians([_all_pairs([traces[i] for i in each]) for each in sets])


def _same_sizes(sizes: Ints, others: Ints, chosen: Ints, rng: np.random.Generator) -> list[int]:
    """For each of ``chosen`` one of ``others`` of the nearest size, at random, none twice."""
    left = rng.permutation(others)
    picked = []
    for place in chosen:
        nearest = int(np.abs(sizes[left] - sizes[place]).argmin())
        picked.append(int(left[nearest]))
        left = np.delete(left, nearest)
    return picked


def _medians(sets: list[NDArray[np.float64]]) -> dict[str, float]:
    """Median over the pairs of all sets."""
    above = np.triu_indices(len(sets[0]), 1)
    tm, rmsd, aligned = np.median(np.concatenate([pairs[above] for pairs in sets]), 0)
    return {
        "median_tm_score": round(float(tm), 3),
        "median_rmsd": round(float(rmsd), 3),
        "median_aligned": float(aligned),
    }
