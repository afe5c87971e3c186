"""Residues without a complete backbone are left out, and nothing else about a protein changes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioblobs.proteins.alphabet import SYMBOLS, UNKNOWN, composition, decode, encode
from bioblobs.proteins.record import ATOMS, Protein, ProteinError, usable
from conftest import random_chain


@pytest.fixture
def protein() -> Protein:
    """Six residues, 52 twice (with an insertion code), a gap before 60, two chains."""
    return Protein(
        id="1ABC_A",
        residue_types=encode("ACDEFX"),
        residue_numbers=np.array([-1, 52, 52, 53, 60, 1], np.int32),
        insertion_codes=np.array([b"", b"", b"A", b"", b"", b""], "S1"),
        chain_ids=np.array([b"A", b"A", b"A", b"A", b"A", b"B"], "S4"),
        coordinates=random_chain(6, 0),
        embeddings=np.arange(18, dtype=np.float16).reshape(6, 3),
        origin=(2000.0, 0.0, -1500.0),
    )


def without_atoms(protein: Protein, places: dict[int, str], value: float = np.nan) -> Protein:
    """``protein`` with one atom of some residues at an impossible place: {residue: atom name}."""
    coordinates = protein.coordinates.copy()
    for residue, atom in places.items():
        coordinates[residue, ATOMS.index(atom)] = value
    return dataclasses.replace(protein, coordinates=coordinates)


def assert_is_subset(kept: Protein, whole: Protein, places: list[int]) -> None:
    """``kept`` is ``whole`` at ``places``, in every field."""
    assert (kept.id, kept.origin) == (whole.id, whole.origin)
    for field in dataclasses.fields(Protein):
        if field.name not in ("id", "origin"):
            np.testing.assert_array_equal(getattr(kept, field.name), getattr(whole, field.name)[places])


@pytest.mark.parametrize("atom", ["N", "CA", "C"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_residue_without_a_required_atom_is_left_out(protein: Protein, atom: str, value: float) -> None:
    broken = without_atoms(protein, {3: atom}, value)
    kept, dropped = usable(broken)
    assert dropped == 1
    assert_is_subset(kept, broken, [0, 1, 2, 4, 5])
    # the gap stays visible: 53 is gone, and nothing was renumbered to close it
    assert kept.residue_numbers.tolist() == [-1, 52, 52, 60, 1]


def test_one_infinite_axis_is_enough(protein: Protein) -> None:
    protein.coordinates[2, 1, 2] = np.inf
    kept, dropped = usable(protein)
    assert (len(kept), dropped) == (5, 1)
    assert kept.insertion_codes.tolist() == [b""] * 5  # it was 52A that went


def test_carbonyl_oxygen_may_be_missing(protein: Protein) -> None:
    broken = without_atoms(protein, {0: "O", 4: "O"})
    kept, dropped = usable(broken)
    assert dropped == 0
    assert_is_subset(kept, broken, [0, 1, 2, 3, 4, 5])


def test_whole_protein_passes_untouched(protein: Protein) -> None:
    kept, dropped = usable(protein)
    assert dropped == 0
    assert_is_subset(kept, protein, list(range(6)))


def test_ends_may_go_and_one_residue_may_stay(protein: Protein) -> None:
    broken = without_atoms(protein, {0: "N", 1: "CA", 3: "C", 4: "CA", 5: "N"})
    kept, dropped = usable(broken)
    assert dropped == 5
    assert_is_subset(kept, broken, [2])


def test_nothing_left_is_an_error(protein: Protein) -> None:
    with pytest.raises(ProteinError, match="6 residues"):
        usable(without_atoms(protein, dict.fromkeys(range(6), "CA")))


def test_empty_protein_is_an_error(protein: Protein) -> None:
    none = np.zeros(6, bool)
    empty = dataclasses.replace(
        protein,
        **{
            f.name: getattr(protein, f.name)[none]
            for f in dataclasses.fields(Protein)
            if f.name not in ("id", "origin")
        },
    )
    with pytest.raises(ProteinError):
        usable(empty)


def test_usable_leaves_its_argument_alone(protein: Protein) -> None:
    broken = without_atoms(protein, {3: "CA"})
    before = broken.coordinates.copy()
    usable(broken)
    np.testing.assert_array_equal(broken.coordinates, before)
    assert len(broken) == 6


@given(st.text(SYMBOLS, max_size=80))
def test_known_letters_survive_the_round_trip(sequence: str) -> None:
    assert decode(encode(sequence)) == sequence


@given(st.text(max_size=80))
def test_every_other_character_becomes_x(sequence: str) -> None:
    types = encode(sequence)
    assert len(types) == len(sequence)  # one residue a character, whatever the character is
    assert decode(types) == "".join(letter if letter in SYMBOLS else "X" for letter in sequence)


def test_alphabet_is_the_twenty_and_x() -> None:
    assert sorted(SYMBOLS) == sorted("ACDEFGHIKLMNPQRSTVWY" + "X")
    assert SYMBOLS[UNKNOWN] == "X"
    assert decode(encode("acBJOUZ*-")) == "XXXXXXXXX"


@given(st.text(SYMBOLS, min_size=1, max_size=80))
def test_composition_is_the_share_of_each_symbol(sequence: str) -> None:
    shares = composition(encode(sequence))
    assert shares.tolist() == [sequence.count(symbol) / len(sequence) for symbol in SYMBOLS]
