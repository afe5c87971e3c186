"""Test scores beside baselines, and in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bioblobs.io import interval

PREDICTORS = {
    "stage1": "BioBlobs, fine-tuned (stage 1)",
    "stage1_scaled": "the same, after temperature scaling",
    "stage0": "BioBlobs, baseline (stage 0)",
    "stage0_scaled": "stage 0 after temperature scaling",
    "mean_pooling": "mean of all residues, without blobs",
    "topk_pooling": "residues that TopKPooling keeps, without blobs",
    "random_blobs": "connected blobs grown at random",
    "nearest_sequence": "class of the nearest training chain by sequence",
    "nearest_structure": "class of the nearest training chain by structure (TM-align)",
    "kmers": "logistic regression on 3-mers",
    "composition": "logistic regression on composition",
    "majority": "majority class",
}
MODEL = "stage1"
BASELINES = tuple(name for name in PREDICTORS if not name.startswith("stage"))
TITLES = {"ece": "calibration error (ECE)", "auroc": "AUROC", "fmax": "Fmax", "macro_f1": "macro F1"}
EXPLAINED = {
    "accuracy": "share of proteins whose class is right",
    "macro_precision": "of the proteins called a class, the share that are of it; mean over classes",
    "macro_recall": "of the proteins of a class, the share that were found; mean over classes",
    "macro_f1": "harmonic mean of precision and recall; mean over classes",
    "auroc": "chance that a protein of a class is ranked above one that is not; mean over classes",
    "ece": "mean gap between probability and share that is right; lower is better",
    "fmax": "best balance of precision and recall over all thresholds, protein by protein (CAFA)",
}


def score_tables(scores: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One table a score, one row per predictor: name, text, and where its interval lies from 0 to 1."""
    order = [name for name in PREDICTORS if name in scores] + [n for n in scores if n not in PREDICTORS]
    return [
        {
            "name": score_title(name),
            "explained": EXPLAINED.get(name, ""),
            "rows": [
                score_row(PREDICTORS.get(key, key.replace("_", " ")), scores[key][name], key == MODEL)
                for key in order
                if name in scores[key]
            ],
        }
        for name in scores[MODEL]
    ]


def headline(scores: Mapping[str, Any]) -> dict[str, str]:
    """The first score of the model beside the best baseline of metrics/test.json, and what follows.

    ``kind`` is "green" above the baseline, "amber" where intervals overlap, "red" below, else "unknown".
    """
    name = next(iter(scores[MODEL]))
    ours = scores[MODEL][name]
    known = [key for key in BASELINES if key in scores and scores[key][name]["value"] is not None]
    text = {
        "score": score_title(name),
        "value": interval(ours),
        "kind": "unknown",
        "verdict": "",
        "baseline": "",
    }
    if not known or ours["value"] is None:
        return text
    best = max(known, key=lambda key: scores[key][name]["value"])
    theirs = scores[best][name]
    text["baseline"] = f"{PREDICTORS[best]}: {interval(theirs)}"
    if None in (ours["low"], ours["high"], theirs["low"], theirs["high"]):
        text["verdict"] = "Too few proteins for intervals, so the two can't be told apart."
    elif ours["low"] > theirs["high"]:
        text["kind"] = "green"
        text["verdict"] = "The model is above the best baseline, and their intervals don't overlap."
    elif ours["high"] < theirs["low"]:
        text["kind"] = "red"
        text["verdict"] = "The model is below the best baseline: don't rely on it."
    else:
        text["kind"] = "amber"
        text["verdict"] = (
            "The two intervals overlap: this run doesn't show that the model beats the baseline."
        )
    return text


def best_trained(scores: Mapping[str, Any], trained: Mapping[str, Any]) -> str:
    """The best of the trained baselines beside stage 0, which differs from them in the partition alone.

    Args:
        scores: metrics/test.json.
        trained: baseline -> its scores.
    """
    name = next(iter(scores[MODEL]))
    best = max(trained, key=lambda key: trained[key][name]["value"])
    return (
        f"Best trained baseline, {PREDICTORS[best]}: {interval(trained[best][name])}, "
        f"to compare with stage 0: {interval(scores['stage0'][name])}."
    )


def score_title(name: str) -> str:
    """Name of a score in words."""
    return TITLES.get(name, name.replace("_", " "))


def score_row(title: str, score: Mapping[str, Any], model: bool = False) -> dict[str, Any]:
    """A row of page/scores.html: title, text, and where the interval lies from 0 to 1.

    Args:
        score: value, low and high; None where undefined.
        model: the row is drawn as the model's own.
    """
    value = score["value"]
    low = score["low"] if score["low"] is not None else value
    high = score["high"] if score["high"] is not None else value
    place = None if value is None else {"value": value, "low": low, "high": high}
    return {"title": title, "text": interval(score), "place": place, "model": model}
