"""Which classes are taken for which: a matrix, or counts per class where a protein may have several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from bioblobs.inference.chain import Chain

SHOWN = 12
"""Classes a matrix shows; the rest are joined as others."""
UNSEEN, OTHERS = "", "*"


def confusion(records: Sequence[Chain], classes: Mapping[str, str]) -> dict[str, Any]:
    """Rows: true class, columns: predicted, each cell with its count and its share of the row.

    The ``SHOWN`` most frequent true classes are named. A true class that training never saw has a row.
    """
    pairs = Counter((next(iter(r.true or ()), UNSEEN), r.predicted[0]) for r in records)
    frequent = Counter(true for true, _ in pairs.elements() if true != UNSEEN).most_common(SHOWN)
    kept = {name for name, _ in frequent}
    named = [name for name in classes if name in kept]
    joined = Counter[tuple[str, str]]()
    for (true, predicted), count in pairs.items():
        row = true if true in kept or true == UNSEEN else OTHERS
        joined[row, predicted if predicted in kept else OTHERS] += count
    columns = named + [OTHERS] * any(predicted == OTHERS for _, predicted in joined)
    rows = named + [key for key in (OTHERS, UNSEEN) if any(true == key for true, _ in joined)]
    titles = {**classes, OTHERS: "all other classes", UNSEEN: "a class not in training"}
    return {
        "columns": [{"key": key, "title": titles[key]} for key in columns],
        "rows": [{"key": key, "title": titles[key], **_cells(key, columns, joined)} for key in rows],
        "joined": len(classes) - len(named),
    }


def class_counts(records: Sequence[Chain], classes: Mapping[str, str]) -> list[dict[str, Any]]:
    """Per class: true count, predicted count, true positives; most frequent class first (multi-label)."""
    true = Counter(name for record in records for name in record.true or ())
    said = Counter(name for record in records for name in record.predicted)
    both = Counter(name for record in records for name in set(record.true or ()) & set(record.predicted))
    rows = [
        {"key": name, "title": title, "true": true[name], "predicted": said[name], "both": both[name]}
        for name, title in classes.items()
    ]
    return sorted(rows, key=lambda row: -row["true"])


def _cells(key: str, columns: Sequence[str], counts: Mapping[tuple[str, str], int]) -> dict[str, Any]:
    total = sum(counts.get((key, column), 0) for column in columns)
    return {
        "total": total,
        "cells": [
            {
                "key": column,
                "count": counts.get((key, column), 0),
                "share": counts.get((key, column), 0) / max(total, 1),
            }
            for column in columns
        ],
    }
