"""Waiting for other processes, and a task that fails in one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import psutil

from bioblobs.errors import BioBlobsError


def alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_for(condition: Callable[[], bool], seconds: float = 300) -> None:
    """Wait for what comes soon; the limit is for a hang, on however busy a machine."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


class TwoWordsError(Exception):
    """It is written, and cannot be read: its argument is not that of its constructor."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(one + two)


def fails(kind: str) -> object:
    if kind == "ours":
        raise BioBlobsError("1ABC.pdb: no atoms")
    if kind == "system":
        raise FileNotFoundError(2, "No such file", "1ABC.pdb")
    if kind == "unreadable":
        raise TwoWordsError("a", "b")
    return threading.Lock()
