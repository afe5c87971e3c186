"""Summaries of a run: its checkpoints, and the few numbers by which runs are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

NOISE = "0.1"
"""Angstrom of the noise that the summary quotes: the coordinate error of a good crystal structure."""


def checkpoint_summary(
    final: Path, stages: Sequence[Path], cards: Sequence[Mapping[str, Any]], scores: Mapping[str, Any]
) -> dict[str, Any]:
    """Describe the final model and the checkpoints of both stages.

    Args:
        final: file of the final model.
        stages: final checkpoint of each stage.
        cards: card of each stage's final checkpoint.
        scores: test scores by predictor.
    """
    summary: dict[str, Any] = {"final_model": final.name}
    for stage, (path, card) in enumerate(zip(stages, cards, strict=True)):
        folder = path.parent
        best = sorted(folder.glob(f"best-stage{stage}-*.ckpt"))
        summary[f"stage_{stage}"] = {
            "best": f"{folder.name}/{best[0].name}" if best else None,
            "last": f"{folder.name}/last.ckpt",
            "final": f"{folder.name}/{path.name}",
            "epoch": card["epoch"],
            "validation": card["validation"],
            "test": scores[f"stage{stage}"],
        }
    return summary | {
        "baselines": {name: own for name, own in scores.items() if not name.startswith("stage")}
    }


def run_summary(
    test: Mapping[str, Any],
    faithfulness: Mapping[str, Any],
    data: Mapping[str, Any],
    seeds: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Pick the numbers; one that was not measured is left out.

    Args:
        test: content of metrics/test.json.
        faithfulness: content of metrics/faithfulness.json.
        data: content of metrics/data.json.
        seeds: content of metrics/seeds.json if it is of this model's recipe and data; else None.
    """
    name = "fmax" if "fmax" in test["stage1"] else "accuracy"
    others = [scores for key, scores in test.items() if not key.startswith("stage")]
    baselines = [value for scores in others if (value := at(scores, name, "value")) is not None]
    found = {
        f"test_{name}": at(test, "stage1", name, "value"),
        "test_macro_recall": at(test, "stage1", "macro_recall", "value"),
        f"stage0_{name}": at(test, "stage0", name, "value"),
        f"best_baseline_{name}": max(baselines, default=None),
        "deletion_gain": at(faithfulness, "deletion_gain", "random_blobs", "value"),
        "top_blob_more_than_patch": at(faithfulness, "top_blob", "more_than_random_patch", "value"),
        "noise_rand_index": at(faithfulness, "noise", NOISE, "blobs", "value"),
        "seed_agreement": at(seeds, "between", "contribution", "mean"),
        "test_chains": at(data, "test", "proteins"),
    }
    return {key: value for key, value in found.items() if value is not None}


def at(content: Any, *keys: str) -> Any:
    """Value at the keys of nested mappings; None where one is missing."""
    for key in keys:
        content = content.get(key) if isinstance(content, Mapping) else None
    return content
