"""Reader of the chains to predict, a few files at a time, and of the reasons for skipped ones.

Imports no torch, so that worker processes start quickly.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path

from bioblobs.errors import BioBlobsError
from bioblobs.proteins.alphabet import UNKNOWN
from bioblobs.proteins.record import Protein, ProteinError, usable
from bioblobs.sources.parallel import ordered_map
from bioblobs.structures.files import StructureError, stem_of
from bioblobs.structures.inspection import files_of
from bioblobs.structures.reader import Chain, StructureFile, read_chains

PathLike = Path | str
CHUNK = 8
"""Files that are read, predicted and written together, and held in memory."""
ACCESSION = re.compile(
    r"[0-9][A-Za-z0-9]{3}|pdb_[0-9a-z]{8}|[OPQ][0-9][A-Z0-9]{3}[0-9]|[A-NR-Z][0-9]([A-Z][A-Z0-9]{2}[0-9]){1,2}"
)
"""Of the Protein Data Bank, or of UniProt."""
FETCH_FIRST = "; for an accession, download the file first (rcsb.org or alphafold.ebi.ac.uk)"
MANY_UNKNOWN = 0.1
"""Share of residues of unknown type above which there is a note."""


@dataclass
class ReadChain:
    """Chain that can be predicted: its complete residues, and notes on how they were read."""

    name: str
    label: str
    protein: Protein
    notes: list[str]


@dataclass
class ReadFile:
    """Chains of one file, and (chain, reason) of skipped ones; an empty chain is the whole file."""

    path: Path
    models: int = 0
    chains: list[ReadChain] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)


def find_files(paths: PathLike | Iterable[PathLike | Iterable[PathLike]]) -> list[Path]:
    """List the files that paths name, each once; of a folder, the structure files in it.

    Args:
        paths: one path, or paths and lists of paths.

    Raises:
        BioBlobsError: a folder has no structure files, or something is neither a path nor a list of paths.
    """
    return list({path.absolute(): path for path in files_of(_each(paths))}.values())


def _each(paths: object) -> Iterator[str]:
    """Yield the paths, in whatever lists they are."""
    if isinstance(paths, str | os.PathLike):
        yield str(Path(paths))
    elif isinstance(paths, Iterable) and not isinstance(paths, bytes):
        for inner in paths:
            yield from _each(inner)
    else:
        raise BioBlobsError(f"{paths!r}: expected the path of a file or folder, or a list of paths")


def safe_names(files: Sequence[Path]) -> list[str]:
    """Make a name for the output of each file: its stem in plain characters, unique ignoring case.

    The first file of a stem keeps it. The others get ``_2``, ``_3``, without the numbers that would make
    the stem of another file: ``a.pdb``, ``a.cif`` and ``a_2.pdb`` are ``a``, ``a_3`` and ``a_2``.
    """
    stems = [re.sub(r"[^A-Za-z0-9_.-]", "_", stem_of(path)).lstrip(".-") or "structure" for path in files]
    taken = {stem.lower() for stem in stems}
    free = set(taken)
    numbers: dict[str, Iterator[int]] = {}
    names = []
    for stem in stems:
        key, name = stem.lower(), stem
        if key not in free:
            # One count per stem: of thousands of files of one name, none is tried twice.
            of_stem = numbers.setdefault(key, count(2))
            name = next(made for number in of_stem if (made := f"{stem}_{number}").lower() not in taken)
        free.discard(key)
        taken.add(name.lower())
        names.append(name)
    return names


class ChainIds:
    """Ids of chains: ``<name of the file>_<chain>``, or the name where the file has no chain ids.

    An id that another chain has gets ``_2`` after it, or the next number that makes no other id or name of a
    file: chain ``B`` of ``a.pdb`` and the only one of ``a_B.pdb`` are ``a_B`` and ``a_B_2``.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names, self.given = set(names), set[str]()

    def give(self, name: str, chain: str) -> str:
        """Make the id of the next chain."""
        first = f"{name}_{chain}" if chain else name
        numbered = (f"{first}_{number}" for number in count(2))
        made = (
            first
            if first not in self.given
            else next(n for n in numbered if n not in self.names | self.given)
        )
        self.given.add(made)
        return made


def shown_name(path: Path) -> str:
    """Name of a file as results show it: bytes that are not UTF-8 as ``\\xe9``, which JSON cannot hold."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def read_files(
    files: Sequence[Path], chain: str | Iterable[str], workers: int
) -> Generator[list[ReadFile], None, None]:
    """Yield the files in order, :data:`CHUNK` at a time, read ahead by other processes where that pays.

    Args:
        chain: only chains of this name, or of these; empty: all.
        workers: most processes; 0: one per core.

    Raises:
        BioBlobsError: a negative number of workers; later, a worker process died.
    """
    check_workers(workers)
    names = [chain] if isinstance(chain, str) else chain
    only = tuple(dict.fromkeys(name for name in names if name))
    return ordered_map(partial(_read_chunk, only), files, len(files), CHUNK, workers)


def check_workers(workers: int) -> None:
    """Refuse a negative number of processes.

    Raises:
        BioBlobsError: it is below 0.
    """
    if workers < 0:
        raise BioBlobsError(f"workers: expected 0 (one per core) or more; got {workers}")


def _read_chunk(only: Collection[str], files: list[Path]) -> list[ReadFile]:
    return [read_file(path, only) for path in files]


def read_file(path: Path, only: Collection[str] = ()) -> ReadFile:
    """Read the protein chains of a file; an error becomes a skipped entry.

    Args:
        only: names of chains; a name that no chain of the file has is an entry, too. Empty: all chains.
    """
    read = ReadFile(path)
    try:
        found = read_chains(path)
    except StructureError as error:
        missing = not path.exists() and ACCESSION.fullmatch(path.name)
        read.skipped.append(("", error.reason + (FETCH_FIRST if missing else "")))
        return read
    read.models = found.models
    for name in only:
        if not any(name in (each.name, each.author) for each in found.chains):
            names = ", ".join(each.name or "(no id)" for each in found.chains)
            read.skipped.append((name, f"no protein chain {name}; the file has {names}"))
    for each in found.chains:
        if only and each.name not in only and each.author not in only:
            continue
        try:
            read.chains.append(_read_chain(found, each))
        except ProteinError as error:
            read.skipped.append((each.name, str(error)))
    return read


def _read_chain(file: StructureFile, chain: Chain) -> ReadChain:
    if isinstance(chain.protein, ProteinError):
        raise chain.protein
    protein, missing = usable(chain.protein)
    return ReadChain(chain.name, chain.label, protein, list(_notes(file, chain, protein, missing)))


def _notes(file: StructureFile, chain: Chain, protein: Protein, missing: int) -> Iterator[str]:
    """Yield notes on how the chain was read."""
    if file.models > 1:
        yield f"first of {file.models} models"
    if missing:
        yield f"{missing} of {chain.residues} residues have no complete backbone and were left out"
    if chain.breaks:
        yield f"chain broken at {chain.breaks} place{'s' if chain.breaks > 1 else ''}"
    if chain.repeated:
        yield f"{chain.repeated} residue{'s' if chain.repeated > 1 else ''} with the number of another"
    unknown = int((protein.residue_types == UNKNOWN).sum())
    if unknown > MANY_UNKNOWN * len(protein):
        yield f"{unknown} of {len(protein)} residues are of unknown type"
