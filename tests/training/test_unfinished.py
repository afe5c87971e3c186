"""Stages that are really killed, and run again: they end as if nothing had happened."""

from __future__ import annotations

import filecmp
import json
import os
import shutil
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from bioblobs.checkpoints import file as checkpoint
from bioblobs.checkpoints.file import save_whole
from bioblobs.errors import BioBlobsError, one_line_errors
from bioblobs.stages import init_codebook
from bioblobs.store.packed import Store
from bioblobs.training.module import BlobModule
from bioblobs.training.stage import Stage0CLI, Stage1CLI
from bioblobs.training.stage_cli import StageCLI
from bioblobs.training.unfinished import (
    LAST,
    begin_folder,
    find_unfinished,
    move_finished,
    work_identity,
)
from conftest import ROOT
from runs import ONE_STAGE, run

KEYS = {
    **ONE_STAGE,
    "model.max_clusters": 4,
    "model.codebook_size": 8,
    "multistage.stage0.epochs": 1,
    "multistage.stage1.epochs": 3,
    "multistage.stage1.lr": 3e-3,
    "multistage.stage1.freeze_epochs": 1,
    "train.weight_averaging": "ema",
}


@dataclass
class Done:
    """Exit status (negative: the signal that killed it) and what was written."""

    status: int
    said: str


def in_a_process(work: Callable[[], object], log: Path) -> Done:
    """Do it in a child of this process, which can be killed."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        with log.open("wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        status = 1
        try:
            warnings.simplefilter("ignore")
            with one_line_errors():
                work()
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
            print(end.code, file=sys.stderr)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return Done(status, log.read_text())


def arguments(store: Store, folder: Path, **changes: Any) -> list[str]:
    places = {f"paths.{name}": folder / name for name in ("output", "metrics", "plots")}
    values = {**KEYS, **places, "paths.prepared": store.path, **changes}
    return [f"--{key}={value}" for key, value in values.items()]


def fit(
    stage: type[StageCLI], store: Store, folder: Path, step: int = -1, number: int = 0, **changes: Any
) -> Done:
    """Run a stage's command in a process of its own, which sends itself a signal in a step."""
    original = BlobModule.training_step

    def training_step(self: BlobModule, batch: Any, batch_idx: int) -> torch.Tensor:
        if self.global_step == step:
            os.kill(os.getpid(), number)
        return original(self, batch, batch_idx)

    def work() -> None:
        BlobModule.training_step = training_step  # type: ignore[method-assign]
        stage(["fit", "--trainer.enable_progress_bar=false", *arguments(store, folder, **changes)])

    return in_a_process(work, folder / "log.txt")


def stage_1(store: Store, folder: Path, step: int = -1, number: int = 0, **changes: Any) -> Done:
    return fit(Stage1CLI, store, folder, step, number, **changes)


def fine(done: Done) -> str:
    assert done.status == 0, done.said
    return done.said


