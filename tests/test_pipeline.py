"""The whole pipeline through DVC, tiny, in a clone; and the same through the guide's script."""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML  # DVC's own parser, which keeps comments

from bioblobs.evaluation.untrained_baselines import NEAREST
from bioblobs.interpretation import report_file as reading
from runs import TINY, ok, run
from working_tree import copy_of_the_tree

SETTINGS = [f"--set-param={key}={value}" for key, value in TINY.items()]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository with the working tree in it, after one tiny ``dvc exp run``."""
    folder = copy_of_the_tree(tmp_path_factory.mktemp("clone"))
    (folder / "dvc.lock").unlink(missing_ok=True)
    for command in (
        ["git", "init", "-q"],
        ["git", "config", "user.email", "test@example.org"],
        ["git", "config", "user.name", "test"],
        ["git", "add", "-A"],
        ["git", "commit", "-qm", "start"],
    ):
        ok(run(command, folder))
    ok(run(["dvc", "exp", "run", *SETTINGS], folder))
    ok(run(["git", "add", "-A"], folder))
    ok(run(["git", "commit", "-qm", "tiny run"], folder))
    return folder


def test_every_stage_ran_and_a_second_run_has_nothing_to_do(clone: Path) -> None:
    assert "up to date" in ok(run(["dvc", "repro"], clone))
    for name in ("metrics/test.json", "outputs/final_multistage_model.ckpt", "plots/confusion.csv"):
        assert (clone / name).stat().st_size > 0


def test_the_script_gives_the_same_metrics(clone: Path) -> None:
    """Two routes to one thing: ``-S key=value`` and ``key=value`` mean the same."""
    words = [f"{key}={value}" for key, value in TINY.items()]
    ok(run(["python", "run_partoken_multistage.py", *words], clone))
    (folder,) = clone.glob("outputs/partoken-multistage/scop/multistage_*")
    for name in (
        "data",
        "leakage",
        "stage_0",
        "codebook_init",
        "stage_1",
        "test",
        "ablation",
        "interpretability",
        "faithfulness",
    ):
        ours, theirs = folder / "metrics" / f"{name}.json", clone / "metrics" / f"{name}.json"
        assert json.loads(ours.read_text()) == json.loads(theirs.read_text()), name


def test_sanity_trains_the_other(clone: Path) -> None:
    """Run `make sanity`: one more model, of permuted labels, is compared with the first."""
    command = ["python", "-m", "bioblobs.stages", "sanity", "--config", "params.yaml", "--paths.metrics=sane"]
    ok(run(command, clone, PYTHONPATH="src"))
    made = json.loads((clone / "sane" / "sanity.json").read_text())
    assert set(made["agreement"]) == {"permuted_labels"}
    assert set(made["deletion_gain"]) == {"random_residues", "permuted_labels"}


@pytest.mark.parametrize(
    ("key", "value", "affected"),
    [
        ("model.codebook_size", 20, {"init_codebook", "train_stage1"}),
        ("multistage.stage1.lambda_vq", 0.5, {"train_stage1"}),
        ("multistage.stage1.kmeans_batches", 5, {"init_codebook", "train_stage1"}),
        ("evaluation.bootstrap", 30, {"evaluate"}),
        ("interpretability.significance", 0.01, {"interpret"}),
        ("interpretability.gradient_steps", 3, {"faithfulness"}),
        ("leakage.structure_hits", 0, {"leakage"}),
        ("report.proteins", 20, {"report"}),
        ("model.tau_init", 2.0, {"train_stage0", "train_stage1"}),
        ("data.data_dir", "./elsewhere", {"download", "prepare"}),
        ("data.task_title", "folds of ours", {"evaluate", "interpret"}),
    ],
)
def test_a_changed_key_touches_only_the_stages_that_read_it(
    clone: Path, key: str, value: object, affected: set[str]
) -> None:
    path = clone / "params.yaml"
    before = path.read_text()
    params = YAML().load(before)
    group, *inner, leaf = key.split(".")
    place = params[group]
    for name in inner:
        place = place[name]
    place[leaf] = value
    try:
        with path.open("w") as file:
            YAML().dump(params, file)
        assert set(json.loads(ok(run(["dvc", "status", "--json"], clone)))) == affected
    finally:
        path.write_text(before)


@pytest.mark.parametrize("name", ["new.pdb", "deep/labels.csv"])
def test_a_changed_file_among_your_own_structures_prepares_again(clone: Path, name: str) -> None:
    path = clone / "data" / "structures" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("changed")
    try:
        assert set(json.loads(ok(run(["dvc", "status", "--json"], clone)))) == {"prepare"}
    finally:
        path.unlink()


def test_the_report_follows_its_schema(clone: Path) -> None:
    schema = reading.schema()
    report = json.loads((clone / "outputs/interpretability/test_interpretability.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(report)


def test_test_metrics_have_the_documented_form(clone: Path) -> None:
    scores = json.loads((clone / "metrics" / "test.json").read_text())
    models = ["stage0", "stage1", "majority", "composition", "kmers", *NEAREST.values()]
    scaled = {"stage0_scaled", "stage1_scaled"}
    assert [name for name in scores if name not in scaled] == models and scaled < set(scores)
    for name, values in scores.items():
        plain = {"accuracy", "macro_precision", "macro_recall", "macro_f1", "auroc"}
        assert set(values) == ({"temperature", "ece"} if name in scaled else {*plain, "ece"})
        assert all(set(interval) == {"value", "low", "high"} for interval in values.values())


def test_evaluating_twice_gives_the_same_files(clone: Path, tmp_path: Path) -> None:
    arguments = ["--config", "params.yaml", f"--paths.metrics={tmp_path}/m", f"--paths.plots={tmp_path}/p"]
    for stage in ("evaluate", "interpret"):
        report = clone / "outputs" / "interpretability" / "test_interpretability.json"
        before = report.read_bytes()
        ok(run(["python", "-m", "bioblobs.stages", stage, *arguments], clone, PYTHONPATH="src"))
        assert report.read_bytes() == before
    for name in ("test", "ablation", "interpretability"):
        assert (tmp_path / "m" / f"{name}.json").read_text() == (clone / f"metrics/{name}.json").read_text()


def test_metrics_and_plots_diff_compare_commits(clone: Path, tmp_path: Path) -> None:
    ok(run(["dvc", "exp", "run", "-S", "evaluation.bootstrap=25"], clone))
    done = run(["dvc", "metrics", "diff", "--json", "HEAD", "--targets", "metrics/test.json"], clone)
    changed = json.loads(ok(done).splitlines()[0])["metrics/test.json"]
    # Other resamples: other intervals, the same scores.
    assert changed
    assert not [name for name in changed if name.endswith(".value")]
    ok(run(["dvc", "plots", "diff", "HEAD", "-o", "page"], clone))
    page = (clone / "page" / "index.html").read_text()
    drawn = set(re.findall(r'<div id = "(\w+)"', page))
    assert {"plots_confusion_csv", "Validation_score", "plots_codebook_usage_csv"} <= drawn
    assert not re.findall(r"<(?:script|link)\b[^>]*\b(?:src|href)\s*=", page)  # all in the page itself
    if chromium := shutil.which("chromium"):
        flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}"]
        flags += ["--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=20000", "--dump-dom"]
        shown = run([chromium, *flags, (clone / "page" / "index.html").as_uri()], clone)
        left_out = {name for name in drawn if name.startswith("metrics_")} | {"plots_by_distance_csv"}
        assert shown.stdout.count("<canvas") == len(drawn - left_out)


def test_without_its_lock_file_nothing_runs_again(clone: Path) -> None:
    """The run cache knows every stage that ran; `download` only looks at what is there."""
    ok(run(["git", "stash", "-q"], clone))  # the experiment that the test above applied
    before = YAML().load(clone / "dvc.lock")
    (clone / "dvc.lock").unlink()
    output = ok(run(["dvc", "repro"], clone))
    assert re.findall(r"Running stage '(\w+)'", output) == ["download"]
    stages = YAML().load(clone / "dvc.yaml")["stages"]
    assert output.count("is cached - skipping run") == len(stages) - 1
    assert YAML().load(clone / "dvc.lock") == before
    assert not ok(run(["git", "status", "--porcelain", "metrics", "plots"], clone))


def test_two_workers_repeat_no_stage(clone: Path) -> None:
    ok(run(["dvc", "exp", "run", "--queue", "-S", "interpretability.deletion_repeats=2,3"], clone))
    ok(run(["dvc", "queue", "start", "-j", "2"], clone))
    end, states = time.monotonic() + 3600, "Queued"
    while re.search("Running|Queued", states) and time.monotonic() < end:
        time.sleep(1)
        states = ok(run(["dvc", "queue", "status"], clone))
    names = re.findall(r"^\w+\s+(\S+)\s.*\sSuccess", states, re.MULTILINE)  # between them: an hour or a date
    assert len(names) == 2, states
    for name in names:
        log = ok(run(["dvc", "queue", "logs", name], clone))
        assert re.findall(r"Running stage '(\w+)'", log) == ["faithfulness", "report", "summary"]


def test_a_checkout_links_the_prepared_store(clone: Path) -> None:
    """Each worker's folder gets links: no copy of the data per experiment."""
    [types] = re.findall(r"Cache types: (.*)", ok(run(["dvc", "doctor"], clone)))
    if "reflink" in types:
        pytest.skip("this file system shares the blocks of copies, which no link count shows")
    shutil.rmtree(clone / "data" / "prepared")
    ok(run(["dvc", "checkout", "data/prepared"], clone))
    links = {path.name: path.stat().st_nlink for path in (clone / "data" / "prepared").glob("*.npy")}
    assert links
    assert min(links.values()) > 1, links


def test_a_model_is_shared_through_git_and_a_remote(clone: Path, tmp_path: Path) -> None:
    hub, store, other = (str(tmp_path / name) for name in ("hub.git", "store", "other"))
    for command in (
        ["git", "clone", "-q", "--bare", str(clone), hub],
        ["git", "remote", "add", "hub", hub],
        ["dvc", "remote", "add", "-d", "shared", store],
        ["git", "commit", "-qm", "remote", ".dvc/config"],
        ["git", "push", "-q", "hub", "HEAD"],
        ["dvc", "push"],
    ):
        ok(run(command, clone))
    ok(run(["git", "clone", "-q", hub, other], tmp_path))
    ok(run(["dvc", "pull"], Path(other)))
    assert ok(run(["dvc", "status"], Path(other))).strip() == "Data and pipelines are up to date."
    ok(run(["dvc", "get", hub, "outputs/final_multistage_model.ckpt", "-o", "got.ckpt"], tmp_path))
    ours = clone / "outputs" / "final_multistage_model.ckpt"
    assert (tmp_path / "got.ckpt").read_bytes() == ours.read_bytes()
