"""TM-align's processes: one that is killed is one clear error, and none outlives a killed search."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from bioblobs.errors import BioBlobsError
from bioblobs.similarity import tmalign
from conftest import ROOT, random_chain
from processes import alive, wait_for

SEARCH = """
import numpy
from bioblobs.similarity import tmalign
if __name__ == "__main__":
    rng = numpy.random.default_rng(0)
    ca = [rng.normal(size=(400, 3)).astype(numpy.float32) * 20 for _ in range(60)]
    tmalign.nearest_pairs(ca, ca, 60, 2)
"""


def workers(of: psutil.Process, before: set[int]) -> list[psutil.Process]:
    """Processes that the server of workers has started, which is a child itself."""
    family = [each for each in of.children(recursive=True) if each.pid not in before]
    return [each for each in family if each.ppid() != of.pid]


def test_no_process_outlives_a_killed_search(tmp_path: Path) -> None:
    script = tmp_path / "search.py"
    script.write_text(SEARCH)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    process = subprocess.Popen([sys.executable, str(script)], env=environment, stderr=subprocess.DEVNULL)
    try:
        search = psutil.Process(process.pid)
        wait_for(lambda: len(workers(search, set())) == 2)
        family = search.children(recursive=True)
    finally:
        process.kill()
        process.wait()
    wait_for(lambda: not any(alive(each) for each in family))


@pytest.mark.parametrize("search", ["linked", "nearest"])
def test_a_killed_worker_is_one_error_that_says_what_to_do(search: str) -> None:
    ca = [random_chain(200, seed)[:, 1] for seed in range(40)]
    mine = psutil.Process()
    before = {each.pid for each in mine.children(recursive=True)}

    def kill_one() -> None:
        wait_for(lambda: len(workers(mine, before)) == 2)
        time.sleep(0.2)  # both at work: one killed while it starts is another matter
        os.kill(workers(mine, before)[0].pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    with pytest.raises(BioBlobsError, match=r"a worker process died .*; free some memory"):
        if search == "linked":
            tmalign.linked_pairs(ca, 2.0, 2)  # no pair is that similar, so all are aligned
        else:
            tmalign.nearest_pairs(ca, ca, 40, 2)
    killer.join()
