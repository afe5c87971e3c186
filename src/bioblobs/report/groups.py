"""Where the model is right and where it is not: by length, class and likeness, and its surest mistakes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any
from urllib.parse import urlencode

import pandas as pd

from bioblobs.report.score_rows import MODEL, PREDICTORS, score_row, score_title

SHOWN = 30
"""Classes in a table at most: those with most test chains."""
ALIKE = {"identity": "sequence identity", "tm_score": "TM-score"}
FEWEST = 10
"""Test chains that a bin of likeness must have to be shown."""


def group_tables(by_length: pd.DataFrame, by_class: pd.DataFrame) -> list[dict[str, Any]]:
    """Tables as of :func:`bioblobs.report.score_rows.score_tables`: by length, and recall by class.

    Args:
        by_length: plots/by_length.csv, one row per group of lengths and score.
        by_class: plots/by_class.csv, one row per class and score; classes with most test chains are shown.
    """
    tables = [
        {
            "name": f"{score_title(str(score))} by length",
            "explained": "residues of the chain",
            "rows": [_row(str(row["length"]), row) for row in rows.to_dict("records")],
        }
        for score, rows in by_length.groupby("score", sort=False)
    ]
    found = by_class[by_class["score"] == "recall"]
    shown = found.sort_values("chains", ascending=False, kind="stable").head(SHOWN)
    few = f"; the {SHOWN} most frequent of {len(found)}" if len(found) > SHOWN else ""
    by_name = {
        "name": "recall by class",
        "explained": f"share of the chains of a class that were found{few}",
        "rows": [_row(str(row["name"]), row) for row in shown.to_dict("records")],
    }
    return [table for table in (*tables, by_name) if table["rows"]]


def likeness_tables(by_distance: pd.DataFrame) -> list[dict[str, Any]]:
    """Tables of the same form: every predictor's first score in each bin of likeness to the training chains.

    Args:
        by_distance: plots/by_distance.csv; empty where likeness was not measured.
    """
    large = by_distance[by_distance["chains"] >= FEWEST]
    tables = []
    for (measure, bin_), rows in large.groupby(["measure", "bin"], sort=False):
        found = {str(row["predictor"]): row for row in rows.to_dict("records")}
        shown = [name for name in PREDICTORS if name in found]
        tables.append(
            {
                "name": f"{ALIKE[str(measure)]} {bin_}",
                "explained": f"{int(rows['chains'].iloc[0])} chains",
                "rows": [score_row(PREDICTORS[key], _score(found[key]), key == MODEL) for key in shown],
            }
        )
    return tables


def mistake_rows(mistakes: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of outputs/worst_mistakes.csv, surest first, with the address of each protein on the page."""
    return [
        {
            "id": row["id"],
            "href": f"#protein?{urlencode({'id': row['id']})}",
            "predicted": row["predicted"],
            "probability": row["probability"],
            "actual": row["actual"],
            "nearest": _nearest(row),
        }
        for row in mistakes.to_dict("records")
    ]


def _row(title: str, row: Mapping[Hashable, Any]) -> dict[str, Any]:
    return score_row(title, _score(row)) | {"count": int(row["chains"])}


def _score(row: Mapping[Hashable, Any]) -> dict[str, float | None]:
    return {name: None if pd.isna(row[name]) else float(row[name]) for name in ("value", "low", "high")}


def _nearest(row: Mapping[Hashable, Any]) -> str:
    """Likeness to the nearest training chains; empty where it was not measured, or there is none."""
    return ", ".join(
        f"{words} {row[name]:.2f}" for name, words in ALIKE.items() if row.get(name) and pd.notna(row[name])
    )
