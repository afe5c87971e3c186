"""Lists of atoms as structure files give them -> residues: what is told apart, what is left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from proteinshake.datasets.dataset import AA_ONE_TO_THREE, Dataset
from proteinshake.utils import write_avro

from bioblobs.proteins.alphabet import decode
from bioblobs.proteins.record import ATOMS, Protein, ProteinError
from bioblobs.sources.shake_atoms import protein_from_atoms
from bioblobs.sources.shake_avro import records
from conftest import random_chain


class Atom(NamedTuple):
    """One line of a structure file."""

    name: str
    number: int
    type: str
    place: tuple[float, float, float]
    chain: str = "A"


Residue = list[Atom]
SEQUENCE = "MKTWYACDEF"
CHAIN = random_chain(len(SEQUENCE), 3).round(3)


def residue(index: int, number: int, letter: str | None = None, chain: str = "A") -> Residue:
    """Backbone of residue ``index`` of a random chain, with hydrogens and a C-beta as files have them."""
    letter = letter or SEQUENCE[index]
    n, ca, c, o = (tuple(place.tolist()) for place in CHAIN[index])
    beta = tuple((CHAIN[index, 1] + 1.5).tolist())
    hydrogen = tuple((CHAIN[index, 0] + 0.6).tolist())
    named = [("N", n), ("CA", ca), ("C", c), ("O", o), ("CB", beta), ("H", hydrogen), ("HA", hydrogen)]
    return [Atom(name, number, letter, place, chain) for name, place in named]  # type: ignore[arg-type]


def moved(atoms: Residue, by: float, letter: str | None = None) -> Residue:
    """The same atoms elsewhere, of another type."""
    return [
        a._replace(place=tuple(x + by for x in a.place), type=letter or a.type)  # type: ignore[arg-type]
        for a in atoms
    ]


def plain(first: int = 1, count: int = len(SEQUENCE), chain: str = "A") -> list[Residue]:
    return [residue(i, first + i, chain=chain) for i in range(count)]


def lists(atoms: Sequence[Atom], chains: bool = True) -> dict[str, list[Any]]:
    """ProteinShake's lists."""
    xyz = {axis: [a.place[i] for a in atoms] for i, axis in enumerate("xyz")}
    made: dict[str, list[Any]] = {
        "atom_number": list(range(1, len(atoms) + 1)),
        "atom_type": [a.name for a in atoms],
        "residue_number": [a.number for a in atoms],
        "residue_type": [a.type for a in atoms],
        **xyz,
        "SASA": [0.0] * len(atoms),
    }
    return {**made, "chain_id": [a.chain for a in atoms]} if chains else made


def read(residues: Sequence[Residue], folder: Path, chains: bool = True) -> Protein:
    """Through a file of ProteinShake's writer."""
    path = folder / "SCOPDataset.atom.avro"
    atoms = lists([a for each in residues for a in each], chains)
    write_avro([{"protein": {"ID": "1ABC"}, "atom": atoms}], path)
    (record,) = records(path)
    return protein_from_atoms(record["protein"]["ID"], record["atom"])


def assert_plain(protein: Protein, keep: Sequence[int] = range(len(SEQUENCE))) -> None:
    """These residues of the random chain, untouched."""
    np.testing.assert_array_equal(protein.coordinates, CHAIN[list(keep)])
    assert decode(protein.residue_types) == "".join(SEQUENCE[i] for i in keep)


def test_hydrogens_and_side_chains_fall_out(tmp_path: Path) -> None:
    protein = read(plain(), tmp_path)
    assert_plain(protein)
    assert protein.residue_numbers.tolist() == list(range(1, 11))


def test_chains_of_one_protein_are_told_apart(tmp_path: Path) -> None:
    """Same numbers and types: only the chain differs, also where one ends on the number of the next."""
    both = [*plain(count=3, chain="A"), *plain(first=3, count=3, chain="B")]
    protein = read(both, tmp_path)
    assert protein.chain_ids.tolist() == [b"A"] * 3 + [b"B"] * 3
    assert protein.residue_numbers.tolist() == [1, 2, 3, 3, 4, 5]


