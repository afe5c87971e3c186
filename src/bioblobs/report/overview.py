"""Content of the report's first view, from the files of the other stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bioblobs.inference.chain import Chain
from bioblobs.report.believed import believed, falls
from bioblobs.report.chart import removal_curves
from bioblobs.report.confusion import class_counts, confusion
from bioblobs.report.data import class_table, leakage_tables
from bioblobs.report.plain import facts
from bioblobs.report.score_rows import headline, score_tables

TASKS = {
    "scop": "structural class (SCOP)",
    "enzymecommission": "enzyme class (EC)",
    "geneontology": "molecular function (Gene Ontology)",
    "proteinfamily": "protein family (Pfam)",
}


@dataclass(frozen=True)
class Results:
    """Contents of the files that the report is made of.

    Attributes:
        report: outputs/interpretability/test_interpretability.json.
        chains: its proteins.
        data: metrics/data.json.
        classes: plots/data_classes.csv.
        leakage: metrics/leakage.json.
        test: metrics/test.json.
        ablation: metrics/ablation.json.
        faithfulness: metrics/faithfulness.json.
        checks: what they say, and of other seeds: name, holds (None: not measured), figure and text.
        verdict: over all checks: "green", "amber" or "red".
        deletion, insertion: plots/faithfulness_deletion.csv, plots/faithfulness_insertion.csv.
    """

    report: Mapping[str, Any]
    chains: Sequence[Chain]
    data: Mapping[str, Any]
    classes: pd.DataFrame
    leakage: Mapping[str, Any]
    test: Mapping[str, Any]
    ablation: Mapping[str, Any]
    faithfulness: Mapping[str, Any]
    checks: Sequence[Mapping[str, Any]]
    verdict: str
    deletion: pd.DataFrame
    insertion: pd.DataFrame


def overview(results: Results) -> dict[str, Any]:
    """Context of page/overview.html."""
    report, task = results.report, results.report["task"]
    dataset = report["dataset"]
    several = bool(task["multilabel"])
    return {
        "task": TASKS.get(task["name"], task["name"]),
        "version": report["bioblobs_version"],
        "seed": report["seed"],
        "headline": headline(results.test),
        "believed": believed(results.checks, results.verdict),
        "additive": bool((report.get("explanation") or {}).get("base")),
        "scorecard": any(code.get("evidence") for code in dataset["codes"]),
        "data": results.data,
        "classes": class_table(results.classes),
        "leakage": leakage_tables(results.leakage),
        "scores": score_tables(results.test),
        "confusion": None if several else confusion(results.chains, task["classes"]),
        "class_counts": class_counts(results.chains, task["classes"]) if several else None,
        "dataset": dataset,
        "tested": results.faithfulness["proteins"],
        "falls": falls(results.faithfulness),
        "curves": removal_curves(results.deletion, results.insertion),
        "ablation": _ablation(results.ablation),
        "faithfulness": facts(results.faithfulness),
    }


def _ablation(ablation: Mapping[str, Any]) -> dict[str, Any]:
    names = list(next(iter(ablation.values())))
    return {
        "columns": [name.replace("_", " ") for name in names],
        "rows": [
            (title.replace("_", " "), [facts({"": row[name]})[0][1] for name in names])
            for title, row in ablation.items()
        ],
    }
