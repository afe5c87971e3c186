"""Coloured structures as PDB files, where the columns of that format can hold them."""

from __future__ import annotations

import gemmi

from bioblobs.prediction.coloured import Coloured

ATOMS, NUMBERS = 99_999, range(-999, 10_000)
"""Most atoms, and residue numbers, that fit their columns."""
LOWEST, HIGHEST = -999.999, 9_999.999
"""Coordinates that fit their columns (angstrom)."""


def unfit_for_pdb(structure: gemmi.Structure) -> str:
    """Reason why a structure cannot be a PDB file; empty if it can."""
    model = structure[0]
    if long := [chain.name for chain in model if len(chain.name) > 1]:
        return f"chain id {long[0]} has more than one character"
    if model.count_atom_sites() + len(model) > ATOMS:
        return f"more than {ATOMS} atoms"
    for chain in model:
        for residue in chain:
            if residue.seqid.num not in NUMBERS:
                return f"residue number {residue.seqid.num}"
            if len(residue.name) > 3:
                return f"residue name {residue.name} has more than three characters"
            if long := [atom.name for atom in residue if len(atom.name) > 4]:
                return f"atom name {long[0]} has more than four characters"
    box = structure.calculate_box()
    if min(box.minimum.tolist()) < LOWEST or max(box.maximum.tolist()) > HIGHEST:
        return f"a coordinate outside of {LOWEST} to {HIGHEST} angstrom"
    return ""


def as_pdb(made: Coloured) -> str:
    """The structure as the text of a PDB file, atoms numbered as in the scripts."""
    options = gemmi.PdbWriteOptions(preserve_serial=True, numbered_ter=False)
    try:
        return made.structure.make_pdb_string(options)
    except UnicodeDecodeError:  # a title that is not UTF-8
        options.minimal_file = True
        return made.structure.make_pdb_string(options)
