"""A chain that goes through the page's packed form keeps its place and its names."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bioblobs.proteins.record import Protein
from bioblobs.report.packed_chains import LARGEST, STEP, numbering_runs, pack_coordinates, unpack_coordinates
from conftest import random_chain


@given(st.integers(1, 60), st.integers(0, 5), st.floats(-9000, 9000))
def test_packing_moves_no_atom_by_more_than_half_a_step(length: int, seed: int, shift: float) -> None:
    chain = random_chain(length, seed) + np.float32(shift)
    chain[::7, 3] = np.nan
    packed = pack_coordinates(chain)
    assert packed["step"] == STEP
    found = unpack_coordinates(packed)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(chain))
    assert np.nanmax(np.abs(found - chain.astype(np.float64))) <= STEP / 2 + 1e-9


def test_a_chain_wider_than_the_range_is_packed_coarser() -> None:
    chain = random_chain(30, 0)
    chain[15:] += 2000
    packed = pack_coordinates(chain)
    assert STEP < packed["step"] < 2100 / LARGEST
    assert np.abs(unpack_coordinates(packed) - chain).max() <= packed["step"] / 2 + 1e-3


@given(
    st.lists(
        st.tuples(st.sampled_from(["A", "H2"]), st.integers(-4, 6), st.sampled_from(["", "A"])), min_size=1
    )
)
def test_runs_of_numbers_name_every_residue(residues: list[tuple[str, int, str]]) -> None:
    chains, numbers, codes = zip(*residues, strict=True)
    protein = Protein(
        "p",
        np.zeros(len(residues), np.uint8),
        np.array(numbers, np.int32),
        np.array([code.encode() for code in codes], "S1"),
        np.array([chain.encode() for chain in chains], "S4"),
        random_chain(len(residues), 0),
    )
    runs = numbering_runs(protein)
    named = [(chain, first + step, code) for chain, first, count, code in runs for step in range(count)]
    assert named == residues


def test_a_plain_chain_is_one_run() -> None:
    numbers = np.arange(5, 25, dtype=np.int32)
    letters = np.zeros(20, np.uint8)
    protein = Protein(
        "p", letters, numbers, np.full(20, b"", "S1"), np.full(20, b"A", "S4"), random_chain(20, 0)
    )
    assert numbering_runs(protein) == [["A", 5, 20, ""]]
