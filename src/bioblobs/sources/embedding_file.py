"""Write embeddings as ProtTrans does: HDF5, one float16 dataset (residues, width) per chain.

What is computed lies beside the file, one array per chain, until all is there; a run that was stopped goes on
with it. The file itself appears whole or not at all.
"""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from bioblobs.errors import BioBlobsError
from bioblobs.io import whole_file
from bioblobs.proteins.record import Protein, ProteinError, usable
from bioblobs.sources.input_chains import Named

Encode = Callable[[Sequence[Protein]], Sequence[NDArray[np.floating]]]
"""Embeddings of a batch: (L, width) per protein of L residues."""
WINDOW = 512
"""Chains that are sorted by length together before they are divided into batches."""


@dataclass
class Written:
    """Result of writing a file of embeddings.

    Attributes:
        path: the file.
        chains: in it.
        reused: of these, made by an earlier run that was stopped.
        skipped: (id or file, reason) of the others.
    """

    path: Path
    chains: int = 0
    reused: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def __str__(self) -> str:
        reused = f" ({self.reused} of an earlier run)" if self.reused else ""
        lines = [f"{self.path}: embeddings of {self.chains} chains{reused}"]
        first = dict(reversed([(reason, name) for name, reason in self.skipped]))
        counts = Counter(reason for _, reason in self.skipped)
        lines += [
            f"skipped {count}: {reason} (the first: {first[reason]})" for reason, count in counts.items()
        ]
        return "\n".join(lines)


def write_embeddings(
    path: Path, chains: Iterable[Named], encode: Encode, source: str, batch_residues: int = 4000
) -> Written:
    """Embed chains in batches of similar length and write them to ``path``.

    Residues without a complete backbone are left out, as a store leaves them out.

    Args:
        source: encoder and weights, in words; in the file's attribute ``source``. Arrays that another one
            made are not reused.
        batch_residues: most residues per batch, padding included; a longer chain is a batch of its own.

    Raises:
        BioBlobsError: no chain could be embedded, or a chain's embedding has other rows than residues.
    """
    parts = path.with_name(f".{path.name}.parts")
    path.parent.mkdir(parents=True, exist_ok=True)
    parts.mkdir(exist_ok=True)
    written = Written(path)
    made: dict[str, Path] = {}
    with tqdm(desc="embed", unit="chain", mininterval=1) as progress:
        for window in _windows(_usable(chains, written)):
            fresh = []
            for chain in window:
                made[chain.id] = parts / f"{_key(chain, source)}.npy"
                if made[chain.id].is_file():
                    written.reused += 1
                else:
                    fresh.append(chain)
            progress.update(len(window) - len(fresh))
            for batch in _batches(fresh, batch_residues):
                for chain, values in zip(batch, encode(batch), strict=True):
                    if values.ndim != 2 or len(values) != len(chain):
                        raise BioBlobsError(
                            f"{chain.id}: the encoder gave {values.shape} for {len(chain)} residues"
                        )
                    _save(made[chain.id], values)
                progress.update(len(batch))
    written.chains = len(made)
    if not made:
        shutil.rmtree(parts)
        reason = f"; the first, {': '.join(written.skipped[0])}" if written.skipped else ""
        raise BioBlobsError(f"{path}: no chain to embed{reason}")
    with whole_file(path) as scratch, h5py.File(scratch, "w") as file:
        file.attrs["source"] = source
        for name, part in made.items():
            dataset = file.create_dataset(name.replace("/", "_"), data=np.load(part))
            dataset.attrs["original_id"] = name
    shutil.rmtree(parts)
    return written


def _usable(chains: Iterable[Named], written: Written) -> Iterator[Protein]:
    names: set[str] = set()
    for name, chain in chains:
        dataset = name.replace("/", "_")
        try:
            if isinstance(chain, ProteinError):
                raise chain
            if dataset in names:
                raise ProteinError("another chain has the same id; embed the prepared store of the folder")
            kept = usable(chain)[0]
        except ProteinError as error:
            written.skipped.append((name, str(error)))
            continue
        names.add(dataset)
        yield replace(kept, id=name)


def _windows(chains: Iterator[Protein]) -> Iterator[list[Protein]]:
    window: list[Protein] = []
    for chain in chains:
        window.append(chain)
        if len(window) == WINDOW:
            yield window
            window = []
    if window:
        yield window


def _batches(chains: list[Protein], residues: int) -> Iterator[list[Protein]]:
    """Divide chains into batches, longest first: what does not fit into memory fails at once."""
    batch: list[Protein] = []
    for chain in sorted(chains, key=len, reverse=True):
        if batch and len(batch[0]) * (len(batch) + 1) > residues:
            yield batch
            batch = []
        batch.append(chain)
    if batch:
        yield batch


def _key(chain: Protein, source: str) -> str:
    """Digest of all that an embedding depends on."""
    digest = hashlib.sha256(f"{source}\n{chain.id}\n".encode())
    for values in (chain.residue_types, chain.residue_numbers, chain.coordinates):
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()[:32]


def _save(path: Path, values: NDArray[np.floating]) -> None:
    with np.errstate(over="ignore"):  # counts as not finite where it is read
        half = values.astype(np.float16)
    with whole_file(path) as scratch, scratch.open("wb") as file:
        np.save(file, half)
