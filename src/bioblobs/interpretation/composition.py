"""Amino acids and secondary structure of a code's residues, against the proteins that they lie in.

The test moves the residues that a code holds in a protein together along the chain, round its end, to a
random place; each protein moves by itself. A protein is the unit: its composition, the number and
spacing of its residues, and the length of its helices and strands stay as they are, so that residues which
are alike because they are neighbours are no evidence. (Were residues taken as independent, the length of a
helix would make any code special.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from bioblobs.interpretation.residues import STRUCTURES, Residues
from bioblobs.proteins.alphabet import SYMBOLS

MOVES = 4999
"""Random moves behind a p-value, which is then at least 2 / 5000."""
FEATURES = [("composition", symbol) for symbol in SYMBOLS] + [
    ("secondary_structure", name) for name in STRUCTURES
]


def shares(residues: Residues, at: NDArray[np.int64] | slice) -> dict[str, dict[str, float]]:
    """Share of each residue type and secondary structure that occurs among the residues ``at``."""
    found: dict[str, dict[str, float]] = {"composition": {}, "secondary_structure": {}}
    means = _features(residues, at).mean(0)
    for (feature, value), mean in sorted(zip(FEATURES, means, strict=True)):
        if mean > 0:
            found[feature][value] = round(float(mean), 4)
    return found


def against_background(
    residues: Residues, members: pd.DataFrame, seed: int, moves: int = MOVES
) -> dict[int, list[dict[str, Any]]]:
    """Test what each code holds more or less of than chance: log2 ratio, p and corrected p.

    The ratio is of residues found to residues expected, both raised by one half. Expected: the mean over
    all places along the chain. P-values are two-sided and Benjamini-Hochberg corrected over all codes and
    features together. A feature that the code's proteins lack is not tested.
    """
    tested: list[tuple[int, dict[str, Any]]] = []
    for code, part in members.groupby("code"):
        rng = np.random.default_rng([seed, int(str(code))])
        tested += [(int(str(code)), row) for row in _test(residues, part, rng, moves)]
    adjusted = false_discovery_control([row["p"] for _, row in tested]) if tested else []
    found: dict[int, list[dict[str, Any]]] = {}
    for (code, row), q in zip(tested, adjusted, strict=True):
        found.setdefault(code, []).append(
            {**row, "p": float(f"{row['p']:.4g}"), "p_adjusted": float(f"{q:.4g}")}
        )
    return found


def _test(
    residues: Residues, part: pd.DataFrame, rng: np.random.Generator, moves: int
) -> list[dict[str, Any]]:
    """One row per feature; ``part`` is the code's rows of the member table."""
    observed, expected = np.zeros((2, len(FEATURES)))
    moved = np.zeros((moves, len(FEATURES)), np.int32)
    held = 0
    for protein, blobs in part.groupby("protein"):
        places = np.concatenate([np.asarray(each, np.int64) for each in blobs["residues"]])
        counts = _counts_at_every_shift(residues, int(str(protein)), places)
        observed += counts[0]
        expected += counts.mean(0)
        moved += counts[rng.integers(len(counts), size=moves)]
        held += len(places)
    above, below = (
        (1 + (moved >= observed).sum(0)) / (1 + moves),
        (1 + (moved <= observed).sum(0)) / (1 + moves),
    )
    p = np.minimum(1, 2 * np.minimum(above, below))
    ratio = np.log2((observed + 0.5) / (expected + 0.5))
    return [
        {
            "feature": feature,
            "value": value,
            "share": round(float(observed[i] / held), 4),
            "expected": round(float(expected[i] / held), 4),
            "log2_ratio": round(float(ratio[i]), 3),
            "p": float(p[i]),
        }
        for i, (feature, value) in enumerate(FEATURES)
        if expected[i] > 0
    ]


def _counts_at_every_shift(residues: Residues, protein: int, places: NDArray[np.int64]) -> NDArray[np.int32]:
    """(L, F) how many of a protein's ``places``, moved on by 0 ... L - 1 round its end, have each feature."""
    first, last = residues.offsets[protein], residues.offsets[protein + 1]
    features = _features(residues, slice(first, last))
    length = last - first
    return features[(places[:, None] + np.arange(length)) % length].sum(0, dtype=np.int32)


def _features(residues: Residues, at: NDArray[np.int64] | slice) -> NDArray[np.bool_]:
    """(n, F) True where a residue has a feature of :data:`FEATURES`."""
    types, structure = residues.types[at], residues.structure[at]
    return np.concatenate(
        [np.eye(len(SYMBOLS), dtype=bool)[types], np.eye(len(STRUCTURES), dtype=bool)[structure]], 1
    )
