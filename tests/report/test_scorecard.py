"""Sums and the scorecard, as the page gets them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bioblobs.config.recipe import credited
from bioblobs.errors import BioBlobsError
from bioblobs.report.results import Folders, read_results
from bioblobs.report.scorecard import CLASSES, cluster_order, code_row, scorecard
from bioblobs.report.sums import page_contributions, page_sum
from bioblobs.stages.report import judge
from report.pages import CONTRIBUTIONS, EXPLANATION, LOGITS, interval
from traces import blob, chain

RECORD = chain(
    [blob(slot, slot + 1, 0.25, contributions=parts) for slot, parts in enumerate(CONTRIBUTIONS)],
    explained="c0",
    logits=LOGITS,
)


def test_the_explained_class_stands_beside_the_next_by_logit() -> None:
    shown = page_sum(RECORD, EXPLANATION["base"])
    assert shown == [{"class": "c0", "base": 0.3, "logit": 1.2}, {"class": "c1", "base": -0.2, "logit": 0.5}]
    assert page_contributions(RECORD.blobs[1], shown) == {"contributions": [1.2, -0.5]}
    less_likely = replace(RECORD, explained="c2")  # as a record says, whatever the logits
    assert [each["class"] for each in page_sum(less_likely, EXPLANATION["base"]) or []] == ["c2", "c0"]
    one_class = replace(RECORD, logits={"c0": 1.2}, blobs=[])
    assert page_sum(one_class, {"c0": 1.2}) == [{"class": "c0", "base": 1.2, "logit": 1.2}]


def test_attention_has_no_sum_and_halves_of_one_are_refused() -> None:
    attention = chain([blob(0, 1, 1.0)])
    assert page_sum(attention, None) is None
    assert page_contributions(attention.blobs[0], None) == {"contributions": None}
    for record, base in ((RECORD, None), (attention, {"c0": 0.0})):
        with pytest.raises(BioBlobsError, match="report: p: contributions and the model's base"):
            page_sum(record, base)


def coded(rows: np.ndarray) -> list[dict[str, Any]]:
    return [
        {"code": 10 + at, "evidence": {f"c{column}": float(x) for column, x in enumerate(row)}}
        for at, row in enumerate(rows)
    ]


def test_codes_that_argue_alike_are_neighbours() -> None:
    rng = np.random.default_rng(0)
    group = np.arange(12) % 3
    rows = np.eye(3)[group] * 5 + rng.normal(size=(12, 3)) * 0.1
    found = scorecard(coded(rows))
    assert found is not None
    places = np.array(found["codes"]) - 10
    assert sorted(places.tolist()) == list(range(12))
    assert np.count_nonzero(np.diff(group[places])) == 2  # each group in one piece
    np.testing.assert_allclose(found["values"], rows[places], atol=1e-4)
    assert found["largest"] == pytest.approx(np.abs(rows).max(), abs=1e-4)
    assert (found["classes"], found["more"]) == (["c0", "c1", "c2"], 0)


def test_one_outlier_leaves_the_other_codes_their_colours() -> None:
    rows = np.ones((200, 4))
    rows[7, 2] = 100
    found = scorecard(coded(rows))
    assert found is not None
    assert found["largest"] == 1


def test_of_many_classes_those_with_the_largest_entries_are_shown() -> None:
    rows = np.zeros((3, CLASSES + 9))
    rows[1, 9:] = np.linspace(-2, -1, CLASSES)
    found = scorecard(coded(rows))
    assert found is not None
    assert found["classes"] == [f"c{at}" for at in range(9, CLASSES + 9)]
    assert found["more"] == 9


@pytest.mark.parametrize("count", [1, 2])
def test_few_codes_need_no_clusters(count: int) -> None:
    assert cluster_order(np.ones((count, 3))).tolist() == list(range(count))


def test_without_evidence_there_is_no_scorecard() -> None:
    assert scorecard([{"code": 3, "evidence": None}, {"code": 4}]) is None


def test_a_row_of_many_classes_keeps_its_ends() -> None:
    assert code_row({"a": -1.0, "b": 2.0}) == {"entries": [["b", 2.0], ["a", -1.0]], "hidden": 0}
    found = code_row({f"c{at}": float(at) for at in range(40)})
    assert [value for _, value in found["entries"]] == [39, 38, 37, 36, 35, 4, 3, 2, 1, 0]
    assert found["hidden"] == 30


KEYS = {"model.head": "additive", "train.batch_size": 64}
MADE_WITH = {
    "recipe": {**KEYS, "multistage.stage1.lr": 1e-3},
    "data": {"source": "sample", "edge_types": "knn_6"},
}


def other_stages(folder: Path, **more: Any) -> Folders:
    """Folders with what other stages wrote, and metrics/NAME.json of more."""
    folders = Folders(output=folder / "o", metrics=folder / "m", plots=folder / "p")
    contents = {name: {} for name in ("data", "leakage", "test", "ablation")} | {
        "faithfulness": {"top_blob": {"more_than_random_patch": interval(0.2)}}
    }
    for name in ("o/interpretability", "m", "p"):
        (folder / name).mkdir(parents=True)
    for name, content in {**contents, **more}.items():
        (folder / "m" / f"{name}.json").write_text(json.dumps(content))
    groups = ("by_length", "by_class", "by_distance")
    tables = ("data_classes", *groups, "faithfulness_deletion", "faithfulness_insertion")
    for path in (*(folders.plots / f"{name}.csv" for name in tables), folders.mistakes):
        pd.DataFrame({"x": [1]}).to_csv(path)
    (folders.interpretability / "model.json").write_text(json.dumps(MADE_WITH))
    return folders


@pytest.mark.parametrize(
    ("agreement", "edges", "lr", "holds"),
    [
        (None, "knn_6", 1e-3, None),
        (0.7, "knn_6", 1e-3, True),
        (0.1, "knn_6", 1e-3, False),
        (0.7, "knn_9", 1e-3, None),
        (0.7, "knn_6", 1e-4, None),
    ],
)
def test_the_stage_asks_other_seeds_where_there_are_any_of_the_same_recipe(
    tmp_path: Path, agreement: float | None, edges: str, lr: float, holds: bool | None
) -> None:
    more = {}
    if agreement is not None:
        keys, data = ({**MADE_WITH[name]} for name in ("recipe", "data"))
        made_with = {
            "recipe": keys | {"multistage.stage1.lr": lr},
            "data": data | {"edge_types": edges},
        }
        more["seeds"] = {"between": {"contribution": {"mean": agreement}}, "made_with": made_with}
    found = read_results(other_stages(tmp_path, **more), {"seed": 0, "proteins": []}, [], judge, credited)
    assert found.nearest is None and found.trained == {}
    assert [check["holds"] for check in found.checks][2::2] == [True, holds]
    assert found.verdict == "amber"


@pytest.mark.parametrize(
    ("seed", "other", "edges", "shown"),
    [
        (1, {}, "knn_6", True),
        (2, {}, "knn_6", False),
        (1, {"model.head": "gated"}, "knn_6", False),
        (1, {"train.batch_size": 16}, "knn_6", False),
        (1, {}, "knn_9", False),
    ],
)
def test_trained_baselines_are_shown_beside_a_model_of_their_seed_recipe_and_data(
    tmp_path: Path, seed: int, other: dict[str, Any], edges: str, shown: bool
) -> None:
    scores = {"accuracy": interval(0.9)}
    made_with = {"recipe": KEYS | other, "data": {**MADE_WITH["data"], "edge_types": edges}}
    made = {"mean_pooling": {"runs": {"0": {"accuracy": interval(0.1)}, "1": scores}}}
    folders = other_stages(tmp_path, baselines={"made_with": made_with, "baselines": made})
    about = {"measure": "identity", "bin": "0 to 0.3", "chains": 12, **interval(0.5)}
    own = pd.DataFrame([{**about, "predictor": "stage1"}])
    rows = [{**about, "predictor": "mean_pooling", "seed": number} for number in (0, 1)]
    own.to_csv(folders.plots / "by_distance.csv")
    pd.DataFrame(rows).to_csv(folders.plots / "baselines_by_distance.csv")
    found = read_results(folders, {"seed": seed, "proteins": []}, [], judge, credited)
    assert found.trained == ({"mean_pooling": scores} if shown else {})
    assert found.by_distance["predictor"].tolist() == ["stage1", *["mean_pooling"] * shown]