def test_chain_of_a_single_chain_set_is_a(tmp_path: Path) -> None:
    assert set(read(plain(), tmp_path, chains=False).chain_ids.tolist()) == {b"A"}


@pytest.mark.parametrize("interleaved", [True, False], ids=["atom by atom", "one after the other"])
@pytest.mark.parametrize("other", [None, "S"], ids=["same type", "two types"])
def test_of_alternate_locations_the_first_is_kept(
    tmp_path: Path, interleaved: bool, other: str | None
) -> None:
    """Also where they are of two residue types at one place (microheterogeneity)."""
    first = residue(4, 5)
    second = moved(first, 0.3, other)
    pair = [a for both in zip(first, second, strict=True) for a in both] if interleaved else first + second
    assert_plain(read([*plain()[:4], pair, *plain()[5:]], tmp_path))


def test_alternate_locations_of_a_part_of_the_backbone(tmp_path: Path) -> None:
    whole = residue(4, 5)
    assert_plain(read([*plain()[:4], whole + moved(whole[1:4], 0.5), *plain()[5:]], tmp_path))


@pytest.mark.parametrize("letters", ["GG", "GA"], ids=["same type", "two types"])
@pytest.mark.parametrize("without", ["", "N", "CA", "C", "O", "C O", "N CA"])
@pytest.mark.parametrize("which", [0, 1])
def test_residues_that_share_a_number_are_told_apart(
    tmp_path: Path, letters: str, without: str, which: int
) -> None:
    """52 and 52A, the code dropped; atoms missing from one of them."""
    pair = [residue(4, 52, letters[0]), residue(5, 52, letters[1])]
    pair[which] = [a for a in pair[which] if a.name not in without.split()]
    protein = read([residue(3, 51), *pair, residue(6, 53)], tmp_path)
    assert protein.residue_numbers.tolist() == [51, 52, 52, 53]
    assert decode(protein.residue_types)[1:3] == letters
    wanted = CHAIN[3:7].copy()
    wanted[1 + which, [name in without.split() for name in ATOMS]] = np.nan
    np.testing.assert_array_equal(protein.coordinates, wanted)


def test_three_residues_that_share_a_number(tmp_path: Path) -> None:
    protein = read([residue(i, 100, "G") for i in range(3)], tmp_path)
    np.testing.assert_array_equal(protein.coordinates, CHAIN[:3])


@pytest.mark.parametrize("letter", ["X", "B", "", "MSE"])
def test_unknown_residue_types_are_x(tmp_path: Path, letter: str) -> None:
    """They stay, so that numbering and chain go on; letters after them are not shifted."""
    other = [a._replace(type=letter) for a in residue(4, 5)]
    protein = read([*plain()[:4], other, *plain()[5:]], tmp_path)
    assert decode(protein.residue_types) == SEQUENCE[:4] + "X" + SEQUENCE[5:]


@pytest.mark.parametrize("by", [0.2, 40.0], ids=["close", "far"])
def test_of_several_models_the_first_is_kept(tmp_path: Path, by: float) -> None:
    models = plain() + [moved(each, by) for each in plain()] + [moved(each, -by) for each in plain()]
    assert_plain(read(models, tmp_path))


