"""The few numbers by which runs are compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bioblobs.config.schema import Config, Paths
from bioblobs.evaluation.run_summary import run_summary
from bioblobs.io import write_json
from bioblobs.stages import summary

TEST: dict[str, Any] = {
    "stage0": {"accuracy": {"value": 0.8}},
    "stage1": {"accuracy": {"value": 0.9}, "macro_recall": {"value": 0.7}},
    "stage1_scaled": {"ece": {"value": 0.1}},
    "majority": {"accuracy": {"value": 0.5}},
    "kmers": {"accuracy": {"value": 0.6}},
}
MODEL = {"recipe": {"model.head": "additive", "train.batch_size": 64}, "data": {"source": "sample"}}
SEEDS = {"made_with": MODEL, "between": {"contribution": {"mean": 0.4}}}
FAITHFULNESS = {
    "deletion_gain": {"random_blobs": {"value": 0.17}},
    "top_blob": {"more_than_random_patch": {"value": 0.2}},
    "noise": {"0.1": {"blobs": {"value": 0.57}}},
}
DATA = {"test": {"proteins": 297}}


def test_it_holds_about_ten_numbers() -> None:
    assert run_summary(TEST, FAITHFULNESS, DATA, SEEDS) == {
        "test_accuracy": 0.9,
        "test_macro_recall": 0.7,
        "stage0_accuracy": 0.8,
        "best_baseline_accuracy": 0.6,
        "deletion_gain": 0.17,
        "top_blob_more_than_patch": 0.2,
        "noise_rand_index": 0.57,
        "seed_agreement": 0.4,
        "test_chains": 297,
    }


@pytest.mark.parametrize(
    ("other", "counts"),
    [
        ({}, True),
        ({"data": {"source": "folder"}}, False),
        ({"recipe": {**MODEL["recipe"], "train.batch_size": 16}}, False),
        ({"recipe": None}, False),
    ],
)
def test_agreement_of_other_models_is_not_this_models(
    tmp_path: Path, other: dict[str, Any], counts: bool
) -> None:
    files = {"test": TEST, "faithfulness": FAITHFULNESS, "data": DATA, "seeds": SEEDS}
    for name, content in files.items():
        write_json(tmp_path / f"{name}.json", content)
    write_json(tmp_path / "interpretability/model.json", {**MODEL, **other})
    places = Paths(output=str(tmp_path), metrics=str(tmp_path))
    summary.run(Config(), places)
    assert ("seed_agreement" in json.loads((tmp_path / "summary.json").read_text())) is counts


def test_a_task_of_several_labels_is_summed_up_by_fmax() -> None:
    test = {"stage0": {}, "stage1": {"fmax": {"value": 0.6}}, "majority": {"fmax": {"value": 0.3}}}
    found = run_summary(test, {}, DATA, None)
    assert found == {"test_fmax": 0.6, "best_baseline_fmax": 0.3, "test_chains": 297}
