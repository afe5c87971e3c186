"""dvc.yaml against the code: a stage declares the keys that it reads and the files that it imports."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from bioblobs.config import groups
from bioblobs.config.schema import DataConfig, leaf_keys
from conftest import ROOT
from runs import TINY, ok, run
from working_tree import copy_of_the_tree

PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())
STAGES = list(PIPELINE["stages"])
BY_HAND = {
    *("metrics/seeds.json", "plots/seeds.csv", "plots/sites.csv"),
    *("metrics/baselines.json", "plots/baselines_by_distance.csv"),
}
"""Of `make seeds`, `make sites` and `make baselines`, which are no stages: they take hours."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, list[str]]]:
    """Keys read and files imported by each stage, run in the order of the pipeline."""
    folder = tmp_path_factory.mktemp("recorded")
    paths = [f"--paths.{n}={folder / n}" for n in ("prepared", "output", "metrics", "plots")]
    tiny = [f"--{key}={value}" for key, value in TINY.items()]
    found = {}
    for stage in STAGES:
        words = ["fit"] if stage.startswith("train") else []
        command = ["python", "tests/recorder.py", stage, *words, "--config", "params.yaml", *tiny, *paths]
        output = ok(run(command, ROOT, PYTHONPATH="src"))
        line = next(line for line in output.splitlines() if line.startswith("RECORDED"))
        found[stage] = json.loads(line.removeprefix("RECORDED "))
    return found


def declared(stage: str) -> set[str]:
    """Leaf keys behind a stage's params."""
    wanted = PIPELINE["stages"][stage].get("params", [])
    return {key for key in leaf_keys() for name in wanted if key == name or key.startswith(f"{name}.")}


def upstream(stage: str) -> set[str]:
    """Stages whose outputs a stage depends on, directly or through others."""
    deps = {*PIPELINE["stages"][stage]["deps"]}
    direct = {
        other for other in STAGES if deps & {_name(out) for out in PIPELINE["stages"][other].get("outs", [])}
    }
    return direct | {each for other in direct for each in upstream(other)}


def _name(out: str | dict[str, object]) -> str:
    return out if isinstance(out, str) else next(iter(out))


Recorded = dict[str, dict[str, list[str]]]


def reads(stage: str, recorded: Recorded) -> set[str]:
    """Keys that a stage read; prepare writes all that shape a store into it."""
    identity = set(groups.leaf_keys(DataConfig, only_shaping=True)) if stage == "prepare" else set()
    return set(recorded[stage]["reads"]) | identity


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_declares_the_keys_that_it_reads(stage: str, recorded: Recorded) -> None:
    """All that shape a result, and no other but keys of a declared group that a stage before has read."""
    shaping = set(leaf_keys(only_shaping=True))
    found = reads(stage, recorded)
    before = {key for other in upstream(stage) for key in reads(other, recorded)}
    assert (found & shaping) - declared(stage) == set()
    assert declared(stage) - found - before == set()


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_loads_only_the_code_that_it_depends_on(stage: str, recorded: Recorded) -> None:
    deps = [ROOT / name for name in PIPELINE["stages"][stage]["deps"]]
    for file in map(Path, recorded[stage]["files"]):
        if file.name == "__init__.py":  # a docstring; the version is named where it is used
            continue
        assert any(file == dep or dep in file.parents for dep in deps), file


def test_every_key_is_read_by_some_stage(recorded: Recorded) -> None:
    """A parameter that is accepted but does nothing is a defect."""
    elsewhere = {"interpretability.seeds", "train.wandb_project"}  # `make seeds`; train.use_wandb
    found = set().union(*(reads(stage, recorded) for stage in STAGES))
    assert set(leaf_keys()) - found == elsewhere


def test_a_training_does_not_declare_what_shapes_no_result() -> None:
    """Another live view, or less memory, is no reason to train again."""
    shapeless = set(leaf_keys()) - set(leaf_keys(only_shaping=True))
    assert "train.logger" in shapeless
    for stage in ("train_stage0", "init_codebook", "train_stage1"):
        assert not declared(stage) & shapeless


def outputs(cached: bool) -> set[str]:
    """Names of all outputs that DVC's cache holds, or of those that git holds."""
    kinds = ("outs",) if cached else ("metrics", "plots")
    every = [out for stage in STAGES for kind in kinds for out in PIPELINE["stages"][stage].get(kind, [])]
    return {out if isinstance(out, str) else next(iter(out)) for out in every}


