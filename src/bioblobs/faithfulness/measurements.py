"""Measurements of one model on one set of chains: numbers, one table row per chain, and plots' data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bioblobs.faithfulness.chains import Chains
from bioblobs.faithfulness.curves import DELETED, INSERTED
from bioblobs.faithfulness.gradients import integrated_gradients
from bioblobs.faithfulness.masking import Masking, by_rank, falls_without, masking
from bioblobs.faithfulness.passes import explain
from bioblobs.faithfulness.removal import (
    IMPORTANCE,
    RANDOM_RESIDUES,
    Curves,
    curves,
    rankings,
    signed_rank,
    top_blob,
)
from bioblobs.faithfulness.stability import NOISES, Stability, cascade, compare, shaken
from bioblobs.faithfulness.statistics import mean_interval
from bioblobs.inference.device import on_cpu
from bioblobs.inference.explained import Explained, Floats
from bioblobs.models.bioblobs import BioBlobs


@dataclass
class Report:
    """Measurements of one model.

    Attributes:
        metrics: means over chains with intervals.
        proteins: one row per chain.
        plots: table by name.
        explained: the explanation that was tested.
    """

    metrics: dict[str, Any]
    proteins: pd.DataFrame
    plots: dict[str, pd.DataFrame]
    explained: Explained


def measure(
    model: BioBlobs, untrained: BioBlobs, chains: Chains, steps: int, repeats: int, seed: int
) -> Report:
    """Put the explanations of ``model`` to the test.

    Args:
        untrained: a model of the same architecture with fresh weights.
        steps: of integrated gradients.
        repeats: random draws that the removal of the top blob is held against.
    """
    explained = explain(model, chains)
    falls = falls_without(model, chains, explained)
    hidden = masking(falls, explained)
    scores, gaps = integrated_gradients(model, chains, explained.target, steps)
    random = {part: explain(mixed, chains) for part, mixed in cascade(model, untrained)}
    ranked = rankings(chains, explained, scores, random["encoder"], seed)
    found = curves(model, chains, explained, ranked, seed)
    removal = top_blob(model, chains, explained, repeats, seed)
    noisy = _noise(model, chains, explained, seed)
    base = on_cpu(model.base())
    errors = None if base is None else explained.sum_error(base.double().numpy())
    metrics: dict[str, Any] = {
        "proteins": len(chains),
        "sum": _sum(errors),
        **areas(found, seed),
        "top_blob": _top_blob(removal, seed),
        "masking": _masking(hidden, seed),
        "gradients": _gradients(found, steps, gaps, seed),
        "untrained": {part: compare(explained, each, chains).summary(seed) for part, each in random.items()},
        "noise": {f"{sigma:g}": each.summary(seed) for sigma, each in noisy.items()},
    }
    return Report(
        metrics,
        _table(explained, errors, found, removal, hidden, noisy),
        _plots(found, by_rank(falls, explained), metrics["noise"]),
        explained,
    )


def areas(found: dict[str, Curves], seed: int) -> dict[str, Any]:
    """Mean area under each curve; and how much better importance is than each other ranking, chain by chain.

    A gain is above zero where importance is the better one, in deletion and in insertion alike.
    """
    best = found[IMPORTANCE]
    others = {name: each for name, each in found.items() if name != IMPORTANCE}
    return {
        "deletion": {name: mean_interval(each.deletion_area, seed) for name, each in found.items()},
        "insertion": {name: mean_interval(each.insertion_area, seed) for name, each in found.items()},
        "deletion_gain": {
            name: mean_interval(each.deletion_area - best.deletion_area, seed)
            for name, each in others.items()
        },
        "insertion_gain": {
            name: mean_interval(best.insertion_area - each.insertion_area, seed)
            for name, each in others.items()
        },
    }


def _sum(errors: Floats | None) -> dict[str, float | None]:
    """Error of the sum of base and contributions against the logits; null with an attention head."""
    return {"largest_error": None if errors is None else float(f"{errors.max():.3g}")}


def _gradients(found: dict[str, Curves], steps: int, gaps: Floats, seed: int) -> dict[str, Any]:
    """Score of the yardstick itself, against random residues."""
    ours, random = found["gradients"], found[RANDOM_RESIDUES]
    return {
        "steps": steps,
        "completeness_gap": mean_interval(np.abs(gaps), seed),
        "deletion_gain": mean_interval(random.deletion_area - ours.deletion_area, seed),
        "insertion_gain": mean_interval(ours.insertion_area - random.insertion_area, seed),
    }


def _top_blob(removal: dict[str, Floats], seed: int) -> dict[str, Any]:
    blob, residues, patch = removal.values()
    return {
        **{name: mean_interval(values, seed) for name, values in removal.items()},
        "more_than_random_residues": mean_interval(blob - residues, seed),
        "more_than_random_patch": mean_interval(blob - patch, seed),
        "wilcoxon_p_random_residues": signed_rank(blob - residues),
        "wilcoxon_p_random_patch": signed_rank(blob - patch),
    }


def _masking(hidden: Masking, seed: int) -> dict[str, Any]:
    return {
        "correlation": mean_interval(hidden.correlation, seed),
        "fall_top_blob": mean_interval(hidden.top, seed),
        "fall_other_blob": mean_interval(hidden.others, seed),
        "difference": mean_interval(hidden.top - hidden.others, seed),
        "top_is_costliest": mean_interval(hidden.costliest, seed),
        "top_is_costliest_by_chance": mean_interval(hidden.chance, seed)["value"],
    }


def _noise(model: BioBlobs, chains: Chains, explained: Explained, seed: int) -> dict[float, Stability]:
    rng = np.random.default_rng([seed, 8])
    return {
        sigma: compare(explained, explain(model, chains, shaken(chains, sigma, rng)), chains)
        for sigma in NOISES
    }


def _table(
    explained: Explained,
    errors: Floats | None,
    found: dict[str, Curves],
    removal: dict[str, Floats],
    hidden: Masking,
    noisy: dict[float, Stability],
) -> pd.DataFrame:
    """One row per chain: the values whose means are reported."""
    return pd.DataFrame(
        {
            "target": explained.target,
            "probability": explained.chances.max(1),
            "blobs": explained.mask.sum(1),
            "sum_error": np.nan if errors is None else errors,
            **{f"deletion_{name}": each.deletion_area for name, each in found.items()},
            **{f"insertion_{name}": each.insertion_area for name, each in found.items()},
            **removal,
            "masking_correlation": hidden.correlation,
            "masking_fall_top_blob": hidden.top,
            "masking_fall_other_blob": hidden.others,
            **{f"rand_index_{sigma:g}": each.blobs for sigma, each in noisy.items()},
        }
    )


def _plots(found: dict[str, Curves], falls: Floats, noise: dict[str, Any]) -> dict[str, pd.DataFrame]:
    deletion = {name: each.deletion.mean(0) for name, each in found.items()}
    insertion = {name: each.insertion.mean(0) for name, each in found.items()}
    names = ("blobs", "importance", "contribution")
    steady = {"sigma": [0.0, *map(float, noise)]}
    return {
        "deletion": pd.DataFrame({"removed": DELETED, **deletion}),
        "insertion": pd.DataFrame({"kept": INSERTED, **insertion}),
        "masking": pd.DataFrame({"rank": np.arange(1, len(falls) + 1), "fall": falls}).dropna(),
        "noise": pd.DataFrame(
            {**steady, **{name: [1.0, *(each[name]["value"] for each in noise.values())] for name in names}}
        ),
    }
