"""Residue names of PDB files that do not lie in their three columns."""

from __future__ import annotations

import re
from collections import defaultdict

from bioblobs.structures.residue_names import LONG_NAMES, STANDARD, is_amino_acid

_IDENT = re.compile(rb"^(?:ATOM  |ATOM \d|HETATM)[^\n]{10}([^\n]{6})", re.MULTILINE)
"""Columns 17 to 22: alternate location, residue name, column 21, chain id."""
_NUMBERED = re.compile(rb"^(?:ATOM  |ATOM \d|HETATM)[^\n]{10}([^\n]{6})([^\n]{5})", re.MULTILINE)

BESIDE = 2
"""Most residues with odd names before the first, or after the last, of the chain that they belong to."""


def without_odd_names(text: bytes) -> tuple[bytes, dict[str, str]]:
    """Replace residue names that are longer than three letters, or moved, by others of three.

    The fourth letter lies in column 21, where some programs put the first of a chain id of two.

    Returns:
        The text, and what the new names stand for.
    """
    found = {each.decode("latin-1") for each in set(_IDENT.findall(text))}
    names = _odd_names(text, found)
    if not names:
        return text, {}
    used = {each[1:4] for each in found if each[4] == " "}
    free = (code for code in (f"{number:03d}" for number in range(1000)) if code not in used)
    codes: dict[str, str] = {}
    for name in names.values():
        if name not in codes and (code := next(free, "")):
            codes[name] = code
    renamed = {
        each.encode("latin-1"): ((" " if each[4] == " " else each[0]) + codes[name] + " " + each[5]).encode(
            "latin-1"
        )
        for each, name in names.items()
        if name in codes
    }

    def rename(line: re.Match[bytes]) -> bytes:
        new = renamed.get(line.group(1))
        return line.group() if new is None else line.group()[:-6] + new

    return _IDENT.sub(rename, text), {code: name for name, code in codes.items()}


def _odd_names(text: bytes, found: set[str]) -> dict[str, str]:
    """Find columns 17 to 22 that hold an odd name, and that name."""
    names: dict[str, str] = {}
    if not any(each[1:4] in STANDARD for each in found):  # of no line: all have moved by one
        for each in found:
            if each[:3] in STANDARD and each[3:5] == "  ":
                names[each] = each[:3]
            elif each[2:5] in STANDARD and each[1] == " ":
                names[each] = each[2:5]
    double = {each[4:] for each in found if each[4] != " " and each[5] != " " and _three(each)}
    inside = _inside_another_chain(text) if any(each[4] != " " and each[5] != " " for each in found) else ()
    for each in sorted(found - names.keys()):
        if each[4] != " ":
            known = each[1:5] in LONG_NAMES
            if each[5] == " " or (known and each[4:] not in double) or each[4:] in inside:
                names[each] = each[1:5]
        elif each[:4] in LONG_NAMES and each[1:4] not in STANDARD and not is_amino_acid(each[1:4]):
            names[each] = each[:4]  # in columns 17 to 20
    return names


def _three(ident: str) -> bool:
    """Tell whether the first three letters are a name that a fourth would make no other."""
    return is_amino_acid(ident[1:4]) and ident[1:5] not in LONG_NAMES


def _inside_another_chain(text: bytes) -> set[str]:
    """Find what looks like chain ids of two characters, but only fills gaps in the numbers of a chain of one.

    A chain of its own repeats numbers of the other, or lies outside of them.
    """
    numbers: dict[str, set[bytes]] = defaultdict(set)
    for ident, number in set(_NUMBERED.findall(text)):
        numbers[ident[4:].decode("latin-1")].add(number)
    return {
        chain
        for chain, mine in numbers.items()
        if chain[0] != " " and chain[1] != " " and _fills(mine, numbers.get(" " + chain[1], set()))
    }


def _fills(mine: set[bytes], others: set[bytes]) -> bool:
    """Tell whether numbers (columns 23 to 27) lie in gaps of others, or right beside them."""
    values = [[int(each[:4]) for each in numbers if each[:4].strip().isdigit()] for numbers in (mine, others)]
    if not all(values) or len(mine) >= len(others) or not mine.isdisjoint(others):
        return False
    return min(values[1]) - BESIDE <= min(values[0]) and max(values[0]) <= max(values[1]) + BESIDE
