"""All residues of some proteins, end to end: type, secondary structure, unbroken stretch, C-alpha."""

from __future__ import annotations

from dataclasses import dataclass

import biotite.structure as struc
import numpy as np
from numpy.typing import NDArray

from bioblobs.proteins.geometry import CA_ATOM, stretches
from bioblobs.store.packed import Store

STRUCTURES = ("helix", "strand", "coil")
_KINDS = {"a": "helix", "b": "strand", "c": "coil", "": "coil"}


@dataclass(frozen=True)
class Residues:
    """N residues of P proteins, in the order of the records.

    Attributes:
        types: (N,) index into the residue alphabet.
        structure: (N,) index into :data:`STRUCTURES`.
        stretch: (N,) number of the unbroken stretch of chain, in no two proteins the same.
        ca: (N, 3) C-alphas in angstrom.
        offsets: (P + 1,) protein p is residues offsets[p] : offsets[p + 1].
    """

    types: NDArray[np.uint8]
    structure: NDArray[np.int64]
    stretch: NDArray[np.int64]
    ca: NDArray[np.float32]
    offsets: NDArray[np.int64]


def gather(store: Store, rows: NDArray[np.int64]) -> Residues:
    """The residues of ``rows``, secondary structure measured protein by protein."""
    spans = [np.arange(store.offsets[row], store.offsets[row + 1]) for row in rows]
    at = np.concatenate(spans)
    unbroken = [stretches_of(store, row) for row in rows]
    counts = np.cumsum([0, *(part[-1] + 1 for part in unbroken)])
    kinds = np.concatenate([secondary_structure(store, row) for row in rows])
    return Residues(
        types=np.asarray(store.residue_types[at]),
        structure=np.array([STRUCTURES.index(kind) for kind in kinds.tolist()]),
        stretch=np.concatenate([part + first for part, first in zip(unbroken, counts, strict=False)]),
        ca=np.asarray(store.coordinates[at, CA_ATOM]),
        offsets=np.cumsum([0, *map(len, spans)]),
    )


def stretches_of(store: Store, row: int) -> NDArray[np.int64]:
    """(L,) number of the unbroken stretch of chain (:func:`~bioblobs.proteins.geometry.stretches`)."""
    span = slice(store.offsets[row], store.offsets[row + 1])
    return stretches(np.asarray(store.coordinates[span]), np.asarray(store.chain_ids[span]))


def secondary_structure(store: Store, row: int) -> NDArray[np.str_]:
    """(L,) helix, strand or coil from the C-alpha trace: P-SEA (Labesse et al. 1997), by Biotite."""
    span = slice(store.offsets[row], store.offsets[row + 1])
    length = int(store.offsets[row + 1] - store.offsets[row])
    atoms = struc.AtomArray(length)
    atoms.coord = np.asarray(store.coordinates[span, CA_ATOM])
    atoms.atom_name[:] = "CA"
    atoms.res_name[:] = "GLY"  # any amino acid: the method looks at coordinates only
    atoms.element[:] = "C"
    # A break is seen as a jump in the number.
    atoms.res_id[:] = np.arange(length) + stretches_of(store, row)
    atoms.chain_id[:] = np.asarray(store.chain_ids[span]).astype(str)
    return np.array([_KINDS[str(kind)] for kind in struc.annotate_sse(atoms)])
