"""Two real runs of bioblobs predict into one folder: one goes on, the other stops at once and says why."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bioblobs.io import scratch_of
from conftest import ROOT
from processes import wait_for
from structure_files import DATA
from tiny_model import tiny_checkpoint

SLOW = """
import sys, time
from pathlib import Path
from bioblobs.cli import main
from bioblobs.prediction import model
original, folder = model.load, Path(sys.argv.pop(1))
def load(*given):  # both have come so far before either goes on
    (folder / f"loading_{sys.argv[1]}").touch()
    while not (folder / "go_on").exists():
        time.sleep(0.01)
    return original(*given)
model.load = load
main(sys.argv[2:])
"""


def begin(folder: Path, name: str, *words: str) -> subprocess.Popen[str]:
    """Start ``bioblobs predict`` of one file in a process, which waits before it loads the model."""
    model = str(folder / "model.ckpt")
    command = [sys.executable, "-c", SLOW, str(folder), name, "predict", model, str(DATA / "break.pdb")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*command, *words], env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Folder of the results, beside the model."""
    tiny_checkpoint(tmp_path / "model.ckpt")
    return tmp_path / "results" / "out"


@pytest.mark.parametrize("before", ["new", "empty", "predictions"])
def test_of_two_at_once_one_goes_on_and_the_other_stops(before: str, out: Path, tmp_path: Path) -> None:
    words = ["--out", str(out)]
    if before == "empty":
        out.mkdir(parents=True)
    if before == "predictions":
        (tmp_path / "go_on").touch()
        first = begin(tmp_path, "first", *words)
        first.communicate(timeout=300)
        assert first.returncode == 0
        (tmp_path / "go_on").unlink()
        words.append("--overwrite")
    both = [begin(tmp_path, name, *words) for name in "ab"]
    wait_for(lambda: any(each.poll() is not None for each in both), 300)  # while the other has not begun
    loser = next(each for each in both if each.poll() is not None)
    winner = both[1 - both.index(loser)]
    said = loser.communicate()[1].splitlines()[-1]
    assert loser.returncode == 1
    assert said == f"error: {out}: another process is writing here; wait for it"
    wait_for(lambda: bool(list(tmp_path.glob("loading_[ab]"))), 300)
    (tmp_path / "go_on").touch()
    errors = winner.communicate(timeout=300)[1]
    assert winner.returncode == 0, errors
    assert len(json.loads((out / "predictions.json").read_text())["structures"]) == 1
    assert list(out.parent.iterdir()) == [out]


def test_a_killed_run_stands_in_no_ones_way(out: Path, tmp_path: Path) -> None:
    killed = begin(tmp_path, "a", "--out", str(out))
    wait_for(lambda: (tmp_path / "loading_a").exists(), 300)
    (scratch_of(out) / "half").write_text("half")
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert not out.exists()
    (tmp_path / "go_on").touch()
    again = begin(tmp_path, "b", "--out", str(out))
    errors = again.communicate(timeout=300)[1]
    assert again.returncode == 0, errors
    assert (out / "predictions.csv").is_file() and not (out / "half").exists()
    assert list(out.parent.iterdir()) == [out]