def test_residues_out_of_order_are_sorted_as_proteinshake_sorts(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shuffled = plain()
    rng.shuffle(shuffled)  # type: ignore[arg-type]
    protein = read([*plain(chain="B"), *shuffled], tmp_path)
    assert protein.residue_numbers.tolist() == list(range(1, 11)) * 2
    assert protein.chain_ids.tolist() == [b"A"] * 10 + [b"B"] * 10
    np.testing.assert_array_equal(protein.coordinates, np.concatenate([CHAIN, CHAIN]))


def test_atoms_of_a_residue_in_any_order_and_place(tmp_path: Path) -> None:
    atoms = [a for each in plain() for a in each]
    np.random.default_rng(1).shuffle(atoms)  # type: ignore[arg-type]
    assert_plain(read([atoms], tmp_path))


KINDS = ("plain", "inserted", "alternate", "no O", "CA only")


@settings(max_examples=100, derandomize=True, database=None)
@given(
    st.lists(st.sampled_from(["plain", "inserted", "alternate", "no O", "CA only"]), min_size=1, max_size=9)
)
def test_every_mixture_gives_each_residue_once(kinds: list[str]) -> None:
    """Residues in chain order; an inserted one shares the number of the one before it."""
    atoms: list[Atom] = []
    number, wanted = 0, CHAIN[: len(kinds)].copy()
    for i, kind in enumerate(kinds):
        number += kind != "inserted" or i == 0
        made = residue(i, number)
        if kind == "alternate":
            made = made + moved(made, 0.4)
        if kind == "no O":
            made = [a for a in made if a.name != "O"]
            wanted[i, 3] = np.nan
        if kind == "CA only":
            made = [a for a in made if a.name == "CA"]
            wanted[i, [0, 2, 3]] = np.nan
        atoms += made
    protein = protein_from_atoms("x", lists(atoms))
    np.testing.assert_array_equal(protein.coordinates, wanted)
    assert decode(protein.residue_types) == SEQUENCE[: len(kinds)]


@pytest.mark.parametrize("column", ["x", "residue_number", "residue_type", "chain_id"])
def test_lists_of_different_lengths_are_a_reason(column: str) -> None:
    atoms = lists(residue(0, 1))
    atoms[column].pop()
    with pytest.raises(ProteinError, match="differ in length"):
        protein_from_atoms("x", atoms)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_places_that_are_no_numbers_do_not_warn(value: float) -> None:
    atoms = lists([a for each in plain() for a in each])
    atoms["x"][7:9] = [value, value]
    assert len(protein_from_atoms("x", atoms)) == len(SEQUENCE)


def test_number_that_no_file_can_hold_is_a_reason() -> None:
    atoms = lists(residue(0, 2**40))
    with pytest.raises(ProteinError, match="cannot be read"):
        protein_from_atoms("x", atoms)


def test_no_backbone_is_a_reason() -> None:
    with pytest.raises(ProteinError, match="no backbone"):
        protein_from_atoms("x", lists([a for a in residue(0, 1) if a.name not in ATOMS]))


def pdb_lines(residues: Sequence[Residue], code: dict[int, str], record: str = "ATOM") -> list[str]:
    """Lines of a PDB file; ``code``: insertion code by place in ``residues``."""
    lines, serial = [], 0
    for i, each in enumerate(residues):
        for a in each:
            serial += 1
            place = "".join(f"{x:8.3f}" for x in a.place)
            lines.append(
                f"{record:6s}{serial:5d} {f' {a.name}':<4s} {AA_ONE_TO_THREE.get(a.type, 'MSE')} {a.chain}"
                f"{a.number:4d}{code.get(i, ' ')}   {place}  1.00 20.00           {a.name[0]}"
            )
    return lines


def test_what_proteinshakes_own_parser_makes_of_a_pdb_file(tmp_path: Path) -> None:
    """Its route from a file with an insertion, HETATM residues, water and two models to our residues."""
    chain = [*plain()[:5], residue(5, 5), *[residue(i, i) for i in range(6, 10)]]  # 5 and 5A
    water = [[Atom("O", 300, "MSE", (1.0, 2.0, 3.0))]]
    first = [*pdb_lines(chain, {5: "A"}), *pdb_lines(water, {}, "HETATM")]
    second = pdb_lines([moved(each, 9.0) for each in chain], {5: "A"})
    path = tmp_path / "1abc.pdb"
    path.write_text(
        "\n".join(["MODEL        1", *first, "ENDMDL", "MODEL        2", *second, "ENDMDL", "END", ""])
    )
    frame = Dataset.pdb2df(None, str(path))
    columns = {name: frame[name].tolist() for name in frame}
    protein = protein_from_atoms("1abc", columns)
    assert_plain(protein)
    assert protein.residue_numbers.tolist() == [1, 2, 3, 4, 5, 5, 6, 7, 8, 9]
