"""Which residues of a file belong to a polypeptide, and what their names mean."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from bioblobs.proteins.alphabet import decode, encode
from bioblobs.proteins.geometry import C_ATOM, CA_ATOM, N_ATOM, peptide_bonds
from bioblobs.structures.atoms import POLYMER, UNKNOWN, AtomTable
from bioblobs.structures.conformers import choose_conformers, sites
from bioblobs.structures.residue_names import STANDARD, is_amino_acid, kind, one_letter


class Names:
    """Meaning of the residue names of one file, looked up once per name."""

    def __init__(self, names: list[str], index: NDArray[np.int64], parents: dict[str, str]) -> None:
        self.names, self.index = np.array(names), index
        self.letters = encode("".join(one_letter(name, parents) for name in names))
        self.amino = np.array([is_amino_acid(name) for name in names])
        self.kinds = [kind(name) for name in names]
        self.standard = np.isin(self.names, list(STANDARD))

    def kind(self, row: int) -> str:
        """Return the kind of a residue that is no part of a chain."""
        return self.kinds[self.index[row]]

    def modified(self, rows: NDArray[np.int64]) -> dict[str, int]:
        """Count residues that stand for another, by ``name->letter``."""
        found = self.index[rows]
        found = found[~self.standard[found]]
        letters = decode(self.letters)
        return dict(Counter(f"{self.names[i]}->{letters[i]}" for i in found))


def find_polypeptides(table: AtomTable, names: Names, entities: bool) -> NDArray[np.bool_]:
    """Tell which residues belong to a polypeptide, (R,).

    Where the file does not name the polymers, an amino acid does if it is written as ATOM, or bonded to a
    neighbour.

    Args:
        entities: the file says of every residue what it belongs to (mmCIF); else only TER records do, after
            which a bonded ATOM is still taken.
    """
    amino = names.amino[names.index] | (table.has(CA_ATOM) & (table.has(N_ATOM) | table.has(C_ATOM)))
    open_to = (table.entity == POLYMER) | (table.entity == UNKNOWN)
    if not entities:
        open_to |= ~table.hetero & table.has(CA_ATOM)
    candidates = np.flatnonzero(amino & open_to)
    backbone = choose_conformers(table, candidates)
    site, count = sites(table, candidates)
    chain = table.chain[backbone.residue]
    bonds = np.flatnonzero(peptide_bonds(backbone.coordinates) & (chain[1:] == chain[:-1]))
    peptide = np.zeros(len(amino), np.bool_)
    known, kind = table.entity[candidates], table.hetero[candidates]
    peptide[candidates] = (known == POLYMER) | (~kind & (known == UNKNOWN))
    belongs = np.zeros(count, np.bool_)
    if not entities:
        belongs |= np.bincount(site[candidates], peptide[candidates], count) > 0
    belongs[bonds] = belongs[bonds + 1] = True
    peptide[candidates] |= belongs[site[candidates]]  # with all its residue types
    return peptide
