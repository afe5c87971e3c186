"""One protein: residues with identity, author numbering and backbone coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ATOMS = ("N", "CA", "C", "O")
"""Order of the backbone atoms in every coordinate array."""
REQUIRED_ATOMS = 3
"""Number of atoms that a usable residue has: N, CA and C; O may be NaN."""


class ProteinError(ValueError):
    """Protein that cannot be used; the message is the reason, without the protein's name."""


@dataclass(frozen=True)
class Protein:
    """Protein of L residues.

    Attributes:
        id: name, unique in its data set.
        residue_types: (L,) index into :data:`bioblobs.proteins.alphabet.SYMBOLS`.
        residue_numbers: (L,) author residue numbers.
        insertion_codes: (L,) one byte each, b"" where there is none.
        chain_ids: (L,) author chain, at most four characters.
        coordinates: (L, 4, 3) N, CA, C, O in angstrom; NaN where an atom is missing.
        embeddings: (L, E) of an encoder that made them elsewhere; None without (``data.embeddings``).
        origin: what was subtracted from the coordinates of the file, which lie far away (angstrom).
    """

    id: str
    residue_types: NDArray[np.uint8]
    residue_numbers: NDArray[np.int32]
    insertion_codes: NDArray[np.bytes_]
    chain_ids: NDArray[np.bytes_]
    coordinates: NDArray[np.float32]
    embeddings: NDArray[np.float16] | None = None
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __len__(self) -> int:
        return len(self.residue_types)


def usable(protein: Protein) -> tuple[Protein, int]:
    """Keep the residues with a complete backbone; return the protein and the number of others.

    Kept residues keep their numbers, so gaps stay visible.

    Raises:
        ProteinError: no residue has N, CA and C at finite places.
    """
    complete = np.isfinite(protein.coordinates[:, :REQUIRED_ATOMS]).all((1, 2))
    if not complete.any():
        raise ProteinError(f"none of {len(protein)} residues has finite N, CA and C atoms")
    dropped = int((~complete).sum())
    if not dropped:
        return protein, 0
    kept = Protein(
        protein.id,
        protein.residue_types[complete],
        protein.residue_numbers[complete],
        protein.insertion_codes[complete],
        protein.chain_ids[complete],
        protein.coordinates[complete],
        None if protein.embeddings is None else protein.embeddings[complete],
        protein.origin,
    )
    return kept, dropped
