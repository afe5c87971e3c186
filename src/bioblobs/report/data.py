"""The data behind the model: classes by split, and how alike test and training chains are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from bioblobs.splits import SPLITS

SHOWN = 30
"""Classes a table lists; the rest are counted."""
MEASURES = {"identity": "sequence identity", "tm_score": "TM-score"}
EXPLAINED = {
    "identity": "identical residues of the best alignment with a training chain, by the shorter chain",
    "tm_score": "likeness of fold to a training chain, by the shorter chain; above 0.5 usually the same fold",
}


def class_table(counts: pd.DataFrame) -> dict[str, Any]:
    """plots/data_classes.csv, one row per class: its chains in each split; most frequent first."""
    table = counts.pivot_table(
        index=["class", "name"], columns="group", values="proteins", aggfunc="sum", fill_value=0
    ).reindex(columns=list(SPLITS), fill_value=0)
    table = table.assign(all=table.sum(axis=1)).sort_values("all", ascending=False, kind="stable")
    largest = max(int(table["all"].max()), 1) if len(table) else 1
    rows = [
        {
            "title": str(row["name"]),
            "counts": [int(row[split]) for split in SPLITS],
            "widths": [100 * int(row[split]) / largest for split in SPLITS],
        }
        for row in table.head(SHOWN).reset_index().to_dict("records")
    ]
    return {"rows": rows, "more": max(len(table) - SHOWN, 0)}


def leakage_tables(leakage: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One a measure of likeness: what it is, and how many test chains reach each threshold."""
    return [
        {
            "title": MEASURES.get(name, name.replace("_", " ")),
            "explained": EXPLAINED.get(name, values.get("definition", "")),
            "tool": values.get("tool", ""),
            "test": values["test"],
            "shares": [
                (key.removeprefix("share_from_"), share)
                for key, share in values["test"].items()
                if key.startswith("share_from_") and share is not None
            ],
        }
        for name, values in leakage.items()
        if values.get("test", {}).get("proteins")
    ]
