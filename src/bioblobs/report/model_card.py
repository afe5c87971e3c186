"""The card of a model as rows of a page: what it was trained for and on, and how good it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bioblobs.report.plain import as_text

SCORES = 2
"""Test scores that a card shows."""


def model_card(model: Mapping[str, Any]) -> list[list[str]]:
    """(title, text) of what ``model`` of predictions.json says; empty for a model without test scores.

    Keys that it lacks are left out: it may be of an older version.
    """
    if "test" not in model:
        return []
    training = model.get("training") or {}
    chains, length = training.get("chains") or {}, training.get("length") or {}
    lengths = f"{length['shortest']} to {length['longest']} residues" if "longest" in length else None
    scores = list((model["test"] or {}).items())[:SCORES]
    rows = [
        ("Model", model.get("file")),
        ("Task", model.get("task_title") or model.get("task")),
        ("Trained on", f"{chains['train']:,} chains" if chains.get("train") else None),
        ("Their lengths", lengths),
        ("Split", (model.get("split_column") or "").replace("_", " ")),
        ("Test chains", model.get("test_proteins")),
        ("Temperature (calibrated)", model.get("temperature")),
        *((f"Test {name.replace('_', ' ')}", score) for name, score in scores),
    ]
    return [[title, as_text(value)] for title, value in rows if value not in (None, "")]