def test_the_run_cache_is_on() -> None:
    """DVC leaves it off for a stage with an uncached output that is neither a metric nor a plot."""
    for stage in STAGES:
        for out in PIPELINE["stages"][stage].get("outs", []):
            assert isinstance(out, str) or next(iter(out.values())).get("cache", True), stage


def test_every_dependency_exists_or_is_made() -> None:
    made = outputs(cached=True) | outputs(cached=False)
    keys = yaml.safe_load((ROOT / "params.yaml").read_text())
    for stage in STAGES:
        for dep in PIPELINE["stages"][stage]["deps"]:
            dep = dep.replace("${data.folder}", keys["data"]["folder"])
            dep = dep.replace("${interpretability.sites}", keys["interpretability"]["sites"])
            assert dep in made or (ROOT / dep).exists(), dep


def test_metrics_and_plots_are_in_git() -> None:
    """Small results are outputs that git holds (cache: false), so that two commits can be compared."""
    assert not {name for name in outputs(cached=True) if name.startswith(("metrics/", "plots/"))}
    for stage in STAGES:
        for kind in ("metrics", "plots"):
            for entry in PIPELINE["stages"][stage].get(kind, []):
                ((_, settings),) = entry.items()
                assert settings["cache"] is False, entry
    drawn = {file for plot in PIPELINE["plots"] for keys in plot.values() for file in keys["y"]}
    assert drawn <= outputs(cached=False) | BY_HAND


def test_the_page_of_plots_holds_the_scripts_that_it_names() -> None:
    page = (ROOT / ".dvc" / "plots" / "page.html").read_text()
    script = r'data-package="([\w-]+)@[\d.]+" data-sha256="(\w+)">(.*?)</script>'
    scripts = re.findall(script, page, re.DOTALL)
    assert [name for name, _, _ in scripts] == ["vega", "vega-lite", "vega-embed"]
    for _, digest, code in scripts:
        assert hashlib.sha256(code.encode()).hexdigest() == digest


def test_the_page_has_headings_and_leaves_out_results_that_are_no_plots(tmp_path: Path) -> None:
    """JSON results stand under plots for DVC's run cache; only the page can leave them out."""
    if (chromium := shutil.which("chromium")) is None:
        pytest.skip("no Chromium here")
    ids = [
        "metrics_test_json",
        "plots_by_distance_csv",
        "plots_confusion_csv",
        "Validation_score",
        "plots_data_classes_csv",
    ]
    spec = '{"data": {"values": [{"a": 1}]}, "mark": "point", "encoding": {"x": {"field": "a"}}}'
    divs = "".join(
        f'<div id = "{name}"><script>var spec = {spec}; vegaEmbed("#{name}", spec);</script></div>'
        for name in ids
    )
    page = (ROOT / ".dvc" / "plots" / "page.html").read_text()
    file = tmp_path / "page.html"
    file.write_text(page.replace("{plot_divs}", divs).replace("{refresh_tag}", ""))
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    flags += ["--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=20000", "--dump-dom"]
    shown = run([chromium, *flags, file.as_uri()], tmp_path).stdout
    body = shown[shown.index("<body") :]
    assert re.findall(r"<h2>([^<]*)</h2>", body) == ["Data", "Training", "Test set"]
    assert body.count("<canvas") == 3
    assert 'id="metrics_test_json"' not in body and 'id="plots_by_distance_csv"' not in body


def test_few_columns_are_metrics(tmp_path: Path) -> None:
    """Every number of a metric is a column of `dvc exp show`."""
    found = [name for stage in STAGES for name in map(_name, PIPELINE["stages"][stage].get("metrics", []))]
    assert found == ["metrics/validation.json", "metrics/summary.json"]
    copy = copy_of_the_tree(tmp_path)
    (copy / "metrics" / "validation.json").write_text(json.dumps({"val_score": 0.9, "val_macro_recall": 0.8}))
    (copy / "metrics" / "summary.json").write_text(json.dumps({"test_accuracy": 0.9, "test_chains": 297}))
    for command in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=t", "-c", "user.email=t@e", "commit", "-qm", "a"],
    ):
        ok(run(["git", *command], copy))
    rows = json.loads(ok(run(["dvc", "exp", "show", "--json"], copy)).splitlines()[0])
    assert set(rows[0]["data"]["metrics"]) == set(found)
