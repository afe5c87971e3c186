"""The reader: tables of a report, refusals in one line, and the page that describes the file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bioblobs
from bioblobs.errors import BioBlobsError
from bioblobs.interpretation.codes import describe_codes
from bioblobs.interpretation.reading import SCHEMA_VERSION, Report, load, schema
from conftest import ROOT
from traces import helix, record, traces_store


def example(schema_part: dict[str, Any]) -> Any:
    """A smallest value that a schema allows: for the parts that another module makes."""
    while "$ref" in schema_part:
        schema_part = schema()["$defs"][schema_part["$ref"].rsplit("/", 1)[1]]
    if "const" in schema_part or "enum" in schema_part:
        return schema_part.get("const", schema_part.get("enum", [None])[0])
    kind = schema_part["type"]
    if kind == "object":
        inner = schema_part.get("properties", {})
        return {name: example(inner[name]) for name in schema_part.get("required", [])}
    plain = {"array": [], "string": "", "boolean": False, "integer": 1, "number": 1}
    return plain[kind if isinstance(kind, str) else kind[0]]


@pytest.fixture
def content() -> dict[str, Any]:
    records = [record(["0"], 20, [(5, [4, 5, 6]), (9, [12])], "a"), record(["1"], 20, [(5, [8])], "b")]
    store = traces_store([helix(20)] * 2)
    summary = describe_codes(store, np.arange(2), records, 0.05, 0).summary
    for each in records:
        each["predicted"], each["probabilities"] = ["0"], {"0": 0.75, "1": 0.25}
        for blob in each["blobs"]:
            blob["author"] = [f"A/{i}" for i in blob["residues"]]
            blob["sequence"], blob["membership"] = "A" * blob["size"], [1.0] * blob["size"]
    whole = example(schema())
    task = {"name": "t", "multilabel": False, "classes": {"0": "zero", "1": "one"}}
    return whole | {"task": task, "dataset": whole["dataset"] | summary, "proteins": records}


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
    joined = report.members.merge(report.blobs.reset_index(), on=["protein", "blob", "code"])
    assert len(joined) == len(report.blobs) == 3
    assert report.classes == {"0": "zero", "1": "one"}
    assert report.motif(5).loc[0, "A"] == 2
    assert set(report.against_background["code"]) == {5, 9}
    assert report.superposition.index.tolist() == [5, 9]
    assert "windows.overlay" not in report.superposition.columns
    assert list(report.overlay.columns)[:3] == ["code", "protein", "blob"]


def test_nulls_of_a_superposition_are_no_columns_of_their_own(content: dict[str, Any]) -> None:
    first, second = content["dataset"]["codes"]
    first["superposition"]["windows"] = {"members": 3, "other_codes": None, "medoid": {"blob": 1}}
    second["superposition"] = {"windows": None, "blobs": None}
    table = Report(Path("r"), content).superposition
    assert sorted(table.columns) == ["windows.medoid.blob", "windows.members"]
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
        (lambda c: c | {"schema_version": "1.0"}, f"version 1.0, this reader knows {SCHEMA_VERSION}"),
        (
            lambda c: c | {"proteins": [{**c["proteins"][0], "length": 0}]},
            r"\$.proteins\[0\].length: 0 is less",
        ),
        (lambda c: {k: v for k, v in c.items() if k != "task"}, "'task' is a required property"),
        (lambda c: c | {"more": 1}, "more"),
    ],
    ids=["cut", "another file", "old", "impossible", "a part missing", "unknown key"],
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
