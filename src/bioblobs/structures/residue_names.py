"""Residue names of structure files: kind of residue, and the amino acid that it counts as."""

from __future__ import annotations

from collections.abc import Mapping

import gemmi

from bioblobs.proteins.alphabet import SYMBOLS

FORCE_FIELD_NAMES = {
    **dict.fromkeys(("HSD", "HSE", "HSP", "HID", "HIE", "HIP", "HISA", "HISB", "HISD", "HISE", "HISH"), "H"),
    **dict.fromkeys(("CYX", "CYM", "CYN", "CYS2", "CYSH"), "C"),
    **dict.fromkeys(("ASH", "ASPH"), "D"),
    **dict.fromkeys(("GLH", "GLUH"), "E"),
    **dict.fromkeys(("LYN", "LYSH", "LYSN"), "K"),
    **dict.fromkeys(("ARGN",), "R"),
}
"""Names that simulation programs give to protonation states (AMBER, CHARMM, GROMACS)."""
RARE = {"U": "C", "O": "K"}
"""Selenocysteine and pyrrolysine count as the amino acids that they replace."""
STANDARD = {gemmi.expand_one_letter(letter, gemmi.ResidueKind.AA): letter for letter in SYMBOLS[:-1]}
"""Three-letter names of the 20 standard amino acids."""


def one_letter(name: str, parents: Mapping[str, str]) -> str:
    """Find the standard amino acid that a residue counts as, by its name; X if unknown.

    First gemmi's table of residues (MSE: M, SEP: S, D-amino acids as their mirror images), then names of
    force fields, then the parent that the file gives.
    """
    letter = gemmi.find_tabulated_residue(name).one_letter_code.upper()
    letter = RARE.get(letter, letter)
    if letter in SYMBOLS[:-1] and is_amino_acid(name):
        return letter
    if name in FORCE_FIELD_NAMES:
        return FORCE_FIELD_NAMES[name]
    return STANDARD.get(parents.get(name, ""), "X")


def is_amino_acid(name: str) -> bool:
    """Tell whether a residue of this name is known to be an amino acid."""
    return gemmi.find_tabulated_residue(name).is_amino_acid() or name in FORCE_FIELD_NAMES


def kind(name: str) -> str:
    """Return ``water``, ``nucleotide`` or ``other`` for a residue outside polypeptides."""
    known = gemmi.find_tabulated_residue(name)
    if known.is_water():
        return "water"
    return "nucleotide" if known.is_nucleic_acid() else "other"
