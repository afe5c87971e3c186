"""Files and folders that are there whole or not at all, and numbers as people read them."""

from __future__ import annotations

import pickle
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bioblobs.errors import BioBlobsError, one_line_errors, printable
from bioblobs.io import interval, open_text, put_in_place, scratch_of, whole_file, whole_folder, write_text
from bioblobs.prediction.output_folder import output_folder
from bioblobs.structures.files import StructureError
from conftest import ROOT


@pytest.mark.parametrize("sync", [False, True])
def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path, sync: bool) -> None:
    path = tmp_path / "new" / "table.csv"
    with pytest.raises(RuntimeError), whole_file(path, sync) as scratch:
        scratch.write_text("half")
        raise RuntimeError
    assert not list(path.parent.iterdir())
    for text in ("first", "second"):
        with whole_file(path, sync) as scratch:
            scratch.write_text(text)
        assert path.read_text() == text
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "out"
    for name in ("first", "second"):
        with whole_folder(path) as scratch:
            (scratch / name).write_text("whole")
        assert [each.name for each in path.iterdir()] == [name]
    with pytest.raises(RuntimeError), whole_folder(path) as scratch:
        (scratch / "third").write_text("half")
        raise RuntimeError
    assert [each.name for each in path.iterdir()] == ["second"]
    assert list(tmp_path.iterdir()) == [path]


def test_what_was_there_comes_back_where_the_new_one_cannot(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.mkdir()
    (path / "kept").write_text("old")
    with pytest.raises(FileNotFoundError):
        put_in_place(tmp_path / "missing", path)
    assert (path / "kept").read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


HOLD = """
import sys, time
from pathlib import Path
from bioblobs.prediction.output_folder import output_folder
with output_folder(Path(sys.argv[1])) as scratch:
    (scratch / "half").write_text("half")
    print("writing", flush=True)
    time.sleep(600)
"""


def test_a_folder_of_a_living_process_is_left_alone_and_one_of_a_killed_process_is_swept(
    tmp_path: Path,
) -> None:
    """A lock tells which it is: process numbers come again, and only Linux lists them under /proc."""
    path = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        env={"PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"writing\n"
        with pytest.raises(BioBlobsError, match="another process is writing here"), output_folder(path):
            pass
        assert (scratch_of(path) / "half").is_file()
    finally:
        process.kill()
        process.communicate()
    assert (scratch_of(path) / "half").is_file()
    with output_folder(path) as scratch:
        assert not list(scratch.iterdir())
        (scratch / "whole").write_text("whole")
    assert [each.name for each in path.iterdir()] == ["whole"]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (0.9021, 0.8649, 0.9362, "0.902 (0.865 to 0.936)"),
        (-0.1, -0.128, -0.091, "-0.100 (-0.128 to -0.091)"),
        (0.5, None, None, "0.500"),
        (None, None, None, "undefined"),
    ],
)
def test_interval(value: float | None, low: float | None, high: float | None, text: str) -> None:
    assert interval({"value": value, "low": low, "high": high}) == text


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """A real full disk: the system writes no byte of a file beyond ``size`` (Python ignores the signal)."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_an_error_of_a_full_disk_names_the_file(tmp_path: Path) -> None:
    """Of a folder, the file in it; also where the error comes only when the file is closed."""
    path = tmp_path / "report.json"
    with pytest.raises(BioBlobsError) as error, files_of_at_most(1_000):
        write_text(path, "x" * 2_000)
    assert str(error.value) == f"{path}: not written (File too large); make room and run it again"
    folder = tmp_path / "out"
    with pytest.raises(BioBlobsError) as error, files_of_at_most(1_000), whole_folder(folder) as scratch:
        with open_text(scratch / "small.csv") as file:
            file.write("x")
        with open_text(scratch / "large.csv") as file:
            file.write("x" * 2_000)
    assert str(error.value).startswith(f"{folder / 'large.csv'}: not written (File too large)")
    assert not list(tmp_path.iterdir())


def test_other_errors_of_the_system_are_left_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), whole_folder(tmp_path / "out"):
        raise PermissionError(13, "Permission denied")


def test_text_that_no_file_can_hold_is_written_as_an_escape(tmp_path: Path) -> None:
    """A file name that is not UTF-8, as Python holds it."""
    write_text(tmp_path / "a", "caf\udce9.pdb\r\nÅ")
    assert (tmp_path / "a").read_bytes() == b"caf\\udce9.pdb\r\n" + "Å".encode()


def test_what_reaches_a_terminal_has_no_control_characters() -> None:
    hostile = "\x1b]0;x\x07 \x9b31m \udce9 Å A/1\n"
    assert printable(hostile) == r"\x1b]0;x\x07 \x9b31m \xe9 Å A/1" + "\n"
    with pytest.raises(SystemExit) as end, one_line_errors():
        raise BioBlobsError("chain \x1b[2J: broken")
    assert end.value.code == r"error: chain \x1b[2J: broken"


@pytest.mark.parametrize(
    "error",
    [
        BioBlobsError("a\nb\r\nc\u2028d"),
        StructureError(Path("a"), "b\nc\x85d"),
        FileNotFoundError(2, "b c d", "a\nb"),
    ],
)
def test_an_error_is_one_line_whatever_it_quotes(error: Exception) -> None:
    with pytest.raises(SystemExit) as end, one_line_errors():
        raise error
    assert len(str(end.value.code).splitlines()) == 1
    assert len(str(pickle.loads(pickle.dumps(error)))) == len(str(error))
