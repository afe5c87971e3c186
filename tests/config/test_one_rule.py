"""A file of parameters and a command line are read by one rule: one refuses what the other does."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import yaml

from bioblobs.config.file_words import with_files_read
from bioblobs.config.parsing import Parser, parameter_parser, parse
from bioblobs.config.schema import Config, leaf_keys, subgroups
from bioblobs.errors import BioBlobsError
from bioblobs.search.space import read_space
from bioblobs.training.stage import Stage0CLI
from conftest import ROOT
from runs import run

SPELLINGS = (
    "null",
    "~",
    "",
    "[]",
    "{}",
    "[[1, 2], 3]",
    "[1, null]",
    "yes",
    "fish",
    "1e400",
    "-1",
    "3.7",
    "6e1",
)
"""Spellings of values, most of which most keys refuse."""
DEFAULTS = yaml.safe_load((ROOT / "params.yaml").read_text())


def nullable() -> Iterator[str]:
    """Keys whose type has None."""

    def within(group: type[Any]) -> Iterator[str]:
        inner = subgroups(group)
        for kind in inner.values():
            yield from within(kind)
        for name, kind in get_type_hints(group).items():
            if type(None) in get_args(kind):
                yield f"{group.path}.{name}"

    yield from within(Config)


NULLABLE = set(nullable())


@pytest.fixture(scope="module")
def parser() -> Parser:
    return parameter_parser("")


def written(path: Path, key: str, spelling: str) -> list[str]:
    """Words for a file with this one key."""
    *groups, name = key.split(".")
    lines = ["  " * depth + f"{group}:" for depth, group in enumerate(groups)]
    path.write_text("\n".join([*lines, "  " * len(groups) + f"{name}: {spelling}"]) + "\n")
    return ["--config", str(path)]


def outcome(parser: Parser, words: list[str], capsys: pytest.CaptureFixture[str]) -> object:
    """The key's value, or the line that refuses it."""
    try:
        values = parser.parse_args(with_files_read(words))
    except SystemExit:
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and len(said) < 400, said
        return said
    return {key: values[key] for key in leaf_keys()}


@pytest.mark.parametrize("key", leaf_keys())
def test_a_file_and_a_command_line_refuse_the_same_in_the_same_words(
    key: str, parser: Parser, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "params.yaml"
    for spelling in SPELLINGS:  # the parser sees no difference; a blank in a file is YAML's null
        assert with_files_read(written(path, key, spelling)) == [f"--{key}={spelling or 'null'}"]
    for spelling in ("null", "''"):  # YAML's empty text is the command line's KEY=
        word = spelling.strip("'")
        from_file = outcome(parser, written(path, key, spelling), capsys)
        assert from_file == outcome(parser, [f"--{key}={word}"], capsys)
        if key in NULLABLE and word:
            assert isinstance(from_file, dict)
        else:
            assert str(from_file).startswith(f"error: {key}: expected ")
            assert str(from_file).endswith(f"; got {word or 'nothing'}\n")


def test_keys_that_may_be_null_are_few() -> None:
    assert {"data.table", "data.subset", "model.cut_layers", "interpretability.proteins"} <= NULLABLE
    assert len(NULLABLE) < 15 < 80 < len(leaf_keys())


def test_the_values_of_params_yaml_mean_the_same_in_both(tmp_path: Path) -> None:
    def words(tree: dict[str, Any], prefix: str = "--") -> Iterator[str]:
        for name, value in tree.items():
            if isinstance(value, dict):
                yield from words(value, f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}={'null' if value is None else str(value).replace(chr(39), '')}"

    assert parse("", ["--config", str(ROOT / "params.yaml")]) == parse("", list(words(DEFAULTS)))


@pytest.mark.parametrize("key", ["data.folder", "train.seed", "model.node_h_dim", "multistage.stage1.lr"])
def test_a_null_stops_the_script_and_a_stage_before_any_work(key: str, tmp_path: Path) -> None:
    """As dvc exp run -S KEY=null would write it."""
    tree = yaml.safe_load(yaml.safe_dump(DEFAULTS))
    *groups, name = key.split(".")
    place = tree
    for group in groups:
        place = place[group]
    place[name] = None
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(tree))
    script = [sys.executable, str(ROOT / "run_partoken_multistage.py")]
    stage = [sys.executable, "-m", "bioblobs.stages", "prepare", "--config", "params.yaml"]
    said = [run(words, tmp_path, PYTHONPATH=str(ROOT / "src")) for words in (script, stage)]
    assert {done.returncode for done in said} == {2} and {done.stdout for done in said} == {""}
    assert len({done.stderr for done in said}) == 1
    assert said[0].stderr.startswith(f"error: {key}: expected ") and said[0].stderr.endswith("; got null\n")
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


