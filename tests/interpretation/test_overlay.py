"""Moves bring windows onto the medoid, as near as their RMSD says, and the nearest are taken."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bioblobs.interpretation.overlay import MOST, moves_onto
from bioblobs.interpretation.superposition import medoid, rmsd_matrix
from traces import helix, rotated


def moved(trace: np.ndarray, move: dict[str, Any]) -> np.ndarray:
    return trace.astype(np.float64) @ np.array(move["rotation"]).T + np.array(move["translation"])


def bent(count: int) -> np.ndarray:
    """(count, 15, 3) helices, each with more noise than the one before, far from each other in space."""
    noise = np.random.default_rng(0).normal(size=(count, 15, 3))
    return np.stack([rotated(helix(15) + 0.1 * i * noise[i], i) + 400 for i in range(count)]).astype(
        np.float32
    )


def test_moved_windows_lie_on_the_medoid_as_near_as_their_rmsd() -> None:
    traces = bent(6)
    rmsd = rmsd_matrix(traces)
    middle, _ = medoid(rmsd)
    found = moves_onto(traces, middle, rmsd[middle])
    assert sorted(place for place, _ in found) == list(range(6))
    for place, move in found:
        off = np.sqrt(((moved(traces[place], move) - traces[middle]) ** 2).sum(-1).mean())
        assert off == pytest.approx(move["rmsd"], abs=2e-3)
        assert np.linalg.det(move["rotation"]) == pytest.approx(1, abs=1e-5)  # no mirror image


def test_the_medoid_is_first_and_stays_then_come_the_nearest() -> None:
    traces = bent(14)
    rmsd = rmsd_matrix(traces)[3]
    (first, stays), *others = moves_onto(traces, 3, rmsd)
    assert first == 3
    np.testing.assert_array_equal(moved(traces[3], stays), traces[3])
    assert len(others) == MOST - 1
    left_out = set(range(14)) - {3} - {place for place, _ in others}
    assert max(rmsd[place] for place, _ in others) <= min(rmsd[place] for place in left_out)
    assert [move["rmsd"] for _, move in others] == sorted(move["rmsd"] for _, move in others)


def test_copies_of_the_medoid_do_not_take_its_place() -> None:
    copies = np.stack([helix(15)] * 3).astype(np.float32)
    assert [place for place, _ in moves_onto(copies, 1, np.zeros(3))] == [1, 0, 2]