@pytest.fixture(scope="module")
def start(sample_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the codebook that stage 1 starts from."""
    folder = tmp_path_factory.mktemp("start")
    fine(fit(Stage0CLI, sample_store, folder))
    words = arguments(sample_store, folder)
    fine(in_a_process(lambda: init_codebook.main(words), folder / "log.txt"))
    return folder


def begun(start: Path, folder: Path) -> Path:
    shutil.copytree(start / "output" / "codebook", folder / "output" / "codebook")
    return folder


@pytest.fixture(scope="module")
def whole(start: Path, sample_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a run that nothing interrupts."""
    folder = begun(start, tmp_path_factory.mktemp("whole"))
    fine(stage_1(sample_store, folder))
    return folder


def assert_equal(one: Any, other: Any, path: str = "") -> None:
    """Two checkpoints hold the same, bit by bit."""
    assert type(one) is type(other), path
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), path
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), path
        for key, value in one.items():
            assert_equal(value, other[key], f"{path}/{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), path
        for place, (a, b) in enumerate(zip(one, other, strict=True)):
            assert_equal(a, b, f"{path}/{place}")
    else:
        assert one == other, path


def assert_same_results(folder: Path, whole: Path) -> None:
    """Metrics, curve and files; optimizer, schedule, averages, codebook and callbacks in the last state."""
    for name in ("metrics/stage_1.json", "plots/stage_1.csv", "output/stage_1/metrics.csv"):
        assert (folder / name).read_text() == (whole / name).read_text(), name
    names = sorted(path.name for path in (whole / "output/stage_1").iterdir())
    assert sorted(path.name for path in (folder / "output/stage_1").iterdir()) == names
    for name in (name for name in names if name.endswith(".ckpt")):
        ours, theirs = (
            torch.load(place / "output/stage_1" / name, weights_only=True) for place in (folder, whole)
        )
        assert_equal(ours, theirs)
    assert not (folder / "output" / "unfinished").exists()


@pytest.mark.parametrize(
    ("number", "step"),
    [(signal.SIGTERM, 9), (signal.SIGKILL, 9)],
    ids=["SIGTERM in an epoch", "SIGKILL in an epoch"],
)
def test_a_killed_stage_that_is_run_again_ends_as_an_uninterrupted_one(
    number: signal.Signals, step: int, start: Path, whole: Path, sample_store: Store, tmp_path: Path
) -> None:
    folder = begun(start, tmp_path)
    done = stage_1(sample_store, folder, step, number)
    assert not (folder / "metrics").exists()
    if number == signal.SIGTERM:
        assert done.status == 75
        assert f"SIGTERM: saved in epoch 1 after step {step + 1}" in done.said
    else:
        assert done.status == -signal.SIGKILL
    again = stage_1(sample_store, folder)
    assert "going on with" in fine(again)
    assert_same_results(folder, whole)
    assert "going on" not in fine(stage_1(sample_store, folder))  # a finished stage is not an unfinished one
    assert_same_results(folder, whole)


def test_a_state_from_within_an_epoch_is_kept_from_time_to_time(
    start: Path, whole: Path, sample_store: Store, tmp_path: Path
) -> None:
    folder = begun(start, tmp_path)
    often = {"train.checkpoint_minutes": 1e-9}
    assert stage_1(sample_store, folder, 4, signal.SIGKILL, **often).status == -signal.SIGKILL
    assert "saved in epoch 0 after step 4" in fine(stage_1(sample_store, folder))
    assert_same_results(folder, whole)


def test_other_work_starts_anew_and_says_why(start: Path, sample_store: Store, tmp_path: Path) -> None:
    folder = begun(start, tmp_path)
    stage_1(sample_store, folder, 9, signal.SIGTERM)
    other = {"multistage.stage1.lambda_psc": 0.5, "multistage.stage1.epochs": 2}
    done = stage_1(sample_store, folder, **other)
    assert "starting anew" in fine(done) and "multistage.stage1.epochs: 3 there, 2 here" in done.said
    assert json.loads((folder / "metrics/stage_1.json").read_text())["epochs"] == 2
    (left,) = (folder / "output" / "unfinished").iterdir()  # it can still be gone on with
    assert (left / LAST).is_file()


def test_an_early_stop_before_a_kill_stands(sample_store: Store, tmp_path: Path) -> None:
    still = {"multistage.stage0.epochs": 6, "multistage.stage0.lr": 1e-12, "train.early_stopping_patience": 1}
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
    fine(fit(Stage0CLI, sample_store, whole, **still))
    steps = torch.load(whole / "output/stage_0/last.ckpt", weights_only=True)["global_step"]
    assert fit(Stage0CLI, sample_store, killed, steps - 1, signal.SIGTERM, **still).status == 75
    fine(fit(Stage0CLI, sample_store, killed, **still))
    for name in ("metrics/stage_0.json", "plots/stage_0.csv"):
        assert (killed / name).read_text() == (whole / name).read_text()
    assert json.loads((killed / "metrics/stage_0.json").read_text())["epochs"] == 2


# The folder itself


def identity(**changes: Any) -> dict[str, Any]:
    return work_identity({"train": {"seed": 0}} | changes, {"data sha256": "a"})


def test_work_is_known_by_what_shapes_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def name() -> str:
        return find_unfinished(tmp_path, 0, identity()).folder.name

    same = name()
    assert name() == same
    assert find_unfinished(tmp_path, 1, identity()).folder.name != same
    assert find_unfinished(tmp_path, 0, identity(train={"seed": 1})).folder.name != same
    assert find_unfinished(tmp_path, 0, work_identity({"train": {"seed": 0}}, {})).folder.name != same
    monkeypatch.setattr("bioblobs.training.unfinished.code_digest", lambda parts=(): "other code")
    assert name() != same


def test_a_beginning_without_a_checkpoint_is_swept(tmp_path: Path) -> None:
    work = find_unfinished(tmp_path, 0, identity())
    begin_folder(work, identity())
    (work.folder / "best-stage0-epoch=00-val_acc=0.900.ckpt").write_text("of a killed first epoch")
    again = find_unfinished(tmp_path, 0, identity())
    begin_folder(again, identity())
    assert again.resume is None and not list(again.folder.glob("*.ckpt"))


def test_a_damaged_state_starts_anew(tmp_path: Path) -> None:
    work = find_unfinished(tmp_path, 0, identity())
    begin_folder(work, identity())
    (work.folder / LAST).write_bytes(b"half")
    again = find_unfinished(tmp_path, 0, identity())
    assert again.resume is None
    assert "starting anew" in str(again.note) and LAST in str(again.note)


def test_finished_work_replaces_that_of_an_earlier_run(tmp_path: Path) -> None:
    work = find_unfinished(tmp_path / "unfinished", 0, identity())
    begin_folder(work, identity())
    (work.folder / LAST).write_text("new")
    place = tmp_path / "stage_0"
    place.mkdir()
    (place / "best-old.ckpt").write_text("old")
    move_finished(work.folder, place)
    assert [path.name for path in place.iterdir()] == [LAST]
    assert not (tmp_path / "unfinished").exists()


# A full disk


FULL = """
import resource, signal, sys
from pathlib import Path
import torch
from bioblobs.errors import one_line_errors
from bioblobs.checkpoints.file import save_whole
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
with one_line_errors():
    save_whole({"weights": torch.zeros(1_000_000)}, Path(sys.argv[1]))
"""


def test_a_full_disk_is_one_line_and_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    path = tmp_path / LAST
    save_whole({"weights": torch.ones(3)}, path)
    before = shutil.copy(path, tmp_path / "before")
    done = run([sys.executable, "-c", FULL, str(path)], ROOT, PYTHONPATH="src")
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {path}: checkpoint not written (File too large)")
    assert done.stderr.count("\n") == 1
    assert filecmp.cmp(path, before, shallow=False)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["before", LAST]


def test_a_full_disk_while_training_leaves_the_way_back(
    sample_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, saves = torch.save, []

    def full(*args: Any, **kwargs: Any) -> None:
        saves.append(args)
        if len(saves) > 3:  # best and last of the first epoch, then best, or last, of the second
            raise OSError(28, "No space left on device")
        real(*args, **kwargs)

    words = ["fit", "--trainer.enable_progress_bar=false", *arguments(sample_store, tmp_path)]
    words += ["--multistage.stage0.epochs=3"]
    monkeypatch.setattr(checkpoint.torch, "save", full)
    with pytest.raises(BioBlobsError, match=r"not written \(No space left on device\)"):
        Stage0CLI(words)
    (last,) = (tmp_path / "output/unfinished").glob(f"stage_0-*/{LAST}")
    assert checkpoint.read_checkpoint(last)["epoch"] in (0, 1)
    monkeypatch.setattr(checkpoint.torch, "save", real)
    Stage0CLI(words)
    assert json.loads((tmp_path / "metrics/stage_0.json").read_text())["epochs"] == 3
