"""The script's own words: how it reads its arguments and names its folders."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import pytest

from bioblobs.config.flags import as_flags, as_yaml
from bioblobs.config.parsing import parse
from bioblobs.config.schema import Config
from bioblobs.errors import BioBlobsError
from bioblobs.io import write_json
from bioblobs.stages.__main__ import NAMES
from bioblobs.stages.__main__ import main as stages
from bioblobs.stages.pipeline import run
from bioblobs.stages.runs.in_order import DONE, done_before
from bioblobs.stages.runs.run_folder import folder_to_resume, new_run_folder, store_path
from conftest import ROOT
from damage import KINDS, damage
from runs import TINY, ok
from runs import run as command


def test_both_spellings_of_config_replace_the_default() -> None:
    spaced = as_flags(["--config", "params/guide.yaml", "train.batch_size=8"])
    joined = as_flags(["train.batch_size=8", "--config=params/guide.yaml"])
    assert "params.yaml" not in " ".join([*spaced, *joined]).replace("params/guide.yaml", "")
    for flags in (spaced, joined):
        config, _ = parse("test", [flag.replace("params/", f"{ROOT}/params/") for flag in flags])
        assert (config.train.batch_size, config.data.max_length) == (8, None)


@pytest.mark.parametrize("word", ["train.batchsize=3", "model.codebook_size", "fish"])
def test_a_word_that_is_no_key_is_refused_by_its_name(word: str) -> None:
    with pytest.raises(BioBlobsError, match=word.split("=")[0]):
        as_flags([word])


def test_a_typo_is_answered_with_the_nearest_key() -> None:
    with pytest.raises(BioBlobsError, match=r"did you mean train\.batch_size"):
        as_flags(["train.batchsize=3"])


def test_several_machines_are_refused_where_one_runs_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(BioBlobsError, match=r"train\.num_nodes.*several_devices"):
        run(["train.num_nodes=2"])


@pytest.mark.parametrize(
    "words", [["--resume"], ["--resume", "x", "train.seed=1"], ["train.seed=1", "--resume=x"]]
)
def test_a_resumed_run_takes_no_other_words(words: list[str]) -> None:
    with pytest.raises(BioBlobsError, match="no other words"):
        run(words)


def test_only_a_run_can_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(BioBlobsError, match=r"no run to go on with: config\.yaml"):
        run([f"--resume={tmp_path}"])


KILLED = """
import os, signal, sys
from bioblobs.stages import init_codebook
from bioblobs.stages.pipeline import run
init_codebook.run = lambda *args: os.kill(os.getpid(), signal.SIGKILL)
run(sys.argv[1:])
"""


def test_a_killed_run_goes_on_in_its_folder_with_its_parameters(tmp_path: Path) -> None:
    words = [f"{key}={value}" for key, value in {**TINY, "train.seed": "3"}.items()]
    words += ["--config", str(ROOT / "params.yaml"), "leakage.structure_hits=0"]
    (tmp_path / "data").mkdir()
    for name in ("sample", "sites.csv"):
        (tmp_path / "data" / name).symlink_to(ROOT / "data" / name)
    done = command([sys.executable, "-c", KILLED, *words], tmp_path, PYTHONPATH=str(ROOT / "src"))
    assert done.returncode == -signal.SIGKILL
    (folder,) = tmp_path.glob("outputs/partoken-multistage/scop/multistage_*")
    stage_0 = (folder / "stage_0" / "stage_0_final.ckpt").stat().st_mtime_ns
    said = ok(
        command([sys.executable, str(ROOT / "run_partoken_multistage.py"), "--resume", str(folder)], tmp_path)
    )
    assert "stage 0: baseline (done before)" in said
    assert (folder / "stage_0" / "stage_0_final.ckpt").stat().st_mtime_ns == stage_0
    assert json.loads((folder / "metrics" / "stage_1.json").read_text())["seed"] == 3
    assert (folder / "final_multistage_model.ckpt").is_file()


def test_a_run_that_cannot_begin_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BioBlobsError, match=r"chains\.parquet"):
        run(["--config", str(ROOT / "params.yaml"), f"data.data_dir={tmp_path}"])
    assert not list(tmp_path.glob("outputs/*/*/*"))


def test_a_later_run_of_a_day_gets_a_folder_of_its_own(tmp_path: Path) -> None:
    folders = [new_run_folder(tmp_path, "train: {seed: 1}\n") for _ in range(3)]
    assert len(set(folders)) == 3
    assert [folder.name.removeprefix(folders[0].name) for folder in folders] == ["", "_2", "_3"]
    assert {*tmp_path.iterdir()} == {*folders}
    assert {(folder / "config.yaml").read_text() for folder in folders} == {"train: {seed: 1}\n"}


KILLED_EARLY = """
import os, signal, sys
from bioblobs.stages import pipeline
pipeline.prepare_once = lambda *args: os.kill(os.getpid(), signal.SIGKILL)
pipeline.run(sys.argv[1:])
"""


def test_a_run_that_is_killed_while_it_prepares_can_be_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sample").symlink_to(ROOT / "data" / "sample")
    words = ["--config", str(ROOT / "params.yaml"), "train.seed=3"]
    done = command([sys.executable, "-c", KILLED_EARLY, *words], tmp_path, PYTHONPATH=str(ROOT / "src"))
    assert done.returncode == -signal.SIGKILL
    (folder,) = tmp_path.glob("outputs/partoken-multistage/scop/multistage_*")
    resumed = folder_to_resume(["--resume", str(folder)])
    assert resumed == folder
    assert parse("", ["--config", str(folder / "config.yaml")])[0].train.seed == 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_whose_parameters_were_damaged_is_not_gone_on_with(kind: str, tmp_path: Path) -> None:
    """Without a word it would go on with other parameters, or with defaults."""
    folder = new_run_folder(tmp_path, as_yaml(Config()))
    assert folder_to_resume(["--resume", str(folder)]) == folder
    damage(folder / "config.yaml", kind)
    with pytest.raises(BioBlobsError, match=r"config\.yaml") as error:
        folder_to_resume(["--resume", str(folder)])
    assert str(folder) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_record_of_what_is_done_is_not_believed(kind: str, tmp_path: Path) -> None:
    titles = ["leakage between the splits", "stage 0: baseline", "codebook: k-means"]
    record = tmp_path / DONE
    write_json(record, titles[:2])
    assert done_before(record, titles) == titles[:2]
    damage(record, kind)
    try:
        assert done_before(record, titles) in ([], titles[:2])  # nothing done: everything runs again
    except BioBlobsError as error:
        assert str(record) in str(error) and "remove it" in str(error) and "\n" not in str(error)


def test_a_store_is_named_by_what_shapes_it(tmp_path: Path) -> None:
    (tmp_path / "sample").mkdir()
    source = tmp_path / "sample" / "chains.parquet"
    source.write_bytes(b"one")

    def name(*words: str) -> Path:
        return store_path(parse("test", [f"--data.data_dir={tmp_path}", *words])[0])

    before = name()
    assert name("--model.codebook_size=3") == before
    assert name("--data.max_length=50") != before
    assert name("--data.seed=1") != before
    assert name("--train.seed=1") == before  # another training of the same data
    source.write_bytes(b"another")
    assert name() != before


# The entry of the stages


def test_the_entry_lists_the_stages_and_runs_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit) as stopped:
        stages(["--help"])
    said = capsys.readouterr().out
    assert stopped.value.code == 0 and all(f"  {name} " in said for name in NAMES)
    monkeypatch.chdir(tmp_path)
    stages(["download", "--config", str(ROOT / "params.yaml"), f"--data.data_dir={tmp_path}"])
    assert "nothing to download" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "said"), [("train_stage2", "did you mean train_stage"), ("runs", "no such stage")]
)
def test_an_unknown_stage_is_one_line(name: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        stages([name, "--config", "params.yaml"])
    error = capsys.readouterr().err
    assert stopped.value.code == 2 and said in error and error.count("\n") == 1
