"""Secondary structure and breaks from C-alphas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bioblobs.interpretation.residues import STRUCTURES, gather, secondary_structure, stretches_of
from traces import helix, strand, traces_store


@pytest.mark.parametrize(("trace", "kind"), [(helix, "helix"), (strand, "strand")])
def test_ideal_element_is_recognised(trace: Any, kind: str) -> None:
    found = secondary_structure(traces_store([trace(20)]), 0)
    assert len(found) == 20
    assert (found[2:-3] == kind).all()  # the ends lack neighbours to measure


def test_each_protein_is_measured_alone() -> None:
    store = traces_store([helix(20), strand(15), helix(4)])
    assert (secondary_structure(store, 1)[2:-3] == "strand").all()
    alone = secondary_structure(traces_store([strand(15)]), 0)
    assert secondary_structure(store, 1).tolist() == alone.tolist()
    assert secondary_structure(store, 2).tolist() == ["coil"] * 4  # too short for any


@pytest.mark.parametrize("step", [3.8, 1.0])
def test_straight_line_is_coil(step: float) -> None:
    line = np.outer(np.arange(20), [0, 0, step])
    assert set(secondary_structure(traces_store([line]), 0)) == {"coil"}


def test_a_jump_or_another_chain_begins_a_new_stretch() -> None:
    trace = helix(12)
    trace[5:] += 10
    store = traces_store([trace])
    store.chain_ids[9:] = b"B"
    assert stretches_of(store, 0).tolist() == [0] * 5 + [1] * 4 + [2] * 3


def test_residues_are_those_of_the_rows_in_their_order() -> None:
    store = traces_store([helix(20), strand(15), helix(9)], ["A" * 20, "C" * 15, "D" * 9])
    found = gather(store, np.array([2, 1]))
    assert found.offsets.tolist() == [0, 9, 24]
    assert found.types.tolist() == [2] * 9 + [1] * 15
    assert set(found.stretch[:9]).isdisjoint(found.stretch[9:])
    np.testing.assert_array_equal(found.ca[9:], strand(15).astype(np.float32))
    kinds = [STRUCTURES[i] for i in found.structure[9:]]
    assert kinds == secondary_structure(store, 1).tolist()
