"""Residue names of structure files: kind of residue, and the amino acid that it counts as."""

from __future__ import annotations

from collections.abc import Mapping

import gemmi

from bioblobs.proteins.alphabet import SYMBOLS

FORCE_FIELD_NAMES = {
    **dict.fromkeys(("HSD", "HSE", "HSP", "HID", "HIE", "HIP"), "H"),
    **dict.fromkeys(("HISA", "HISB", "HISD", "HISE", "HISH", "HISP", "HIS1", "HIS2", "HIS+", "HIST"), "H"),
    **dict.fromkeys(("CYX", "CYM", "CYN", "CYS1", "CYS2", "CYSH", "CYSS", "CYSX"), "C"),
    **dict.fromkeys(("ASH", "ASPH", "ASPP", "ASP1", "ASP-", "AS4"), "D"),
    **dict.fromkeys(("GLH", "GLUH", "GLUP", "GLU-", "GL4"), "E"),
    **dict.fromkeys(("LYN", "LYP", "LSN", "LYSH", "LYSN", "LYSP", "LYS+"), "K"),
    **dict.fromkeys(("ARN", "ARGN", "ARG+"), "R"),
    **dict.fromkeys(("TYRU", "TYRH", "TYM"), "Y"),
    **dict.fromkeys(("PHEU", "PHEH"), "F"),
    **dict.fromkeys(("TRPU", "TRPH"), "W"),
    **dict.fromkeys(("ASN1",), "N"),
    **dict.fromkeys(("QLN",), "Q"),
    **dict.fromkeys(("DALA",), "A"),
}
"""Names that simulation programs give to protonation states (AMBER, CHARMM, GROMACS, CYANA)."""
STANDARD = {gemmi.expand_one_letter(letter, gemmi.ResidueKind.AA): letter for letter in SYMBOLS[:-1]}
"""Three-letter names of the 20 standard amino acids."""
TERMINAL_NAMES = {
    end + name: name for end in "NC" for name in (*STANDARD, *FORCE_FIELD_NAMES, "HYP") if len(name) == 3
}
"""Names that AMBER gives to the first and last residue of a chain: {"NGLY": "GLY", "CTHR": "THR"}."""
SOLVENTS = {
    *("SOL", "TIP", "TIP3", "TIP4", "TIP5", "TP3", "TP3M", "TP4E", "TP5", "T3P", "T4P", "SPC", "SPCE"),
    *("OPC", "OPC3", "SWM4", "WAT", "W", "PW"),
}
"""Names of water in simulations."""
IONS = {"SOD", "CLA", "POT", "CAL", "NA+", "CL-", "Na+", "Cl-", "ION"}
"""Names of ions in simulations."""
LONG_NAMES = {name for name in {*FORCE_FIELD_NAMES, *TERMINAL_NAMES, *SOLVENTS} if len(name) == 4}
"""Known residue names of four letters."""
RARE = {"U": "C", "O": "K"}
"""Selenocysteine and pyrrolysine count as the amino acids that they replace."""


def one_letter(name: str, parents: Mapping[str, str]) -> str:
    """Find the standard amino acid that a residue counts as, by its name; X if unknown.

    First gemmi's table of residues (MSE: M, SEP: S, D-amino acids as their mirror images), then names of
    force fields, then the parent that the file gives.
    """
    name = TERMINAL_NAMES.get(name, name)
    letter = gemmi.find_tabulated_residue(name).one_letter_code.upper()
    letter = RARE.get(letter, letter)
    if letter in SYMBOLS[:-1] and is_amino_acid(name):
        return letter
    if name in FORCE_FIELD_NAMES:
        return FORCE_FIELD_NAMES[name]
    return STANDARD.get(parents.get(name, ""), "X")


def is_amino_acid(name: str) -> bool:
    """Tell whether a residue of this name is known to be an amino acid."""
    name = TERMINAL_NAMES.get(name, name)
    return gemmi.find_tabulated_residue(name).is_amino_acid() or name in FORCE_FIELD_NAMES


def is_solvent(name: str) -> bool:
    """Tell whether a residue of this name is water or an ion beyond doubt (by three letters or more)."""
    return len(name) > 2 and (
        name in SOLVENTS or name in IONS or gemmi.find_tabulated_residue(name).is_water()
    )


def kind(name: str) -> str:
    """Return ``water``, ``nucleotide`` or ``other`` for a residue outside polypeptides."""
    known = gemmi.find_tabulated_residue(name)
    if known.is_water() or name in SOLVENTS:
        return "water"
    return "nucleotide" if known.is_nucleic_acid() else "other"
