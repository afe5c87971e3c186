"""Ordered map of a function over a stream, on several cores, with bounded memory.

Not ``joblib.Parallel(return_as="generator")``: it reads the stream ahead of a slow consumer without a bound
(148 of 400 chunks where :data:`AHEAD` allows 6), and its workers outlive a killed parent by a minute.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from typing import TypeVar

from joblib import cpu_count

from bioblobs.workers import worker_processes

Item = TypeVar("Item")
Result = TypeVar("Result")
AHEAD = 3
"""Chunks in flight per worker: one in work, and some waiting before and after it."""
POOL_PAYS_FROM = 3.0
"""Seconds of work from which workers are started; starting them takes about one second."""
FEWER = "try fewer (data.workers; bioblobs predict: --workers), or 1"


def ordered_map(
    function: Callable[[list[Item]], Result], items: Iterable[Item], count: int, chunk: int, workers: int
) -> Generator[Result, None, None]:
    """Yield ``function`` of each ``chunk`` of items, in order, the same for any number of workers.

    Closing the generator ends the workers.

    Args:
        function: picklable; its exceptions are raised here.
        count: number of items, roughly.
        workers: most processes; 0: the cores that this process may use (containers' quotas included).

    Raises:
        BioBlobsError: a worker process died.
    """
    chunks, workers = _chunks(items, chunk), workers or cpu_count()
    if workers > 1:
        seconds = 0.0
        for part in itertools.islice(chunks, 2):  # the first includes work that is done only once
            start = time.perf_counter()
            result = function(part)
            seconds = time.perf_counter() - start
            yield result
        if seconds * (count / chunk - 2) < POOL_PAYS_FROM:
            workers = 1
    yield from _in_pool(function, chunks, workers) if workers > 1 else map(function, chunks)


def _in_pool(
    function: Callable[[list[Item]], Result], chunks: Iterator[list[Item]], workers: int
) -> Iterator[Result]:
    pending: deque[Future[Result]] = deque()
    with worker_processes(workers, FEWER) as pool:
        for part in itertools.islice(chunks, AHEAD * workers):
            pending.append(pool.submit(function, part))
        while pending:
            result = pending.popleft().result()
            for part in itertools.islice(chunks, 1):
                pending.append(pool.submit(function, part))
            yield result


def _chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    stream = iter(items)
    while part := list(itertools.islice(stream, size)):
        yield part
