"""The reader: tables of a report, refusals in one line, and the page that describes the file."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bioblobs
from bioblobs.errors import BioBlobsError
from bioblobs.interpretation.codes import describe_codes
from bioblobs.interpretation.report_file import SCHEMA_VERSION, Report, load, schema
from bioblobs.prediction.saved import PREDICTIONS
from conftest import ROOT
from traces import helix, record, traces_store

BASE = np.array([0.5, -0.5])
SCORECARD = np.zeros((10, 2))
SCORECARD[5], SCORECARD[9] = (1.25, -1.25), (-0.25, 0.25)


def example(schema_part: dict[str, Any]) -> Any:
    """A smallest value that a schema allows: for the parts that another module makes."""
    while "$ref" in schema_part:
        schema_part = schema()["$defs"][schema_part["$ref"].rsplit("/", 1)[1]]
    if "oneOf" in schema_part:
        return example(schema_part["oneOf"][0])
    if "const" in schema_part or "enum" in schema_part:
        return schema_part.get("const", schema_part.get("enum", [None])[0])
    kind = schema_part["type"]
    if kind == "object":
        inner = schema_part.get("properties", {})
        return {name: example(inner[name]) for name in schema_part.get("required", [])}
    plain = {"null": None, "array": [], "string": "", "boolean": False, "integer": 1, "number": 1}
    return plain[kind if isinstance(kind, str) else kind[0]]


@pytest.fixture
def content() -> dict[str, Any]:
    records = [record(["0"], 20, [(5, [4, 5, 6]), (9, [12])], "a"), record(["1"], 20, [(5, [8])], "b")]
    store = traces_store([helix(20)] * 2)
    summary = describe_codes(store, np.arange(2), records, 0.05, 0, SCORECARD).summary
    proteins = [record.to_json() for record in records]
    for each in proteins:
        parts = SCORECARD[[blob["code"] for blob in each["blobs"]]]
        each["logits"] = dict(zip("01", (BASE + parts.sum(0)).tolist(), strict=True))
        for blob, part in zip(each["blobs"], parts.tolist(), strict=True):
            blob["contribution"], blob["contributions"] = part[0], dict(zip("01", part, strict=True))
    whole = example(schema())
    task = {"name": "t", "multilabel": False, "classes": {"0": "zero", "1": "one"}}
    about = {"head": "additive", "blob_view": "alone", "base": dict(zip("01", BASE.tolist(), strict=True))}
    dataset = whole["dataset"] | summary
    return whole | {"task": task, "explanation": about, "dataset": dataset, "proteins": proteins}


def as_version_3(content: dict[str, Any]) -> dict[str, Any]:
    """The same report as version 3.0 had it."""
    content["schema_version"] = "3.0"
    for protein in content["proteins"]:
        protein["blobs"].sort(key=lambda blob: blob["slot"])
        for blob in protein["blobs"]:
            del blob["rank"]
            blob["blob"] = blob.pop("slot")
    for code in content["dataset"]["codes"]:
        windows, whole = (code["superposition"][name] for name in ("windows", "blobs"))
        medoids = [part["medoid"] for part in (windows, whole) if part]
        for reference in [*code["members"], *medoids, *(windows["overlay"] if windows else [])]:
            reference["blob"] = reference.pop("slot")
    return content


def as_version_2(content: dict[str, Any]) -> dict[str, Any]:
    """The same report as version 2.1 had it."""
    as_version_3(content)
    content["schema_version"] = "2.1"
    del content["explanation"]
    del content["dataset"]["importance"]["unsupported"], content["dataset"]["importance"]["share_against"]
    for code in content["dataset"]["codes"]:
        del code["evidence"], code["argues_for"]
    for protein in content["proteins"]:
        del protein["explained"], protein["logits"]
        for blob in protein["blobs"]:
            del blob["contribution"], blob["contributions"]
    return content


def written(folder: Path, content: Any) -> Path:
    path = folder / "report.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_tables_hold_what_the_file_holds(tmp_path: Path, content: dict[str, Any]) -> None:
    report = load(written(tmp_path, content))
    assert report.proteins.loc["a", "p_0"] == 0.75
    assert report.proteins.loc["b", "true"] == ["1"]
    assert report.blobs.loc[("a", 1), "residues"] == [12]
    assert report.codes.loc[5, "blobs"] == 2
    joined = report.members.merge(report.blobs.reset_index(), on=["protein", "slot", "code"])
    assert len(joined) == len(report.blobs) == 3
    assert report.classes == {"0": "zero", "1": "one"}
    assert report.motif(5).loc[0, "A"] == 2
    assert set(report.against_background["code"]) == {5, 9}
    assert report.superposition.index.tolist() == [5, 9]
    assert "windows.overlay" not in report.superposition.columns
    assert list(report.overlay.columns)[:3] == ["code", "protein", "slot"]


def test_nulls_of_a_superposition_are_no_columns_of_their_own(content: dict[str, Any]) -> None:
    first, second = content["dataset"]["codes"]
    first["superposition"]["windows"] = {"members": 3, "other_codes": None, "medoid": {"slot": 1}}
    second["superposition"] = {"windows": None, "blobs": None}
    table = Report(Path("r"), content).superposition
    assert sorted(table.columns) == ["windows.medoid.slot", "windows.members"]
    assert table["windows.members"].isna().tolist() == [False, True]


def test_a_report_without_codes_has_empty_tables(content: dict[str, Any]) -> None:
    content["dataset"]["codes"], content["proteins"] = [], []
    report = Report(Path("r"), content)
    assert list(report.enriched_classes.columns)[:2] == ["code", "class"]
    for table in (report.proteins, report.blobs, report.codes, report.members, report.superposition):
        assert len(table) == 0
    with pytest.raises(BioBlobsError, match="no blob has code 3"):
        report.motif(3)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda c: "{", r"not JSON \(line 1"),
        (lambda c: [], "no schema_version"),
        (
            lambda c: c | {"schema_version": "1.0"},
            f"report version 1.0, this reader knows 2.1, 3.0 and {SCHEMA_VERSION}; run interpret again",
        ),
        (lambda c: c | {"schema_version": "2.1"}, r"'explanation' was unexpected"),
        (
            lambda c: {**as_version_2(c), "proteins": [{**c["proteins"][0], "length": 0}]},
            r"\$.proteins\[0\].length: 0 is less",
        ),
        (
            lambda c: c | {"proteins": [{**c["proteins"][0], "length": 0}]},
            r"\$.proteins\[0\].length: 0 is less",
        ),
        (lambda c: {k: v for k, v in c.items() if k != "task"}, "'task' is a required property"),
        (lambda c: c | {"more": 1}, "more"),
    ],
    ids=[
        "cut",
        "another file",
        "old",
        "not so old",
        "impossible and not so old",
        "impossible",
        "a part missing",
        "unknown key",
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    tmp_path: Path, content: dict[str, Any], spoil: Any, message: str
) -> None:
    path = written(tmp_path, spoil(content))
    with pytest.raises(BioBlobsError, match=message) as caught:
        load(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BioBlobsError, match=r"nowhere\.json: cannot be read"):
        load(tmp_path / "nowhere.json")


def test_the_package_has_the_reader_and_stays_light(tmp_path: Path, content: dict[str, Any]) -> None:
    path = written(tmp_path, content)
    assert bioblobs.read_interpretability(path).codes.equals(load(path).codes)
    code = "import sys, bioblobs; sys.exit(bool({'pandas', 'torch', 'numpy'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(ROOT / "src")})


def test_contributions_add_up_to_the_logits(tmp_path: Path, content: dict[str, Any]) -> None:
    report = load(written(tmp_path, content))
    assert list(report.contributions.columns) == ["0", "1"]
    total = report.contributions.groupby("protein").sum() + report.base
    logits = report.proteins[["logit_0", "logit_1"]]
    np.testing.assert_allclose(total.loc[logits.index], logits)
    assert report.blobs.loc[("a", 1), "contribution"] == report.contributions.loc[("a", 1), "0"] == -0.25
    assert "contributions" not in report.blobs.columns
    assert report.proteins["explained"].tolist() == ["0", "0"]


def test_the_scorecard_has_a_row_per_code_and_a_column_per_class(
    tmp_path: Path, content: dict[str, Any]
) -> None:
    report = load(written(tmp_path, content))
    assert report.scorecard.loc[5].tolist() == [1.25, -1.25]
    assert report.scorecard.loc[9].tolist() == [-0.25, 0.25]
    assert report.codes["argues_for"].to_dict() == {5: "0", 9: "1"}
    assert "evidence" not in report.codes.columns
    codes = report.blobs["code"]
    np.testing.assert_array_equal(report.contributions, report.scorecard.loc[codes])


def test_a_report_of_version_2_is_read_without_what_it_lacks(tmp_path: Path, content: dict[str, Any]) -> None:
    now = load(written(tmp_path, content))
    then = load(written(tmp_path, as_version_2(content)))
    assert then.content["schema_version"] == "2.1"
    assert then.content["explanation"] == {"head": None, "blob_view": None, "base": None}
    assert then.content["dataset"]["importance"]["share_against"] is None
    assert then.base.isna().all() and then.base.index.tolist() == ["0", "1"]
    for name in ("scorecard", "contributions"):
        old, new = getattr(then, name), getattr(now, name)
        assert old.isna().all(axis=None)
        assert old.index.equals(new.index) and old.columns.equals(new.columns)
    assert then.blobs["contribution"].isna().all()
    assert then.codes["argues_for"].isna().all()
    assert then.proteins[["explained", "logit_0", "logit_1"]].isna().all(axis=None)
    for name in ("proteins", "blobs", "codes"):
        old, new = getattr(then, name), getattr(now, name)
        assert old.columns.equals(new.columns)
        kept = [column for column in old.columns if not old[column].isna().all() and column != "rank"]
        pd.testing.assert_frame_equal(old[kept], new[kept])


def test_a_report_of_version_3_is_read_as_the_present_one(tmp_path: Path) -> None:
    """Of real windows, so that every kind of reference to a blob is there."""
    records = [record(["0"], 30, [(5, list(range(8 + i, 16 + i))), (9, [20, 26])], f"p{i}") for i in range(6)]
    summary = describe_codes(traces_store([helix(30)] * 6), np.arange(6), records, 0.05, 0).summary
    whole = example(schema())
    content = whole | {"dataset": whole["dataset"] | summary, "proteins": [r.to_json() for r in records]}
    assert summary["codes"][0]["superposition"]["windows"]["overlay"]
    assert summary["codes"][0]["superposition"]["blobs"]["medoid"]
    now = load(written(tmp_path, content)).content
    then = load(written(tmp_path, as_version_3(json.loads(json.dumps(content)))))
    assert then.content == now | {"schema_version": "3.0"}
    assert then.chains == records


def test_blobs_of_version_3_are_ranked(tmp_path: Path, content: dict[str, Any]) -> None:
    """By contribution: the second blob of protein a argues for its class, once signs are exchanged."""
    for blob in content["proteins"][0]["blobs"]:
        blob["contribution"] *= -1
    then = load(written(tmp_path, as_version_3(content)))
    assert [(blob.slot, blob.rank) for blob in then.chains[0].blobs] == [(1, 1), (0, 2)]
    assert then.blobs.loc[("a", 1), "rank"] == 1


def test_every_reference_of_the_schemas_resolves() -> None:
    for whole in (schema(), PREDICTIONS.schema()):
        named = re.findall(r'"\$ref": "#/\$defs/(\w+)"', json.dumps(whole))
        assert {"chain", "blob"} <= set(named) <= set(whole["$defs"])
        assert json.dumps(whole).count('"$ref"') == len(named)


def test_a_report_of_an_attention_head_has_no_contributions(tmp_path: Path, content: dict[str, Any]) -> None:
    content["explanation"] = {"head": "full", "blob_view": "context", "base": None}
    for blob in [blob for protein in content["proteins"] for blob in protein["blobs"]]:
        blob["contribution"] = blob["contributions"] = None
    for code in content["dataset"]["codes"]:
        code["evidence"] = code["argues_for"] = None
    report = load(written(tmp_path, content))
    for table in (report.contributions, report.scorecard, report.base.to_frame()):
        assert len(table) and table.isna().all(axis=None)
    assert report.proteins["logit_0"].notna().all()


def test_the_page_on_the_schema_is_what_the_schema_says() -> None:
    words = [sys.executable, str(ROOT / "tools" / "update_schema_page.py"), "--check"]
    assert subprocess.run(words, capture_output=True, text=True).returncode == 0
