"""The description of a code follows the schema and does not change from run to run."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import numpy as np
import pytest

from bioblobs.inference.chain import Chain
from bioblobs.interpretation.code_table import code_table
from bioblobs.interpretation.codes import CodeReport, describe_codes
from bioblobs.interpretation.report_file import schema
from traces import helix, record, strand, traces_store, walk

Case = tuple[Any, np.ndarray, list[Chain]]


@pytest.fixture
def planted() -> Case:
    """Code 7: in 18 of 20 proteins of class 1 and 3 of 20 others; code 2 in all, code 4 by chance; 9 once."""
    rng = np.random.default_rng(0)
    records = []
    for place in range(40):
        label = place % 2
        codes = (
            [2] + [7] * (place // 2 < (18 if label else 3)) + [4] * bool(rng.integers(2)) + [9] * (not place)
        )
        blobs = [(code, list(range(9 * i + 7, 9 * i + 13))) for i, code in enumerate(codes)]
        records.append(record([str(label)], 45, blobs, f"p{place}"))
    traces = [(helix, strand)[i % 3 > 1](45) if i % 3 else walk(45, i) for i in range(40)]
    return traces_store(traces, ["ACDEFGHIKLMNPQRSTVWY" * 2 + "ACDEF"] * 40), np.arange(40), records


def by_code(report: CodeReport) -> dict[int, dict[str, Any]]:
    return {entry["code"]: entry for entry in report.summary["codes"]}


def check(report: CodeReport) -> None:
    """Against the part of the schema that speaks of codes."""
    part = {"$defs": schema()["$defs"], **schema()["$defs"]["dataset"], "required": []}
    jsonschema.Draft202012Validator(part).validate(json.loads(json.dumps(report.summary, allow_nan=False)))


def test_planted_association_is_found_and_nothing_else(planted: Case) -> None:
    report = describe_codes(*planted, 0.05, 0)
    check(report)
    codes = by_code(report)
    [found] = codes[7]["enriched_classes"]
    assert (found["class"], found["name"], found["proteins"]) == ("1", "class 1", 18)
    assert codes[2]["enriched_classes"] == []  # in every protein: it tells nothing
    assert codes[4]["enriched_classes"] == []
    tests = report.summary["code_tests"]
    assert tests["code_class_pairs"] == {"tested": 8, "significant": 1}
    assert tests["codes_enriched_in_a_class"] == {"tested": 4, "significant": 1}


def test_a_code_with_a_single_member_has_no_superposition(planted: Case) -> None:
    codes = by_code(describe_codes(*planted, 0.05, 0))
    assert codes[9]["superposition"] == {"windows": None, "blobs": None}
    assert codes[2]["superposition"]["windows"]["members"] == 30  # capped
    medoid = codes[2]["superposition"]["windows"]["medoid"]
    assert medoid in codes[2]["members"]
    overlay = codes[2]["superposition"]["windows"]["overlay"]
    named = [{key: each[key] for key in ("protein", "slot")} for each in overlay]
    assert named[0] == medoid
    assert all(each in codes[2]["members"] for each in named)
    assert len({each["protein"] for each in named}) == len(named) == 8


def test_every_code_has_its_picture(planted: Case) -> None:
    report = describe_codes(*planted, 0.05, 0)
    assert {entry["logo"] for entry in report.summary["codes"]} == set(report.logos)
    assert report.logos["codes/9.svg"].startswith("<svg")


def test_two_runs_give_the_same_json(planted: Case) -> None:
    first, second = (json.dumps(describe_codes(*planted, 0.5, 3).summary, allow_nan=False) for _ in range(2))
    assert first == second


def test_composition_and_structure_are_shares_of_a_codes_residues() -> None:
    store = traces_store([helix(20), strand(20)], ["G" * 10 + "A" * 10, "V" * 20])
    records = [record(["0"], 20, [(5, [4, 5, 6]), (9, [12])]), record(["1"], 20, [(5, [8])])]
    report = describe_codes(store, np.arange(2), records, 0.05, 0)
    check(report)
    codes = by_code(report)
    assert codes[5]["composition"] == {"G": 0.75, "V": 0.25}
    assert codes[5]["secondary_structure"] == {"helix": 0.75, "strand": 0.25}
    assert report.summary["background"]["composition"] == {"A": 0.25, "G": 0.25, "V": 0.5}


def test_proteins_with_several_classes_or_none_are_compared_too() -> None:
    records = [record(["0", "1"] if i < 10 else [], 20, [(int(i < 10), [4, 5])], f"p{i}") for i in range(40)]
    report = describe_codes(traces_store([helix(20)] * 40), np.arange(40), records, 0.05, 0)
    check(report)
    found = by_code(report)[1]["enriched_classes"]
    assert [entry["class"] for entry in found] == ["0", "1"]
    assert all(entry["odds_ratio"] is None for entry in found)  # infinite, which JSON cannot say
    assert by_code(report)[0]["enriched_classes"] == []


@pytest.mark.parametrize("blobs", [[], [(0, [3])]], ids=["no blob", "one blob"])
def test_one_protein_is_enough(blobs: list[Any]) -> None:
    report = describe_codes(traces_store([helix(12)]), np.arange(1), [record(["0"], 12, blobs)], 0.05, 0)
    check(report)
    assert len(code_table(report.summary["codes"], 0.05)) == len(blobs)


def test_the_table_is_ranked_by_what_predictions_rest_on(planted: Case) -> None:
    codes = describe_codes(*planted, 0.05, 0).summary["codes"]
    table = code_table(codes, 0.05)
    assert table["importance_share"].is_monotonic_decreasing
    assert set(table["code"]) == {entry["code"] for entry in codes}
    row = table.set_index("code").loc[7]
    assert row["classes"].startswith("class 1 (OR ")
    entry = by_code(describe_codes(*planted, 0.05, 0))[7]
    named = [
        r["value"] for r in entry["against_background"] if r["p_adjusted"] < 0.05 and r["log2_ratio"] > 0
    ]
    assert sorted(part.split()[0] for part in row["more_than_background"].split(", ") if part) == sorted(
        named
    )
    assert named  # the planted sequence repeats: some letter is always there


def test_a_code_argues_for_the_class_of_its_largest_evidence(planted: Case) -> None:
    scorecard = np.full((10, len(planted[0].classes)), -1.0)
    scorecard[7, 1], scorecard[2, 0], scorecard[4] = 2.5, 0.5, 0
    report = describe_codes(*planted, 0.05, 0, scorecard)
    check(report)
    codes = by_code(report)
    assert codes[7]["evidence"] == dict(zip(planted[0].classes, scorecard[7].tolist(), strict=True))
    assert {code: entry["argues_for"] for code, entry in codes.items()} == {7: "1", 2: "0", 4: None, 9: None}
    table = code_table(report.summary["codes"], 0.05).set_index("code")
    assert table.loc[7, "argues_for"] == "1"
    assert table.loc[7, ["e_0", "e_1"]].tolist() == [-1, 2.5]


def test_without_a_scorecard_codes_have_no_evidence(planted: Case) -> None:
    report = describe_codes(*planted, 0.05, 0)
    assert {(entry["evidence"], entry["argues_for"]) for entry in report.summary["codes"]} == {(None, None)}
    table = code_table(report.summary["codes"], 0.05)
    assert table["argues_for"].isna().all()
    assert not [name for name in table.columns if name.startswith("e_")]
