"""A little of `make fuzz`: damaged input of each kind is read, or refused in one line."""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

import pytest

from robustness.fuzz import FINE, outcome, results
from robustness.mutations import WAYS, mutated
from robustness.readers import Kind, kinds

INPUTS = 12


@pytest.fixture(scope="module")
def all_kinds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Kind]:
    return kinds(tmp_path_factory.mktemp("made"))


@pytest.mark.parametrize("name", ["structure", "table", "parameters", "checkpoint", "predictions"])
def test_damaged_input_is_read_or_refused_in_one_line(
    all_kinds: dict[str, Kind], name: str, tmp_path: Path
) -> None:
    found = dict(results(all_kinds[name], name, list(range(INPUTS))))
    assert len(found) == INPUTS
    assert {number: what for number, what in found.items() if what not in FINE} == {}


@pytest.mark.parametrize("name", ["table", "parameters", "checkpoint", "predictions"])
def test_intact_input_is_read(all_kinds: dict[str, Kind], name: str, tmp_path: Path) -> None:
    for file, content in all_kinds[name].files:
        (tmp_path / file).write_bytes(content)
        all_kinds[name].read(tmp_path / file)


def test_every_way_damages_and_an_input_is_the_same_again() -> None:
    content = b"ATOM 1 N 0.5\nATOM 2 CA 1.5\nATOM 3 C 2.5\n"
    for way in WAYS:
        assert any(way(content, random.Random(n), [b"other"]) != content for n in range(20)), way.__name__
    assert mutated(content, random.Random(3), []) == mutated(content, random.Random(3), [])
    assert all(mutated(content, random.Random(n), []) != content for n in range(50))


def _dies(path: Path) -> None:
    import os

    os._exit(3)


def _loops(path: Path) -> None:
    while True:
        pass


def _waits(path: Path) -> None:
    time.sleep(600)


def _fails(path: Path) -> None:
    raise ValueError("no")


def _says_two_lines(path: Path) -> None:
    print("one\ntwo", file=sys.stderr)
    sys.exit(1)


@pytest.mark.parametrize(
    ("read", "what"),
    [
        (_dies, "crash"),
        (_fails, "traceback"),
        (_says_two_lines, "several lines"),
        (_loops, "hang"),
        (_waits, "hang"),
    ],
)
def test_what_is_not_fine_is_seen(read: object, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robustness.fuzz.SECONDS", 0.2)
    monkeypatch.setattr("robustness.fuzz.WAIT", 5 if read is _waits else 600)
    kind = Kind(read, [("a.txt", b"some text")])  # type: ignore[arg-type]
    found = [said for _, said in results(kind, "x", [0, 1])]
    assert len(found) == 2 and all(said.startswith(what) for said in found)


def test_a_file_that_is_read_counts_as_read(tmp_path: Path) -> None:
    assert outcome(Kind(Path.read_bytes, [("a.txt", b"some text")]), 0, tmp_path, "x") == "read"
