"""One pass over structure files: each is parsed once, and what was read waits in a temporary file."""

from __future__ import annotations

import os
import pickle
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import closing

from tqdm import tqdm

from bioblobs.proteins.record import Protein, ProteinError
from bioblobs.sources.parallel import ordered_map
from bioblobs.structures.files import StructureError
from bioblobs.structures.reader import read_chains

Outcome = tuple[Protein, str] | ProteinError
"""A protein with the name of its chain in the file, or why there is none."""
Request = tuple[str, tuple[str, ...]]
"""A file, and the chains that are wanted of it."""
CHUNK = 8
"""Files that a process gets at a time."""


def scan(requests: list[Request], workers: int) -> Iterator[list[Outcome]]:
    """What each request asks for, in order; parsed by several processes where that pays.

    Args:
        workers: most processes; 0: one a core.
    """
    made = ordered_map(_read_chunk, requests, len(requests), CHUNK, workers)
    progress = tqdm(desc="read structures", total=len(requests), unit="file", mininterval=1)
    with closing(made) as chunks, progress:
        for chunk in chunks:
            progress.update(len(chunk))
            yield from chunk


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
