"""Verdicts of the report's first view and the evidence behind them, from the files of the other stages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bioblobs.report.believed import believed, falls
from bioblobs.report.chart import removal_curves
from bioblobs.report.confusion import class_counts, confusion
from bioblobs.report.data import class_table, leakage_tables
from bioblobs.report.groups import FEWEST, group_tables, likeness_tables, mistake_rows
from bioblobs.report.plain import facts
from bioblobs.report.results import Results
from bioblobs.report.score_rows import score_tables
from bioblobs.report.verdicts import verdicts

TASKS = {
    "scop": "structural class (SCOP)",
    "enzymecommission": "enzyme class (EC)",
    "geneontology": "molecular function (Gene Ontology)",
    "proteinfamily": "protein family (Pfam)",
}


def overview(results: Results) -> dict[str, Any]:
    """Context of page/overview.html and page/evidence.html."""
    report, task = results.report, results.report["task"]
    dataset = report["dataset"]
    several = bool(task["multilabel"])
    return {
        "task": task.get("title") or TASKS.get(task["name"], task["name"]),
        "version": report["bioblobs_version"],
        "seed": report["seed"],
        "verdicts": verdicts(results),
        "believed": believed(results.checks, results.verdict),
        "additive": bool((report.get("explanation") or {}).get("base")),
        "scorecard": any(code.get("evidence") for code in dataset["codes"]),
        "data": results.data,
        "classes": class_table(results.classes),
        "leakage": leakage_tables(results.leakage),
        "scores": score_tables({**results.test, **results.trained}),
        "trained": bool(results.trained),
        "groups": group_tables(results.by_length, results.by_class),
        "fewest": FEWEST,
        "by_likeness": likeness_tables(results.by_distance),
        "mistakes": mistake_rows(results.mistakes),
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
