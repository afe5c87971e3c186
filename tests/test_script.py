"""The script's own words: how it reads its arguments and names its folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from bioblobs.errors import BioBlobsError
from bioblobs.parameters.parsing import parse
from bioblobs.stages.pipeline import as_flags, new_run_folder, run, store_path
from conftest import ROOT


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


def test_several_devices_are_refused_where_one_process_runs_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(BioBlobsError, match=r"train\.devices"):
        run(["train.devices=2"])


def test_a_run_that_cannot_begin_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BioBlobsError, match=r"chains\.parquet"):
        run(["--config", str(ROOT / "params.yaml"), f"data.data_dir={tmp_path}"])
    assert not list(tmp_path.glob("outputs/*/*/*"))


def test_a_later_run_of_a_day_gets_a_folder_of_its_own(tmp_path: Path) -> None:
    folders = [new_run_folder(tmp_path) for _ in range(3)]
    assert len(set(folders)) == 3
    assert [folder.name.removeprefix(folders[0].name) for folder in folders] == ["", "_2", "_3"]


def test_a_store_is_named_by_what_shapes_it(tmp_path: Path) -> None:
    (tmp_path / "sample").mkdir()
    source = tmp_path / "sample" / "chains.parquet"
    source.write_bytes(b"one")

    def name(*words: str) -> Path:
        return store_path(parse("test", [f"--data.data_dir={tmp_path}", *words])[0])

    before = name()
    assert name("--model.codebook_size=3") == before
    assert name("--data.max_length=50") != before
    assert name("--train.seed=1") != before
    source.write_bytes(b"another")
    assert name() != before
