"""Preparing on several cores: the same store, few items in memory, and no trace of what was cut short."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from bioblobs.config.schema import DataConfig
from bioblobs.errors import BioBlobsError
from bioblobs.sources import parallel
from bioblobs.sources.parallel import ordered_map
from bioblobs.sources.preparation import prepare_store
from bioblobs.store.packed import Store
from conftest import ROOT
from processes import alive, wait_for
from runs import ok, run

PREPARE = [sys.executable, "-m", "bioblobs.stages", "prepare", "--config", "params.yaml"]


@pytest.fixture
def _always_a_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "POOL_PAYS_FROM", 0.0)


@pytest.mark.usefixtures("_always_a_pool")
@pytest.mark.parametrize("edge_types", ["knn_8", "eps_8"])
def test_any_number_of_workers_writes_the_same_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edge_types: str
) -> None:
    monkeypatch.setattr("bioblobs.sources.preparation.CHUNK", 5)
    hashes = set()
    for workers in (1, 2, 3):
        data = DataConfig(
            data_dir=str(ROOT / "data"), subset=60, max_length=120, edge_types=edge_types, workers=workers
        )
        prepare_store(data, tmp_path / "store")
        store = Store(tmp_path / "store")
        store.verify()
        hashes.add(store.meta["content_sha256"])
    assert len(hashes) == 1


def process_and_items(items: list[int]) -> tuple[int, list[int]]:
    return os.getpid(), items


@pytest.mark.usefixtures("_always_a_pool")
def test_order_is_kept_and_the_stream_is_read_only_a_little_ahead() -> None:
    read = 0

    def stream() -> Iterator[int]:
        nonlocal read
        for item in range(301):
            read = item + 1
            yield item

    seen: list[int] = []
    processes = set()
    for process, items in ordered_map(process_and_items, stream(), 301, 3, 2):
        processes.add(process)
        seen += items
        assert read <= len(seen) + 3 * 2 * parallel.AHEAD
    assert seen == list(range(301))
    assert len(processes) > 1


def test_little_work_stays_in_this_process() -> None:
    assert {process for process, _ in ordered_map(process_and_items, range(40), 40, 4, 2)} == {os.getpid()}


def die(items: list[int], main: int) -> list[int]:
    if os.getpid() != main and 9 in items:
        os.kill(os.getpid(), signal.SIGKILL)
    return items


@pytest.mark.usefixtures("_always_a_pool")
def test_a_worker_that_dies_is_one_error() -> None:
    with pytest.raises(BioBlobsError, match=r"a worker process died .*data\.workers"):
        list(ordered_map(partial(die, main=os.getpid()), range(30), 30, 2, 2))


def refuse(items: list[int]) -> list[int]:
    if 9 in items:
        raise BioBlobsError("file nine: damaged")
    return items


@pytest.mark.usefixtures("_always_a_pool")
def test_an_error_in_a_worker_is_raised_here() -> None:
    with pytest.raises(BioBlobsError) as error:
        list(ordered_map(refuse, range(30), 30, 2, 2))
    assert str(error.value) == "file nine: damaged"


LONG_RUN = """
import sys
from bioblobs.sources import parallel
parallel.POOL_PAYS_FROM = 0
from bioblobs.stages.prepare import main
if __name__ == "__main__":
    main(sys.argv[1:])
"""


@pytest.mark.parametrize("before", [False, True], ids=["nothing before", "a store before"])
def test_a_killed_run_leaves_nothing_that_is_trusted(tmp_path: Path, before: bool) -> None:
    """Killed while it writes, with workers: what was there stays, and the next run clears the rest away."""
    path = tmp_path / "prepared"
    folders = {"prepared": path, "metrics": tmp_path, "plots": tmp_path, "output": tmp_path / "output"}
    places = [f"--paths.{name}={folder}" for name, folder in folders.items()]
    small = [*PREPARE, *places, "--data.subset=60", "--data.max_length=120", "--data.edge_types=knn_6"]
    if before:
        ok(run(small, ROOT, PYTHONPATH="src"))
        was = Store(path).meta
    script = tmp_path / "long_run.py"
    script.write_text(LONG_RUN)
    keys = ["--config=params.yaml", "--data.edge_types=knn_200", "--data.workers=2"]
    command = [sys.executable, str(script), *keys, *places]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    written = tmp_path / ".prepared.partial" / "coordinates.npy"
    wait_for(lambda: written.is_file() and written.stat().st_size > 0)
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= 3, "the server of the workers, and the workers"
    process.kill()
    process.wait()
    if before:
        Store(path).verify()
        assert Store(path).meta == was
    else:
        with pytest.raises(BioBlobsError, match="no prepared data"):
            Store(path)
    wait_for(lambda: not any(alive(each) for each in family))  # workers do not outlive it
    script.unlink()
    ok(run(small, ROOT, PYTHONPATH="src"))
    Store(path).verify()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("kibibytes", [1, 40, 300])
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, kibibytes: int) -> None:
    """Files may not grow beyond some size: the store's first, or only its largest."""
    places = [f"--paths.{name}={tmp_path / name}" for name in ("prepared", "metrics", "plots")]
    keys = ["--data.subset=60", "--data.max_length=120", "--data.edge_types=knn_20"]
    limited = ["bash", "-c", f'ulimit -f {kibibytes}; exec "$@"', "bash", *PREPARE, *keys, *places]
    own = {"PYTHONDONTWRITEBYTECODE": "1", "COVERAGE_PROCESS_CONFIG": ""}  # files that are not the stage's
    done = run(limited, ROOT, PYTHONPATH="src", **own)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    line = done.stderr.splitlines()[-1]
    assert line.startswith(f"error: {tmp_path / 'prepared'}: no room to write the store (File too large)")
    assert not list(tmp_path.iterdir())
