"""Three verdicts of the first screen: right, believable, fair; each with its worst case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import pandas as pd

from bioblobs.inference.chain import Chain
from bioblobs.report.believed import believed
from bioblobs.report.chart import RANKINGS
from bioblobs.report.results import Results
from bioblobs.report.score_rows import best_trained, headline

ALIKE_FEW, ALIKE_MANY = 0.05, 0.3
"""Shares of near copies in the test set: up to the first it is fair, above the second it is not."""
LIKE_MEASURE = {"identity": ("0.3", "30 % sequence identity"), "tm_score": ("0.7", "a TM-score of 0.7")}
"""Likeness from which a test chain is counted as a near copy, in numbers and words."""
NO_LINK = ""


def verdicts(results: Results) -> list[dict[str, Any]]:
    """Key, question, kind (green, amber, red, unknown), figure, text, ``worst`` and ``more`` (links)."""
    return [_right(results), _believable(results), _fair(results)]


def _right(results: Results) -> dict[str, Any]:
    said = headline(results.test)
    worst = worst_class(results.chains, results.report["task"]["classes"])
    baseline = f" Best simple baseline, {said['baseline']}." if said["baseline"] else ""
    if results.trained:
        baseline += f" {best_trained(results.test, results.trained)}"
    return {
        "key": "right",
        "question": "Is it right?",
        "kind": said["kind"],
        "figure": said["value"],
        "text": f"{said['score'].capitalize()} on the test set, with its 95 % interval.{baseline}",
        "worst": worst,
        "more": [
            {"text": "All scores", "href": "#evidence?part=scores"},
            {"text": "By length and class, surest mistakes", "href": "#evidence?part=where"},
        ],
    }


def worst_class(records: Sequence[Chain], classes: Mapping[str, str]) -> dict[str, str]:
    """The class of which the smallest share was found, and where its missed proteins are listed."""
    true, found = dict.fromkeys(classes, 0), dict.fromkeys(classes, 0)
    for record in records:
        for name in record.true or ():
            if name in true:
                true[name] += 1
                found[name] += name in record.predicted
    known = [name for name in classes if true[name]]
    if not known:
        return {"text": "No test protein has a class that training knew.", "href": NO_LINK}
    worst = min(known, key=lambda name: (found[name] / true[name], -true[name]))
    text = f"{classes[worst]}: {found[worst]} of {true[worst]} found"
    missed = {"true": worst} | ({"outcome": "wrong"} if found[worst] < true[worst] else {})
    return {"text": text, "href": f"#proteins?{urlencode(missed)}"}


def _believable(results: Results) -> dict[str, Any]:
    said = believed(results.checks, results.verdict)
    return {
        "key": "believed",
        "question": "Can the explanations be believed?",
        "kind": said["kind"],
        "figure": said["title"],
        "text": "Checks of what the explanations claim.",
        "worst": worst_check(results.checks, results.faithfulness),
        "more": [{"text": "All checks", "href": "#evidence?part=explanations"}],
    }


def worst_check(checks: Sequence[Mapping[str, Any]], faithfulness: Mapping[str, Any]) -> dict[str, str]:
    """A check that fails, else one not measured, else the ranking that importance gains least over."""
    for holds, words in ((False, "does not hold"), (None, "not measured")):
        for check in checks:
            if check["holds"] is holds:
                figure = "" if holds is None else f" ({check['figure']})"
                name = check["name"].replace("angstrom", "Å")
                return {"text": f"{name}: {words}{figure}", "href": "#evidence?part=explanations"}
    gains = [
        (gain["value"], mode, name)
        for mode in ("deletion", "insertion")
        for name, gain in faithfulness.get(f"{mode}_gain", {}).items()
        if gain.get("value") is not None
    ]
    if not gains:
        return {"text": "No ranking was measured beside importance.", "href": NO_LINK}
    value, mode, name = min(gains)
    better = "better" if value < 0 else "worse"
    title = RANKINGS.get(name, (name.replace("_", " "), 0, ""))[0]
    return {
        "text": f"No check fails. Nearest rival: {title}, {abs(value):.3f} {better} by {mode}",
        "href": "#evidence?part=curves",
    }


def _fair(results: Results) -> dict[str, Any]:
    tables = {
        name: results.leakage[name]["test"] for name in LIKE_MEASURE if _measured(results.leakage, name)
    }
    shares = [
        (tables[name][f"share_from_{start}"], words)
        for name, (start, words) in LIKE_MEASURE.items()
        if name in tables and tables[name].get(f"share_from_{start}") is not None
    ]
    verdict: dict[str, Any] = {"key": "fair", "question": "Is the test fair?"}
    more = [{"text": "How alike test and training chains are", "href": "#evidence?part=likeness"}]
    if not shares:
        return verdict | {
            "kind": "unknown",
            "figure": "Not measured",
            "text": "No chain of the test set was compared with the training chains.",
            "worst": {"text": "not known", "href": NO_LINK},
            "more": more,
        }
    share, words = shares[0]
    kind = "green" if share <= ALIKE_FEW else "red" if share > ALIKE_MANY else "amber"
    others = "".join(f" {100 * other:.0f} % reach {name}." for other, name in shares[1:])
    answer = {"green": "Yes", "amber": "In part", "red": "No"}[kind]
    return verdict | {
        "kind": kind,
        "figure": f"{answer}: {100 * share:.0f} % near copies",
        "text": f"Test chains with {words} or more to a training chain.{others}",
        "worst": worst_likeness(results.nearest, tables, {record.id for record in results.chains}),
        "more": more,
    }


def worst_likeness(
    nearest: pd.DataFrame | None, tables: Mapping[str, Mapping[str, Any]], ids: set[str]
) -> dict[str, str]:
    """The test chain most like a training chain by sequence, or by structure where no sequence is alike."""
    for measure, unit in (("identity", "identical to"), ("tm_score", "the fold of")):
        if nearest is None or measure not in nearest:
            continue
        rows = nearest[(nearest["split"] == "test") & nearest["id"].isin(ids)].dropna(subset=[measure])
        if not len(rows) or rows[measure].max() <= 0:
            continue
        row = rows.iloc[int(rows[measure].to_numpy().argmax())]
        amount = f"{100 * row[measure]:.0f} %" if measure == "identity" else f"TM-score {row[measure]:.2f},"
        text = f"{row['id']}: {amount} {unit} training chain {row[f'nearest_by_{measure}']}"
        return {"text": text, "href": f"#protein?{urlencode({'id': row['id']})}"}
    highest = next((table["max"] for table in tables.values() if table.get("max") is not None), None)
    text = "not known" if highest is None else f"a test chain with a likeness of {highest:.2f}"
    return {"text": text, "href": NO_LINK}


def _measured(leakage: Mapping[str, Any], name: str) -> bool:
    return bool(leakage.get(name, {}).get("test", {}).get("proteins"))
