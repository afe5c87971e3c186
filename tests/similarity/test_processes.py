"""Worker processes: one that is killed is one clear error at any moment, and none outlives its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from multiprocessing import forkserver
from pathlib import Path

import psutil
import pytest

from bioblobs.errors import BioBlobsError
from bioblobs.similarity import tmalign
from bioblobs.workers import worker_processes
from conftest import ROOT, random_chain
from processes import alive, fails, wait_for

SEARCH = """
import numpy
from bioblobs.similarity import tmalign
if __name__ == "__main__":
    rng = numpy.random.default_rng(0)
    ca = [rng.normal(size=(400, 3)).astype(numpy.float32) * 20 for _ in range(60)]
    tmalign.nearest_pairs(ca, ca, 60, 2)
"""
SOON = 150
"""Seconds within which a death must be reported, on however busy a machine; a hang never ends."""
LONG = 600
"""Seconds of a task that nobody waits for."""


def workers(of: psutil.Process, before: set[int]) -> list[psutil.Process]:
    """Processes that the server of workers has started, which is a child itself; oldest first."""
    found = []
    for each in of.children(recursive=True):
        try:
            if each.pid not in before and each.ppid() != of.pid and alive(each):
                found.append(each)
        except psutil.NoSuchProcess:
            pass
    return sorted(found, key=lambda each: each.pid)


@pytest.mark.parametrize("moment", ["at start", "at work"])
def test_no_process_outlives_a_killed_search(moment: str, tmp_path: Path) -> None:
    script = tmp_path / "search.py"
    script.write_text(SEARCH)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    process = subprocess.Popen([sys.executable, str(script)], env=environment, stderr=subprocess.DEVNULL)
    try:
        search = psutil.Process(process.pid)
        wait_for(lambda: len(workers(search, set())) >= (1 if moment == "at start" else 2))
        if moment == "at work":
            time.sleep(0.5)
        family = search.children(recursive=True)
    finally:
        process.kill()
        process.wait()
    wait_for(lambda: not any(alive(each) for each in family))


@pytest.fixture
def mine() -> Iterator[Callable[[], list[psutil.Process]]]:
    """List the workers that the test has started; none may be left."""
    process = psutil.Process()
    before = {each.pid for each in process.children(recursive=True)}
    yield lambda: workers(process, before)
    wait_for(lambda: not workers(process, before))


@pytest.mark.parametrize("moment", ["at start", "at work"])
@pytest.mark.parametrize("search", ["linked", "nearest"])
def test_a_killed_worker_is_one_error_that_says_what_to_do(
    search: str, moment: str, mine: Callable[[], list[psutil.Process]]
) -> None:
    ca = [random_chain(200, seed)[:, 1] for seed in range(40)]

    def kill_one() -> None:
        wait_for(lambda: len(mine()) == 2)
        if moment == "at work":
            time.sleep(0.3)
        os.kill(mine()[-1].pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    with pytest.raises(BioBlobsError, match=r"a worker process died .*; free some memory"):
        if search == "linked":
            tmalign.linked_pairs(ca, 2.0, 2)  # no pair is that similar, so all are aligned
        else:
            tmalign.nearest_pairs(ca, ca, 40, 2)
    killer.join()


def total(pool: Executor, tasks: int) -> int:
    return sum(pool.map(sum, [list(range(50_000))] * tasks))


@pytest.mark.parametrize("victim", ["this one", "the first, while the second starts"])
def test_a_worker_killed_while_one_starts_is_the_same_error(
    victim: str, mine: Callable[[], list[psutil.Process]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task is being sent when its process is gone; or the other process begins when all is over."""
    start = forkserver.connect_to_new_process
    begun: list[float] = []

    def killing(fds: list[int]) -> tuple[int, int]:
        begun.append(time.monotonic())
        if len(begun) == 1:
            return start(fds)
        if victim == "this one":
            made = start(fds)
            wait_for(lambda: len(mine()) == 2)
        os.kill(mine()[-1].pid, signal.SIGKILL)
        time.sleep(0.5)
        return made if victim == "this one" else start(fds)

    monkeypatch.setattr(forkserver, "connect_to_new_process", killing)
    with pytest.raises(BioBlobsError, match="a worker process died"), worker_processes(2, "wait") as pool:
        total(pool, 2_000)
    assert time.monotonic() - begun[1] < SOON


def test_a_dead_server_of_workers_is_the_same_error(mine: Callable[[], list[psutil.Process]]) -> None:
    """And the next search starts another one."""
    with pytest.raises(BioBlobsError, match="a worker process died"), worker_processes(2, "wait") as pool:
        assert total(pool, 4) == 4 * sum(range(50_000))
        started = mine()
        os.kill(started[0].ppid(), signal.SIGKILL)
        os.kill(started[0].pid, signal.SIGKILL)
        total(pool, 2_000)
    wait_for(lambda: not any(alive(each) for each in started))
    with worker_processes(2, "wait") as pool:
        assert total(pool, 4) == 4 * sum(range(50_000))


@pytest.mark.parametrize(
    ("kind", "error", "said"),
    [
        ("ours", BioBlobsError, "1ABC.pdb: no atoms"),
        ("system", FileNotFoundError, "1ABC.pdb"),
        ("unreadable", RuntimeError, "TwoWordsError: ab"),
        ("unwritten", TypeError, "cannot pickle"),
    ],
)
def test_an_error_of_a_task_is_raised_here(kind: str, error: type[Exception], said: str) -> None:
    """One that is no death of a worker, whatever its kind; the worker goes on."""
    with worker_processes(1, "wait") as pool:
        with pytest.raises(error, match=said):
            pool.submit(fails, kind).result()
        assert total(pool, 2) == 2 * sum(range(50_000))


def test_ctrl_c_is_not_waited_for(mine: Callable[[], list[psutil.Process]]) -> None:
    with pytest.raises(KeyboardInterrupt), worker_processes(2, "wait") as pool:
        pool.submit(time.sleep, LONG)
        wait_for(lambda: bool(mine()))
        begun = time.monotonic()
        raise KeyboardInterrupt
    assert time.monotonic() - begun < SOON
