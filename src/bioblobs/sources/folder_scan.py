"""Read structure files in one pass; proteins wait in a temporary file until they are written."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from bioblobs.proteins.record import Protein, ProteinError
from bioblobs.sources.parallel import ordered_map
from bioblobs.store.blocks import RESIDUE_ARRAYS
from bioblobs.structures.files import StructureError
from bioblobs.structures.reader import read_chains

Outcome = tuple[Protein, str] | ProteinError
"""Protein with the name of its chain in the file, or the reason why there is none."""
Request = tuple[str, tuple[str, ...]]
"""File, and the names of its chains to read."""
CHUNK = 8
"""Files that a process gets at a time."""
_RESIDUE = np.dtype([(name, dtype, shape) for name, (dtype, shape) in RESIDUE_ARRAYS.items()])
"""One residue in the temporary file, unpadded."""


def scan(requests: list[Request], workers: int) -> Iterator[list[Outcome]]:
    """Yield the outcomes of each request, in order; parse in several processes where that pays.

    Args:
        workers: most processes; 0: one per core.
    """
    made = ordered_map(_read_chunk, requests, len(requests), CHUNK, workers)
    progress = tqdm(desc="read structures", total=len(requests), unit="file", mininterval=1)
    with closing(made) as chunks, progress:
        for chunk in chunks:
            progress.update(len(chunk))
            yield from chunk


def read_request(request: Request) -> list[Outcome]:
    """Read the chains of one file."""
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


class Stored(NamedTuple):
    """Protein in plain data, cheap to hand to another process.

    Attributes:
        id: of the protein.
        content: its residues, :data:`_RESIDUE` each.
    """

    id: str
    content: bytes

    @classmethod
    def of(cls, protein: Protein) -> Stored:
        """Convert a protein."""
        rows = np.empty(len(protein), _RESIDUE)
        for name in RESIDUE_ARRAYS:
            rows[name] = getattr(protein, name)
        return cls(protein.id, rows.tobytes())

    def protein(self) -> Protein:
        """Convert back."""
        rows = np.frombuffer(self.content, _RESIDUE)
        arrays: dict[str, Any] = {name: rows[name].copy() for name in RESIDUE_ARRAYS}
        return Protein(self.id, **arrays)


class Scratch:
    """Temporary file of proteins. It has no name: it is gone with the process, and no other can find it."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile(prefix="bioblobs-")  # noqa: SIM115 (open as long as its owner)
        self.spans: dict[int, tuple[str, int, int]] = {}
        weakref.finalize(self, self.file.close)

    def put(self, row: int, protein: Protein) -> None:
        """Keep a protein under its row."""
        stored = Stored.of(protein)
        self.spans[row] = (stored.id, self.file.seek(0, os.SEEK_END), len(stored.content))
        self.file.write(stored.content)

    def get(self, row: int) -> Stored:
        """Return the protein of a row."""
        name, start, size = self.spans[row]
        self.file.seek(start)
        return Stored(name, self.file.read(size))
