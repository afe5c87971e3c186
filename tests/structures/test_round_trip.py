"""Generated structures, written in both formats, are read back as they were; damaged ones are one error."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

import gemmi
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioblobs.proteins.alphabet import SYMBOLS, encode
from bioblobs.proteins.record import ATOMS, Protein
from bioblobs.structures.files import StructureError
from bioblobs.structures.reader import read_chains
from structure_files import DATA, FORMATS, atom, chain_of, long_chain, structure_of, write

FIELDS = ("residue_types", "residue_numbers", "insertion_codes", "chain_ids", "coordinates")


@st.composite
def numbering(draw: st.DrawFn, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Rising author numbers with gaps; some repeat with the next insertion code."""
    number, code = draw(st.integers(-30, 900)), ""
    numbers, codes = [], []
    for step in draw(st.lists(st.integers(0, 3), min_size=length, max_size=length)):
        if step == 0 and numbers and code != "Z":
            code = chr(ord(code) + 1) if code else "A"
        else:
            number, code = number + max(step, 1), ""
        numbers.append(number)
        codes.append(code.encode())
    return np.array(numbers, np.int32), np.array(codes, "S1")


@st.composite
def proteins(draw: st.DrawFn) -> list[Protein]:
    """One to three chains of 3 to 15 residues, some atoms missing (never all of a chain's)."""
    names = draw(
        st.lists(st.sampled_from(["A", "B", "Z", "a", "1", "AB", "x2"]), min_size=1, max_size=3, unique=True)
    )
    made = []
    for name in names:
        length = draw(st.integers(3, 15))
        numbers, codes = draw(numbering(length))
        coordinates = long_chain(length, draw(st.integers(0, 2**31)))
        places = st.tuples(st.integers(1, length - 1), st.integers(0, 3))
        for row, place in draw(st.lists(places, max_size=4)):
            coordinates[row, place] = np.nan
        coordinates[np.isnan(coordinates[:, :3]).all((1, 2)), 0] = 1.5  # no residue without atoms
        made.append(
            Protein(
                id=f"x_{name}",
                residue_types=encode(draw(st.text(SYMBOLS, min_size=length, max_size=length))),
                residue_numbers=numbers,
                insertion_codes=codes,
                chain_ids=np.full(length, name.encode(), "S4"),
                coordinates=coordinates,
            )
        )
    return made


def with_alternates(chain: gemmi.Chain, rows: set[int]) -> gemmi.Chain:
    """Some residues in a second conformer of less occupancy, before or after the one that is kept."""
    for row in rows:
        if row >= len(chain):
            continue
        kept = [(each.name, list(each.pos)) for each in chain[row]]
        del chain[row][:]
        for name, xyz in kept:
            labels = [("A", 0.7, 0.0), ("B", 0.3, 0.4)] if row % 2 else [("A", 0.2, 0.4), ("B", 0.8, 0.0)]
            for label, occupancy, shift in labels:
                chain[row].add_atom(atom(name, np.add(xyz, shift), label, occupancy))
    return chain


@settings(max_examples=60, derandomize=True, database=None)
@given(proteins(), st.sets(st.integers(0, 14), max_size=4))
def test_what_is_written_is_read_in_both_formats(written: list[Protein], alternates: set[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for kind in FORMATS:
            chains = [with_alternates(chain_of(each), alternates) for each in written]
            file = read_chains(write(structure_of(*chains), Path(folder) / f"x.{kind}"))
            assert len(file.chains) == len(written)
            for found, each in zip(file.chains, written, strict=True):
                assert isinstance(found.protein, Protein), found.protein
                assert found.protein.id == each.id
                for name in FIELDS:
                    got, wanted = getattr(found.protein, name), getattr(each, name)
                    if name == "coordinates":
                        np.testing.assert_allclose(got, wanted, atol=1e-3)  # a file's last digit
                    else:
                        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("name", ["label_auth.cif", "altlocs_backbone.pdb"])
def test_damaged_bytes_are_one_error_or_a_protein(tmp_path: Path, name: str) -> None:
    """Bytes changed, cut out, doubled or cut off: never another exception, never a half-read chain."""
    content, rng = (DATA / name).read_bytes(), np.random.default_rng(0)
    path = tmp_path / name
    refused = 0
    for mutant in range(200):
        changed = bytearray(content)
        begin = int(rng.integers(len(content)))
        end = begin + int(rng.integers(1, 60))
        if mutant % 4 == 0:
            changed[begin] = int(rng.integers(256))
        elif mutant % 4 == 1:
            del changed[begin:end]
        elif mutant % 4 == 2:
            changed[begin:begin] = changed[begin:end]
        else:
            del changed[begin:]
        path.write_bytes(changed)
        refused += 1
        with suppress(StructureError):
            chains = read_chains(path).chains
            for chain in chains:
                if isinstance(chain.protein, Protein):
                    assert len(chain.protein) == chain.residues >= chain.usable > 0
                    assert chain.protein.coordinates.shape == (chain.residues, len(ATOMS), 3)
            refused -= all(isinstance(chain.protein, Protein) for chain in chains)
    assert 0 < refused < 200
