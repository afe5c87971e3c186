"""What a stage wrote is what the next one reads: each damage of a result is one line, or changes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bioblobs.config.schema import Config, Paths
from bioblobs.errors import BioBlobsError
from bioblobs.io import read_json, write_json, write_table, write_text
from bioblobs.report.results import Folders, check_unchanged
from bioblobs.sums import SUMS, Sums, sums_file, with_sums
from bioblobs.training.unfinished import IDENTITY, LAST, begin_folder, find_unfinished
from damage import KINDS, damage


@with_sums
def run(config: Config, paths: Paths) -> str:
    """A stage that writes all that the report reads."""
    metrics, plots, output = Path(paths.metrics), Path(paths.plots), Path(paths.output)
    for name in ("data", "leakage", "test", "ablation", "faithfulness"):
        write_json(metrics / f"{name}.json", {"of": name, "value": 0.9, "rows": [1, 2, 3]})
    for name in ("data_classes", "faithfulness_deletion", "faithfulness_insertion"):
        write_table(plots / f"{name}.csv", pd.DataFrame({"class": ["a", "b"], "value": [0.25, 0.75]}))
    write_table(output / "leakage" / "nearest.csv", pd.DataFrame({"id": ["1ABC_A"], "identity": [0.3]}))
    for name in ("test_interpretability.json", "model.json", "logos/code_001.svg"):
        write_text(output / "interpretability" / name, f'{{"file": "{name}"}}\n')
    return "done"


FILES = [
    *(f"metrics/{name}.json" for name in ("data", "leakage", "test", "ablation", "faithfulness")),
    *(f"plots/{name}.csv" for name in ("data_classes", "faithfulness_deletion", "faithfulness_insertion")),
    "leakage/nearest.csv",
    *(
        f"interpretability/{name}"
        for name in ("test_interpretability.json", "model.json", "logos/code_001.svg")
    ),
]


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Places of a run of the script, whose metrics and plots lie in its folder."""
    places = {name: str(tmp_path / name) for name in ("metrics", "plots")}
    made = Paths(output=str(tmp_path), **places)
    assert run(Config(), made) == "done"
    return made


def checked(paths: Paths) -> None:
    check_unchanged(Folders(Path(paths.output), Path(paths.metrics), Path(paths.plots)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_result_is_not_read(name: str, kind: str, paths: Paths) -> None:
    checked(paths)
    place = Path(paths.output) / name
    damage(place, kind)
    if kind in ("missing", "a folder") and name.startswith("interpretability/"):
        return  # nothing to believe; the reader of each says so
    with pytest.raises(BioBlobsError, match=r"not what test_sums wrote|not there, though") as error:
        checked(paths)
    assert str(error.value).startswith(f"{place}: ") and "run test_sums again" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_list_of_digests_hides_nothing_and_is_one_line(kind: str, paths: Paths) -> None:
    place = sums_file(paths, "test_sums")
    assert {*json.loads(place.read_text())} >= {"metrics/test.json", "output/leakage/nearest.csv"}
    damage(place, kind)
    try:
        checked(paths)  # the results are whole
    except BioBlobsError as error:
        assert "test_sums again" in str(error) and "\n" not in str(error)


@pytest.mark.parametrize("one", FILES[:4])
def test_results_that_change_places_are_refused(one: str, paths: Paths) -> None:
    for another in FILES:
        if another != one:
            place = Path(paths.output) / one
            before = place.read_bytes()
            place.write_bytes((Path(paths.output) / another).read_bytes())
            if place.read_bytes() != before:
                with pytest.raises(BioBlobsError, match=place.name):
                    checked(paths)
            place.write_bytes(before)


def test_a_second_run_writes_other_digests_and_a_failed_one_none(paths: Paths) -> None:
    write_json(Path(paths.metrics) / "test.json", {"value": 0.1})  # of an older version, or by hand
    with pytest.raises(BioBlobsError):
        checked(paths)
    run(Config(), paths)
    checked(paths)

    @with_sums
    def fails(config: Config, paths: Paths) -> None:
        write_json(Path(paths.metrics) / "test.json", {"value": 0.2})
        raise KeyboardInterrupt

    before = sums_file(paths, "test_sums").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        fails(Config(), paths)
    assert sums_file(paths, "test_sums").read_bytes() == before


def test_results_without_digests_are_read(paths: Paths) -> None:
    (Path(paths.output) / SUMS / "test_sums.json").unlink()
    (Path(paths.metrics) / "test.json").write_text("{}")
    assert Sums(paths.folders).check(Path(paths.metrics) / "test.json").is_file()


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_identity_of_other_work_is_a_remark(kind: str, tmp_path: Path) -> None:
    identity: dict[str, Any] = {"train.seed": 0, "code": "a"}
    other = find_unfinished(tmp_path, 0, identity)
    begin_folder(other, identity)
    (other.folder / LAST).write_bytes(b"a state")
    damage(other.folder / IDENTITY, kind)
    found = find_unfinished(tmp_path, 0, {**identity, "train.seed": 1})
    assert found.resume is None and found.folder != other.folder
    assert found.note is None or "starting anew" in found.note


def test_read_json_names_the_file_and_the_remedy(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"a": 1})
    assert read_json(tmp_path / "a.json", dict, "") == {"a": 1}
    for kind, said in ((list, "other content"), (dict, "a.json")):
        if kind is dict:
            (tmp_path / "a.json").write_bytes(b"[" * 100_000)
        with pytest.raises(BioBlobsError, match=said) as error:
            read_json(tmp_path / "a.json", kind, "run it again")
        assert str(error.value).endswith("; run it again")
