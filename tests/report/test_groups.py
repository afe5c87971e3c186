"""Where the model is right: tables by length and class, and the surest mistakes."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bioblobs.report.groups import FEWEST, SHOWN, group_tables, likeness_tables, mistake_rows
from bioblobs.report.results import _read_table
from bioblobs.report.score_rows import score_tables
from report.pages import interval


def test_groups_keep_their_order_counts_and_intervals() -> None:
    lengths = pd.DataFrame(
        [
            {"length": "1 to 100", "chains": 7, "score": "accuracy", "value": 0.5, "low": 0.2, "high": 0.8},
            {
                "length": "101 to 200",
                "chains": 9,
                "score": "accuracy",
                "value": 0.9,
                "low": None,
                "high": None,
            },
        ]
    ).assign(score="accuracy")
    classes = pd.DataFrame(
        [
            {"name": f"class {at}", "chains": at, "score": score, **interval(0.5)}
            for score in ("recall", "precision")
            for at in range(1, SHOWN + 3)
        ]
    )
    by_length, by_class = group_tables(lengths, classes)
    assert by_length["name"] == "accuracy by length"
    assert [(row["title"], row["count"]) for row in by_length["rows"]] == [("1 to 100", 7), ("101 to 200", 9)]
    assert by_length["rows"][0]["text"] == "0.500 (0.200 to 0.800)"
    assert by_length["rows"][1]["place"] == {"value": 0.9, "low": 0.9, "high": 0.9}
    assert [row["count"] for row in by_class["rows"]] == list(range(SHOWN + 2, 2, -1))
    assert f"{SHOWN} most frequent of {SHOWN + 2}" in by_class["explained"]


def test_every_predictor_is_scored_in_each_range_of_likeness_that_has_chains_enough() -> None:
    rows = [
        {"measure": measure, "bin": bin_, "predictor": name, "chains": chains, **interval(value)}
        for measure, bin_, chains in (("identity", "0 to 0.3", FEWEST), ("tm_score", "0 to 0.5", FEWEST - 1))
        for name, value in (("majority", 0.2), ("stage1", 0.7))
    ]
    [table] = likeness_tables(pd.DataFrame(rows))
    assert table["name"] == "sequence identity 0 to 0.3"
    assert table["explained"] == f"{FEWEST} chains"
    assert [(row["title"], row["model"], row["place"]["value"]) for row in table["rows"]] == [
        ("BioBlobs, fine-tuned (stage 1)", True, 0.7),
        ("majority class", False, 0.2),
    ]
    assert likeness_tables(pd.DataFrame(rows).head(0)) == []


def test_mistakes_are_read_as_written_and_lead_to_their_proteins(tmp_path: Path) -> None:
    (tmp_path / "mistakes.csv").write_text(
        "id,length,actual,predicted,probability,probability_of_actual,identity,tm_score\n"
        "1E10,157,none,all beta,0.87,,,0.48\n"
    )
    [row] = mistake_rows(_read_table(tmp_path / "mistakes.csv"))
    assert row["id"] == "1E10"  # no number
    assert row["href"] == "#protein?id=1E10"
    assert (row["actual"], row["probability"], row["nearest"]) == ("none", 0.87, "TM-score 0.48")
    (tmp_path / "mistakes.csv").write_text("id,length,actual,predicted,probability,probability_of_actual\n")
    assert mistake_rows(_read_table(tmp_path / "mistakes.csv")) == []


def test_scaled_models_and_calibration_are_named() -> None:
    models = ("stage1", "stage1_scaled", "stage0", "stage0_scaled", "majority")
    [table] = score_tables({name: {"ece": interval(0.1)} for name in models})
    assert "ECE" in table["name"]
    assert table["explained"]
    assert not [row["title"] for row in table["rows"] if "_" in row["title"] or row["title"] in models]
