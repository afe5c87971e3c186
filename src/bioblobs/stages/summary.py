"""DVC stage ``summary``: the few numbers by which runs are compared (`dvc exp show`, `make compare`)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bioblobs.config.parsing import parse
from bioblobs.config.schema import Config, Paths
from bioblobs.errors import BioBlobsError, one_line_errors
from bioblobs.io import write_json

NOISE = "0.1"
"""Angstrom of the noise that the summary quotes: the coordinate error of a good crystal structure."""


def run(config: Config, paths: Paths) -> None:
    """Write metrics/summary.json."""
    metrics = Path(paths.metrics)
    test, faithfulness, data = (_read(metrics / f"{name}.json") for name in ("test", "faithfulness", "data"))
    model = _read(Path(paths.output) / "interpretability" / "model.json")
    seeds = metrics / "seeds.json"
    numbers = summary(test, faithfulness, data, _read(seeds) if seeds.exists() else None, model)
    write_json(metrics / "summary.json", numbers)
    print(*(f"{name}: {value}" for name, value in numbers.items()), sep="\n")


def summary(
    test: Mapping[str, Any],
    faithfulness: Mapping[str, Any],
    data: Mapping[str, Any],
    seeds: Mapping[str, Any] | None,
    model: Mapping[str, Any],
) -> dict[str, Any]:
    """Pick the numbers; one that was not measured is left out.

    Args:
        test: content of metrics/test.json.
        faithfulness: content of metrics/faithfulness.json.
        data: content of metrics/data.json.
        seeds: content of metrics/seeds.json; its agreement counts if it is of this model and these data.
        model: content of outputs/interpretability/model.json.
    """
    name = "fmax" if "fmax" in test["stage1"] else "accuracy"
    others = [scores for key, scores in test.items() if not key.startswith("stage")]
    baselines = [value for scores in others if (value := _at(scores, name, "value")) is not None]
    same = seeds is not None and all(
        seeds["made_with"][key] == model[key] for key in ("architecture", "data")
    )
    found = {
        f"test_{name}": _at(test, "stage1", name, "value"),
        "test_macro_recall": _at(test, "stage1", "macro_recall", "value"),
        f"stage0_{name}": _at(test, "stage0", name, "value"),
        f"best_baseline_{name}": max(baselines, default=None),
        "deletion_gain": _at(faithfulness, "deletion_gain", "random_blobs", "value"),
        "top_blob_more_than_patch": _at(faithfulness, "top_blob", "more_than_random_patch", "value"),
        "noise_rand_index": _at(faithfulness, "noise", NOISE, "blobs", "value"),
        "seed_agreement": _at(seeds, "between", "contribution", "mean") if same else None,
        "test_chains": _at(data, "test", "proteins"),
    }
    return {key: value for key, value in found.items() if value is not None}


def _at(content: Any, *keys: str) -> Any:
    """Value at the keys; None where one is missing."""
    for key in keys:
        content = content.get(key) if isinstance(content, Mapping) else None
    return content


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BioBlobsError(f"{path}: not there; run the stage that makes it first (dvc repro)") from None
    except ValueError as error:
        raise BioBlobsError(f"{path}: not readable JSON ({error}); run its stage again") from error


def main(args: Sequence[str] | None = None) -> None:
    """Command line of the stage."""
    with one_line_errors():
        run(*parse(__doc__ or "", args))
