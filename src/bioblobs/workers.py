"""Worker processes: none outlives its parent, and the death of one is a single clear error.

Each process has a pipe of its own, and a thread of the parent that sends a task and waits for the result.
Not ``concurrent.futures.ProcessPoolExecutor``: its workers share a queue, and one that dies with the queue's
lock, or while another one starts, leaves the pool waiting for ever (Python 3.11).
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, ParamSpec, TypeVar

from bioblobs.errors import BioBlobsError

P = ParamSpec("P")
R = TypeVar("R")
PATIENCE = 5.0
"""Seconds to wait for a killed process, which the system may hold up."""


@contextmanager
def worker_processes(count: int, remedy: str) -> Iterator[Executor]:
    """Yield an executor of ``count`` processes, which ends with the block.

    They end within a moment of this process too, however it ends, and leave Ctrl-C to it.

    Args:
        remedy: what to do where a worker was killed, for the error: ``try fewer (data.workers)``.

    Raises:
        BioBlobsError: a worker died, or could not be started, while the block waited for it.
    """
    workers = _Workers(count)
    try:
        yield workers
    except _WorkerDied as error:
        raise BioBlobsError(f"a worker process died (killed for memory?); {remedy}") from error
    finally:
        workers.shutdown()


class _WorkerDied(Exception):
    pass


class _Workers(Executor):
    """Threads with one process each, which starts with the thread's first task."""

    def __init__(self, count: int) -> None:
        # Not forked from here: the libraries of this process may have threads, whose locks a fork would copy.
        self.context = multiprocessing.get_context("forkserver")
        self.threads = ThreadPoolExecutor(count)
        self.own = threading.local()
        self.lock = threading.Lock()
        self.ended = False
        self.started: list[tuple[BaseProcess, Connection]] = []

    def submit(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Run ``function`` in a process; what it takes, returns and raises must be picklable."""
        return self.threads.submit(self._ask, function, args, kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = True) -> None:
        """Kill all processes; tasks that are not done are lost."""
        self._kill()
        self.threads.shutdown(wait, cancel_futures=cancel_futures)
        for process, connection in self.started:
            connection.close()
            process.join(PATIENCE)

    def _ask(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        task = pickle.dumps((function, args, kwargs))
        try:
            if not hasattr(self.own, "connection"):
                self.own.connection = self._start()
            self.own.connection.send_bytes(task)
            done, result = pickle.loads(self.own.connection.recv_bytes())
        except (OSError, EOFError) as error:
            self._kill()  # who waits for another one must not wait long
            raise _WorkerDied from error
        if not done:
            raise result
        return result

    def _start(self) -> Connection:
        ours, theirs = self.context.Pipe()
        process = self.context.Process(target=_work, args=(theirs,), daemon=True)
        with self.lock, theirs:  # after the start theirs is the process's alone: its death is the pipe's end
            if self.ended:
                raise _WorkerDied
            process.start()
            self.started.append((process, ours))
        return ours

    def _kill(self) -> None:
        with self.lock:
            self.ended = True
            for process, _ in self.started:
                process.kill()


def _work(connection: Connection) -> None:
    """Do tasks until the parent hangs up. Ctrl-C is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    while True:
        try:
            task = connection.recv_bytes()
        except EOFError:
            return
        connection.send_bytes(_answer(task))


def _answer(task: bytes) -> bytes:
    """Return the pickled pair (True, result) or (False, exception, with its traceback as a note)."""
    try:
        function, args, kwargs = pickle.loads(task)
        return pickle.dumps((True, function(*args, **kwargs)))
    except Exception as error:
        said = traceback.format_exc()
        error.add_note(f"in a worker process:\n{said}")
        try:
            answer = pickle.dumps((False, error))
            pickle.loads(answer)  # some are written and cannot be read
            return answer
        except Exception:
            return pickle.dumps((False, RuntimeError(said)))


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
