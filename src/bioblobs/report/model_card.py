"""The card of a model as rows of a page: what it was trained for and on, and how good it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bioblobs.report.plain import as_text

SCORES = 2
"""Test scores that a card shows."""


def best_baseline(card: Mapping[str, Any]) -> tuple[str, float, bool] | None:
    """Name and first test score of the best baseline, and whether the model is above it; None: not known."""
    name, baselines = "fmax" if card.get("multilabel") else "accuracy", card.get("baselines")
    if not baselines or name not in (card.get("test") or {}):
        return None
    best, key = max((scores[name]["value"], key) for key, scores in baselines.items())
    return key.replace("_", " "), best, card["test"][name]["value"] > best


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
    rows: list[tuple[str, Any]] = [
        ("Model", model.get("file")),
        ("Task", model.get("task_title") or model.get("task")),
        ("Trained on", f"{chains['train']:,} chains" if chains.get("train") else None),
        ("Their lengths", lengths),
        ("Split", (model.get("split_column") or "").replace("_", " ")),
        ("Test chains", model.get("test_proteins")),
        ("Temperature (calibrated)", model.get("temperature")),
        *((f"Test {name.replace('_', ' ')}", score) for name, score in scores),
        *_compared(model),
    ]
    return [[title, as_text(value)] for title, value in rows if value not in (None, "")]


def _compared(model: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Best baseline, with a warning where the model is not above it; and the calibration error."""
    rows = []
    if found := best_baseline(model):
        key, best, above = found
        warning = "" if above else " - this model is no better"
        rows.append(("Best baseline", f"{key}, {best:.3f}{warning}"))
    if measured := model.get("calibration"):
        done = model.get("temperature") is not None
        text = f"{measured['ece_scaled' if done else 'ece']:.3f}"
        more = "" if done else f" ({measured['ece_scaled']:.3f} with --calibrated)"
        rows.append(("Calibration error", text + more))
    return rows
