"""Worker processes: none outlives its parent, and the death of one is a single clear error."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait

from bioblobs.errors import BioBlobsError


@contextmanager
def worker_processes(count: int, remedy: str) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool of ``count`` processes, which ends with the block.

    They end within a moment of this process too, however it ends, and leave Ctrl-C to it.

    Args:
        remedy: what to do where a worker was killed, for the error: ``try fewer (data.workers)``.

    Raises:
        BioBlobsError: a worker died while the block waited for it.
    """
    # Not forked from here: the libraries of this process may have threads, whose locks a fork would copy.
    pool = ProcessPoolExecutor(count, multiprocessing.get_context("forkserver"), initializer=_begin)
    try:
        yield pool
    except BrokenProcessPool as error:
        raise BioBlobsError(f"a worker process died (killed for memory?); {remedy}") from error
    finally:
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """Ignore Ctrl-C, which the parent handles, and end with the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
