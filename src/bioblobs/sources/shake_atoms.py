"""Backbone of a protein from ProteinShake's lists of atoms.

The files hold one list per property over all atoms; they drop insertion codes, alternate-location letters,
HETATM records and all models but the first. docs/data.md says how the rest is read.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioblobs.proteins.alphabet import SYMBOLS, encode
from bioblobs.proteins.record import ATOMS, Protein, ProteinError

SAME_PLACE_MAX = 2.0
"""Two atoms of one name and residue number closer than this (angstrom) are alternate locations of one atom;
farther apart they are of two residues (neighbouring N are 2.6 angstrom apart or more)."""
NO_CHAIN = "A"
"""Chain id where the file holds none (single-chain data sets), as in ProteinShake's PDB writer."""


def protein_from_atoms(name: str, atoms: dict[str, list[Any]]) -> Protein:
    """Build a protein: residues in ProteinShake's order, by chain and number.

    Args:
        name: the protein's identifier.
        atoms: lists atom_type, residue_number, residue_type, x, y, z, perhaps chain_id; one entry per atom.

    Raises:
        ProteinError: there is no backbone atom, or the lists do not fit each other.
    """
    kind, number, types, chain, xyz = _columns(atoms)
    place = np.argmax(kind[:, None] == np.array(ATOMS), axis=1)  # (M,)
    kept = _in_order(chain, number, place)
    place, number, types, chain, xyz = (each[kept] for each in (place, number, types, chain, xyz))
    residue = _residues(chain, number, types, place, xyz)  # (M,)
    start = np.flatnonzero(np.diff(residue, prepend=-1))
    first = np.full((len(start), len(ATOMS)), len(place))  # of each name; past the end: missing
    np.minimum.at(first, (residue, place), np.arange(len(place)))
    return Protein(
        id=name,
        residue_types=types[start],
        residue_numbers=number[start],
        insertion_codes=np.full(len(start), b"", "S1"),
        chain_ids=chain[start],
        coordinates=np.concatenate([xyz, np.full((1, 3), np.nan, np.float32)])[first],
    )


def _columns(atoms: dict[str, list[Any]]) -> tuple[NDArray[Any], ...]:
    """Convert to name, residue number, type, chain and (M, 3) coordinates of the backbone atoms."""
    size = len(atoms["atom_type"])
    held = ("residue_number", "residue_type", *"xyz", *(["chain_id"] if "chain_id" in atoms else []))
    if {len(atoms[column]) for column in held} != {size}:
        raise ProteinError("its lists of atoms differ in length")
    kind = np.array(atoms["atom_type"], "U5")
    backbone = np.flatnonzero(np.isin(kind, ATOMS))
    if not len(backbone):
        raise ProteinError("no backbone atoms")
    try:
        number = np.array(atoms["residue_number"], np.int32)[backbone]
        letters = np.array(atoms["residue_type"], "U2")[backbone]
        chain = np.array(atoms["chain_id"], "S4")[backbone] if "chain_id" in atoms else None
        with np.errstate(over="ignore"):  # what is too large becomes infinite: not usable
            xyz = np.stack([np.array(atoms[axis], np.float32)[backbone] for axis in "xyz"], -1)
    except (OverflowError, TypeError, ValueError) as error:
        raise ProteinError(f"its lists of atoms cannot be read ({error})") from error
    if chain is None:
        chain = np.full(len(backbone), NO_CHAIN, "S4")
    return kind[backbone], number, _encode(letters), chain, xyz


def _encode(letters: NDArray[np.str_]) -> NDArray[np.uint8]:
    """Encode residue types, (M,); all but single letters are X. ``letters`` are two characters wide."""
    code, second = letters.view(np.uint32).reshape(-1, 2).T
    known = (second == 0) & (code < 128)
    return encode(np.where(known, code, ord(SYMBOLS[-1])).astype(np.uint8).tobytes().decode())


def _in_order(chain: NDArray[Any], number: NDArray[Any], place: NDArray[Any]) -> NDArray[np.intp]:
    """Sort the atoms by chain and residue number, without those of later models; return indices.

    ProteinShake's own files are sorted so and hold the first model only. An atom whose name its residue had
    before, with other residues in between, belongs to a later model.
    """
    labels = np.unique(chain, return_inverse=True)[1].astype(np.int64) << 32
    key = labels + number  # (M,) one value per chain and number
    steps = np.diff(key)
    if (steps >= 0).all():
        return np.arange(len(key))
    run = np.concatenate([[0], (steps != 0).cumsum()])
    order = np.lexsort((run, place, key))
    same_name = (np.diff(key[order]) == 0) & (np.diff(place[order]) == 0)
    begins = np.concatenate([[True], ~same_name])  # of each name of each residue
    first_run = run[order][begins][begins.cumsum() - 1]
    kept = np.sort(order[run[order] == first_run])
    by_residue: NDArray[np.intp] = kept[np.argsort(key[kept], kind="stable")]
    return by_residue


def _residues(
    chain: NDArray[Any], number: NDArray[Any], types: NDArray[Any], place: NDArray[Any], xyz: NDArray[Any]
) -> NDArray[np.intp]:
    """Assign each atom to a residue, (M,).

    Chain or number changes: another residue. Atoms of one number and type, no name twice, are one residue
    in whatever order. Else (52 and 52A, their codes dropped; alternate locations) another begins where the
    order N, CA, C, O starts over or the type changes, at an atom that is not at the place of the atom of
    its name before it; there being none, at one that is not bound to the next of the four names.
    """
    other = (number[1:] != number[:-1]) | (chain[1:] != chain[:-1])
    run = np.concatenate([[0], other.cumsum()])
    back, retyped = place[1:] < place[:-1], types[1:] != types[:-1]
    last = _last_of_names(place)[1:]  # (M - 1, 4)
    same_name, next_name = (
        np.take_along_axis(last, at[1:, None], 1)[:, 0] for at in (place, (place + 1) % 4)
    )
    seen, next_seen = ((index >= 0) & (run[index] == run[1:]) for index in (same_name, next_name))
    bound = next_seen & (_distance(xyz[1:], xyz[next_name]) <= SAME_PLACE_MAX)
    apart = _distance(xyz[1:], xyz[same_name]) > SAME_PLACE_MAX
    twice = np.bincount(run[1:], seen, minlength=run[-1] + 1)[run[1:]] > 0
    again = back & (retyped | (twice & ~bound))
    starts: NDArray[np.intp] = np.concatenate(
        [[0], (other | np.where(seen, apart & (back | retyped), again)).cumsum()]
    )
    return starts


def _last_of_names(place: NDArray[np.intp]) -> NDArray[np.intp]:
    """Find the last atom of each name before each atom: (M, 4) index, -1 for none."""
    index = np.arange(len(place))[:, None]
    held = np.where(place[:, None] == np.arange(len(ATOMS)), index, -1)
    return np.concatenate([np.full((1, len(ATOMS)), -1), np.maximum.accumulate(held)[:-1]])


def _distance(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(np.linalg.norm(one - other, axis=-1))
