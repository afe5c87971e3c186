"""The compiled functions are made once, kept, and made again where broken; without them it is said why."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import torch

from bioblobs.ops import build
from conftest import needs_compiler


@needs_compiler
@pytest.mark.parametrize("content", [b"", b"not a library"])
def test_a_broken_library_is_made_again(content: bytes, compiled_afresh: Path) -> None:
    assert build.library() is not None
    (made,) = compiled_afresh.iterdir()
    made.unlink()  # this process has it open
    made.write_bytes(content)
    build._found.cache_clear()
    assert build.library() is not None and build.reason() is None


@needs_compiler
def test_the_library_is_compiled_once(compiled_afresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = compiled_afresh.parent / "log"
    compiler = compiled_afresh.parent / "counting"
    compiler.write_text(f'#!/bin/sh\necho "$@" >> {log}\nexec c++ "$@"\n')
    compiler.chmod(compiler.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("CXX", f"{compiler} -DSOMETHING")
    assert build.library() is not None
    build._found.cache_clear()  # as another process would begin
    assert build.library() is not None
    assert log.read_text().count("-shared") == 1
    assert [path.suffix for path in compiled_afresh.iterdir()] == [".so"]  # and nothing half-made


def test_another_processor_has_no_library(compiled_afresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    assert build.library() is None and "AVX2" in str(build.reason())


@needs_compiler
def test_a_cache_folder_that_cannot_be_written_is_said(
    compiled_afresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = compiled_afresh.parent / "file"
    file.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", os.fspath(file))
    assert build.library() is None and "could not be compiled or loaded" in str(build.reason())


@needs_compiler
def test_a_user_without_a_home_folder_is_told(compiled_afresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", nowhere)
    assert build.library() is None and "home directory" in str(build.reason())
