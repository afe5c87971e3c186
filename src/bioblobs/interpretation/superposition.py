"""Superposition of C-alphas around a code's seeds, compared with blobs of other codes.

Windows of 15 residues around the seeds are superposed in pairs by Biotite (Kabsch 1976). How tight a code
is, is the mean RMSD over its pairs, compared with that of sets of as many blobs of other codes: once drawn
from any, once from seeds of the same secondary structure, because two helices superpose whatever their code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import biotite.structure as struc
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from bioblobs.interpretation.motif import WIDTH, windows
from bioblobs.interpretation.overlay import moves_onto
from bioblobs.interpretation.residues import Residues

MEMBERS = 30
"""Blobs of a code that are superposed, at most; drawn at random, one per protein."""
POOL = 600
"""Blobs that the control sets are drawn from, at most."""
SETS = 999
"""Control sets behind a p-value."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pool:
    """n blobs drawn from all: their codes, secondary structure of the seeds, and RMSD (n, n)."""

    codes: NDArray[np.int64]
    structure: NDArray[np.int64]
    rmsd: Floats


def superpose_windows(residues: Residues, members: pd.DataFrame, seed: int) -> dict[int, dict[str, Any]]:
    """For each code with two proteins or more whose windows are unbroken (schema: ``windows``).

    Blobs are named by their row of ``members``. P-values are one-sided (as tight as this or tighter),
    Benjamini-Hochberg corrected over the codes.
    """
    at = residues.offsets[members["protein"].to_numpy(int)] + members["seed"].to_numpy(int)
    around = windows(residues, at)
    whole = (around >= 0).all(1)
    blobs = members.assign(structure=residues.structure[at]).iloc[np.flatnonzero(whole)]
    traces = residues.ca[around[whole]]
    pool = _draw_pool(blobs, traces, np.random.default_rng(seed))
    places = pd.Series(np.arange(len(blobs)))
    found: dict[int, dict[str, Any]] = {}
    for code, group in places.groupby(blobs["code"].to_numpy(int)):
        rng = np.random.default_rng([seed, int(str(code))])
        chosen = one_per_protein(blobs["protein"].to_numpy(int), group.to_numpy(), MEMBERS, rng)
        if len(chosen) < 2:
            continue
        rmsd = rmsd_matrix(traces[chosen])
        middle, median = medoid(rmsd)
        mean = float(mean_of_pairs(rmsd))
        structure = blobs["structure"].to_numpy()[chosen]
        found[int(str(code))] = {
            "members": len(chosen),
            "residues": WIDTH,
            "medoid": int(blobs.index[chosen[middle]]),
            "median_rmsd": round(median, 3),
            "mean_rmsd": round(mean, 3),
            "other_codes": _compare(pool, int(str(code)), mean, structure, False, rng),
            "same_structure": _compare(pool, int(str(code)), mean, structure, True, rng),
            "overlay": [
                (int(blobs.index[chosen[place]]), move)
                for place, move in moves_onto(traces[chosen], middle, rmsd[middle])
            ],
        }
    for control in ("other_codes", "same_structure"):
        _correct([entry[control] for entry in found.values() if entry[control]])
    return found


def one_per_protein(
    protein: NDArray[np.int64], group: NDArray[np.int64], most: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """At most ``most`` of the places ``group``, drawn at random, no two of one protein."""
    shuffled = rng.permutation(group)
    first = np.sort(np.unique(protein[shuffled], return_index=True)[1])
    return shuffled[first[:most]]


def rmsd_matrix(traces: NDArray[np.float32]) -> Floats:
    """(n, n) RMSD in angstrom after superposition of (n, m, 3) C-alphas."""
    found = np.zeros((len(traces), len(traces)))
    for i in range(len(traces) - 1):
        fitted, _ = struc.superimpose(traces[i], traces[i + 1 :])
        found[i, i + 1 :] = struc.rmsd(traces[i], fitted)
    return found + found.T


def medoid(rmsd: Floats) -> tuple[int, float]:
    """The one of least mean RMSD to the others, and their median RMSD to it."""
    middle = int(rmsd.sum(1).argmin())
    return middle, float(np.median(np.delete(rmsd[middle], middle)))


def mean_of_pairs(rmsd: Floats) -> Floats:
    """(...) mean of the (..., n, n) RMSD over pairs."""
    n = rmsd.shape[-1]
    return rmsd.sum((-2, -1)) / (n * (n - 1))


def _draw_pool(blobs: pd.DataFrame, traces: NDArray[np.float32], rng: np.random.Generator) -> Pool:
    drawn = rng.permutation(len(blobs))[:POOL]
    codes, structure = (blobs[name].to_numpy(int)[drawn] for name in ("code", "structure"))
    return Pool(codes, structure, rmsd_matrix(traces[drawn]))


def _compare(
    pool: Pool, code: int, mean: float, structure: NDArray[np.int64], alike: bool, rng: np.random.Generator
) -> dict[str, float] | None:
    """Mean RMSD of control sets, and p: the share of them as tight as the code; None: too few blobs.

    Args:
        structure: (n,) secondary structure of the code's seeds.
        alike: control sets have the same structures; otherwise any.
    """
    others = pool.codes != code
    groups = [(others, len(structure))]
    if alike:
        kinds, counts = np.unique(structure, return_counts=True)
        groups = [(others & (pool.structure == kind), int(n)) for kind, n in zip(kinds, counts, strict=True)]
    if any(possible.sum() < 2 * wanted for possible, wanted in groups):
        return None  # sets that hardly differ from one another would be no control
    sets = np.concatenate([_draw_sets(possible, wanted, rng) for possible, wanted in groups], 1)
    controls = mean_of_pairs(pool.rmsd[sets[:, :, None], sets[:, None, :]])
    return {
        "mean_rmsd": round(float(controls.mean()), 3),
        "p": round(float((1 + (controls <= mean).sum()) / (1 + SETS)), 4),
    }


def _draw_sets(possible: NDArray[np.bool_], wanted: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(SETS, wanted) places drawn without repeats within a set."""
    places = np.flatnonzero(possible)
    return places[rng.random((SETS, len(places))).argsort(1)[:, :wanted]]


def _correct(entries: list[dict[str, float]]) -> None:
    """Add the corrected p-value to each."""
    adjusted = false_discovery_control([entry["p"] for entry in entries]) if entries else []
    for entry, q in zip(entries, adjusted, strict=True):
        entry["p_adjusted"] = round(float(q), 4)
