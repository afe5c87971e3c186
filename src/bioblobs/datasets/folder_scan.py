"""One pass over structure files: each is parsed once, and what was read waits in a temporary file."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import pickle
import tempfile
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from tqdm import tqdm

from bioblobs.errors import BioBlobsError
from bioblobs.proteins.record import Protein, ProteinError
from bioblobs.structures.files import StructureError
from bioblobs.structures.reader import read_chains

Outcome = tuple[Protein, str] | ProteinError
"""A protein with the name of its chain in the file, or why there is none."""
Request = tuple[str, tuple[str, ...]]
"""A file, and the chains that are wanted of it."""
POOL_PAYS_FROM = 100_000_000
"""Bytes to read (about two seconds); below, starting processes takes longer than they save."""
ZIPPED = 4
"""A gzipped file counts as so many times its size."""
CHUNK = 8
"""Files that a process gets at a time."""


def scan(requests: list[Request]) -> Iterator[list[Outcome]]:
    """What each request asks for, in order; parsed by as many processes as there are cores.

    At most a few chunks are under way at a time, so memory does not grow with the number of files.
    """
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    progress = tqdm(desc="read structures", total=len(requests), unit="file", mininterval=1)
    with progress:
        parallel = workers > 1 and sum(map(_size, requests)) >= POOL_PAYS_FROM
        for outcome in _in_processes(requests, workers) if parallel else map(read_request, requests):
            progress.update()
            yield outcome


def _size(request: Request) -> int:
    path = Path(request[0])
    return path.stat().st_size * (ZIPPED if path.suffix.lower() == ".gz" else 1) if path.exists() else 0


def read_request(request: Request) -> list[Outcome]:
    """The chains of one file."""
    name, chains = request
    try:
        found = read_chains(name)
    except StructureError as error:
        return [ProteinError(error.reason)] * len(chains)
    outcomes: list[Outcome] = []
    for chain in chains:
        try:
            outcomes.append(found.chain(chain))
        except ProteinError as error:
            outcomes.append(error)
    return outcomes


def _read_chunk(requests: list[Request]) -> list[list[Outcome]]:
    return [read_request(request) for request in requests]


def _in_processes(requests: Iterable[Request], workers: int) -> Iterator[list[Outcome]]:
    waiting: deque[Future[list[list[Outcome]]]] = deque()
    source = iter(requests)
    # spawn: a fork of a process with threads (torch) may hang
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        try:
            while chunk := list(itertools.islice(source, CHUNK)):
                waiting.append(pool.submit(_read_chunk, chunk))
                if len(waiting) > 2 * workers:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        except BrokenProcessPool as error:
            raise BioBlobsError(
                "data.folder: a process that reads structures died (out of memory?)"
            ) from error
        finally:
            for future in waiting:
                future.cancel()


class Scratch:
    """Proteins in a file that has no name: it is gone with the process, and no later run can find it."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile(prefix="bioblobs-")  # noqa: SIM115 (open as long as its owner)
        self.spans: dict[int, tuple[int, int]] = {}
        weakref.finalize(self, self.file.close)

    def put(self, row: int, protein: Protein) -> None:
        """Keep a protein under its row."""
        content = pickle.dumps(protein, protocol=5)
        self.spans[row] = (self.file.seek(0, os.SEEK_END), len(content))
        self.file.write(content)

    def get(self, row: int) -> bytes:
        """A row's protein, pickled."""
        start, size = self.spans[row]
        self.file.seek(start)
        return self.file.read(size)
