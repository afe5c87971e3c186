"""Runs that differ in their seed: measures of each, and their spread over the seeds."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bioblobs.evaluation.run_summary import at

DIGITS = 5
MEASURES: dict[str, tuple[str, ...]] = {
    "accuracy": ("test", "stage1", "accuracy"),
    "fmax": ("test", "stage1", "fmax"),
    "macro_recall": ("test", "stage1", "macro_recall"),
    "macro_f1": ("test", "stage1", "macro_f1"),
    "stage0_accuracy": ("test", "stage0", "accuracy"),
    "stage0_macro_recall": ("test", "stage0", "macro_recall"),
    "deletion_gain": ("faithfulness", "deletion_gain", "random_blobs"),
    "insertion_gain": ("faithfulness", "insertion_gain", "random_blobs"),
    "fall_top_blob": ("faithfulness", "top_blob", "fall_top_blob"),
    "fall_random_patch": ("faithfulness", "top_blob", "fall_random_patch"),
    "masking_correlation": ("faithfulness", "masking", "correlation"),
    "top_is_costliest": ("faithfulness", "masking", "top_is_costliest"),
    "noise_blobs": ("faithfulness", "noise", "0.1", "blobs"),
    "noise_contribution": ("faithfulness", "noise", "0.1", "contribution"),
    "validation_score": ("stage_1", "val_score"),
    "validation_coverage": ("stage_1", "val_coverage"),
    "stage0_validation_score": ("stage_0", "val_score"),
}
"""Name of a measure -> file of a seed's metrics, and place in it."""
FALLS = ("fall_top_blob", "fall_random_patch")
"""Measures whose ratio is told, too."""


def measures(folder: Path) -> dict[str, Any]:
    """Read a seed's measures: {value, low, high} over proteins, or a number; undefined ones are left out."""
    names = ("test", "faithfulness", "stage_0", "stage_1")
    files = {name: json.loads((folder / "metrics" / f"{name}.json").read_text()) for name in names}
    found = {name: at(files, *place) for name, place in MEASURES.items()}
    return {name: value for name, value in found.items() if not math.isnan(_value(value))}


def over_seeds(runs: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """Mean, least and greatest value of each measure over the seeds; and the least low end of an interval.

    Over the seeds in which a measure is defined.
    """
    made: dict[str, Any] = {}
    for name in MEASURES:
        each = [run[name] for run in runs.values() if name in run]
        if not each:
            continue
        made[name] = spread([_value(entry) for entry in each])
        if isinstance(each[0], dict):
            lows = [entry["low"] for entry in each if entry["low"] is not None]
            made[name]["least_low_end"] = min(lows, default=None)
    falls = [[_value(run[name]) for name in FALLS] for run in runs.values() if {*FALLS} <= {*run}]
    made["top_blob_to_patch"] = spread([top / patch for top, patch in falls if patch])
    return made


def spread(values: Sequence[float]) -> dict[str, float | None]:
    """Mean, least and greatest; None of no value."""
    series = pd.Series(values, dtype=float).dropna()
    made = {"mean": series.mean(), "low": series.min(), "high": series.max()}
    return {name: round(float(value), DIGITS) if len(series) else None for name, value in made.items()}


def table(runs: Mapping[int, Mapping[str, Any]]) -> pd.DataFrame:
    """One row per measure and seed, for the plot."""
    rows = [
        {"measure": name.replace("_", " "), "seed": seed, "value": _value(entry)}
        for seed, values in runs.items()
        for name, entry in values.items()
    ]
    return pd.DataFrame(rows)


def _value(entry: Any) -> float:
    value = entry["value"] if isinstance(entry, dict) else entry
    return math.nan if value is None else float(value)