BOMB = "\n".join(
    [
        "model:",
        "  node_in_dim: &a [x, x, x, x, x, x, x, x, x]",
        *(
            f"  {name}: &{this} [{', '.join([f'*{last}'] * 9)}]"
            for name, last, this in zip(
                ["node_h_dim", "edge_in_dim", "edge_h_dim", "cut_h_dim", "tau_min", "tau_init", "psc_temp"],
                "abcdefg",
                "bcdefgh",
                strict=True,
            )
        ),
    ]
)
MERGED = "data: &a {seed: 1}\n" + "\n".join(
    f"x{this}: &{this} {{<<: [{', '.join([f'*{last}'] * 9)}]}}"
    for last, this in zip("abcdefg", "bcdefgh", strict=True)
)
FAULTS: dict[str, tuple[str | bytes, str]] = {
    "UTF-16": ("train: {seed: 1}".encode("utf-16"), r": not UTF-8 \(byte 0\); save it as UTF-8$"),
    "Latin-1": (b"data:\n  folder: caf\xe9\n", r": not UTF-8 \(byte 19\)"),
    "aliases of aliases": (BOMB, " more than 10000 values"),
    "merges of merges": ("train:\n  seed: 1\n" + MERGED, "no such key|more than 10000"),
    "a group within itself": ("train: &a {<<: *a}", "more than 30 deep"),
    "a list within itself": ("model: {node_h_dim: &a [*a]}", "more than 30 deep"),
    "very deep": ("model: {node_h_dim: " + "[" * 5000, "more than 30 deep"),
    "a key twice": ("train:\n  seed: 1\n  lr: 2\n  seed: 2\n", " line 4: seed: stands twice"),
    "a group twice": ("train: {seed: 1}\ndata: {seed: 2}\ntrain: {seed: 3}", " line 3: train: stands twice"),
    "a key in two spellings": ("train.seed: 1\ntrain: {seed: 2}", " line 2: train.seed: stands twice"),
    "an unknown key": ("train:\n  sed: 1", r" line 2: train.sed: no such key \(did you mean train.seed"),
    "an unknown group": ("trian: {seed: 1}", " line 1: trian: no such key"),
    "a group that is nothing": (
        "data:\ntrain:\n  seed: 1",
        " line 1: data: expected keys of this group; got n",
    ),
    "a group that is a value": (
        "multistage: {stage0: 3}",
        "multistage.stage0: expected keys of this group; got 3",
    ),
    "a group that is a list": ("train: [seed]", "train: expected keys of this group; got a list"),
    "nothing": ("", "got an empty file"),
    "only remarks": ("# data:\n", "got an empty file"),
    "a list": ("- train", "expected groups of keys"),
    "a text": ("train", "expected groups of keys"),
    "cut off": ("train: {seed: 1", r" line 1: not YAML \(expected"),
    "two documents": ("data: {seed: 1}\n---\ndata: {seed: 2}", "another document"),
    "a control character": ("data: {folder: a\x07}", "not YAML"),
    "a Python object": ("train: {seed: !!python/object/apply:os.getpid []}", "a tag that is not known here"),
    "a list for a name": ("? [a]\n: 3", "expected a name before the colon"),
    "too large": ("#" * 200_000, "more than 100000 bytes"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_is_no_set_of_parameters_is_one_line(fault: str, tmp_path: Path) -> None:
    content, said = FAULTS[fault]
    path = tmp_path / "params.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    for command in (lambda words: parse("", words), lambda words: Stage0CLI(["fit", *words])):
        begun = time.process_time()
        with pytest.raises(BioBlobsError, match=said) as error:
            command(["--config", str(path)])
        assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)
        assert time.process_time() - begun < 15  # 40 s before there was a limit


@pytest.mark.parametrize("name", ["none.yaml", ".", "/dev/zero", "a\0b"])
def test_a_place_that_is_no_file_is_one_line(name: str, tmp_path: Path) -> None:
    with pytest.raises(BioBlobsError, match=r"cannot be read|not a file"):
        parse("", ["--config", str(tmp_path / name)])


def test_ordinary_aliases_and_merges_are_read(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(
        "multistage:\n  stage0: &both {lr: 1e-3, epochs: &n 4}\n  stage1:\n    <<: *both\n    lr: 2e-3\n"
        "train: {seed: *n}\n"
    )
    config, _ = parse("", ["--config", str(path)])
    stages = config.multistage
    assert (stages.stage0.lr, stages.stage1.lr, stages.stage1.epochs, config.train.seed) == (1e-3, 2e-3, 4, 4)


def test_text_is_read_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    for folder in ("a b", "2024-01-01", "0123", "a: b, c", "größer/\U0001f9ec", "--x", "it's", "{seed}"[1:]):
        path.write_text(yaml.safe_dump({"data": {"folder": folder}}, allow_unicode=True), encoding="utf-8")
        assert parse("", ["--config", str(path)])[0].data.folder == folder
        assert parse("", [f"--data.folder={folder}"])[0].data.folder == folder


def test_later_files_and_words_win(tmp_path: Path) -> None:
    for name, text in (("a", "train: {seed: 1, batch_size: 2}"), ("b", "train: {seed: 3}")):
        (tmp_path / name).write_text(text)
    one, other = str(tmp_path / "a"), str(tmp_path / "b")
    config = parse("", ["--train.seed=9", f"--config={one}", "--config", other, "--train.batch_size=5"])[0]
    assert (config.train.seed, config.train.batch_size) == (3, 5)


def test_places_may_stand_in_a_file_and_arguments_of_lightning_in_that_of_a_training(tmp_path: Path) -> None:
    path = tmp_path / "more.yaml"
    path.write_text("paths: {output: elsewhere}")
    assert parse("", ["--config", str(path)])[1].output == "elsewhere"
    path.write_text("paths: {output: null}")
    with pytest.raises(SystemExit):
        parse("", ["--config", str(path)])
    path.write_text("trainer: {max_epochs: 3}")
    with pytest.raises(BioBlobsError, match=r"trainer\.max_epochs: follows from"):
        Stage0CLI(["fit", "--config", str(path)])
    with pytest.raises(BioBlobsError, match="trainer: no such key"):
        parse("", ["--config", str(path)])


@pytest.mark.parametrize("seeds", ["[]", "[1, 1]", "[4294967296]"])
def test_seeds_that_make_no_comparison_are_refused(seeds: str) -> None:
    with pytest.raises(BioBlobsError, match=re.escape("interpretability.seeds: expected at least one seed")):
        parse("", [f"--interpretability.seeds={seeds}"])


@pytest.mark.parametrize("fault", ["UTF-16", "a key twice", "cut off", "too large", "nothing"])
def test_a_search_space_is_read_by_the_same_rule(fault: str, tmp_path: Path) -> None:
    content, _ = FAULTS[fault]
    path = tmp_path / "search.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BioBlobsError) as error:
        read_space(path)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)
