"""RMSD of known displacements, and controls that find what is planted and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from bioblobs.interpretation.membership import member_table
from bioblobs.interpretation.superposition import (
    mean_of_pairs,
    medoid,
    one_per_protein,
    rmsd_matrix,
    superpose_windows,
)
from traces import helix, record, residues_of, rotated, strand, walk


def test_copies_elsewhere_in_space_have_no_distance() -> None:
    copies = np.stack([rotated(helix(15), seed) for seed in range(4)]).astype(np.float32)
    np.testing.assert_allclose(rmsd_matrix(copies), 0, atol=1e-4)


def test_rmsd_is_the_residual_of_the_best_rotation() -> None:
    """Second route: with centred x and y, n rmsd^2 = |x|^2 + |y|^2 - 2 (sum of singular values, signed)."""
    x, y = helix(15), walk(15, 0)
    x, y = x - x.mean(0), y - y.mean(0)
    values = np.linalg.svd(x.T @ y, compute_uv=False) * [1, 1, np.sign(np.linalg.det(x.T @ y))]
    wanted = np.sqrt(((x**2).sum() + (y**2).sum() - 2 * values.sum()) / 15)
    assert rmsd_matrix(np.stack([x, rotated(y, 3)]).astype(np.float32))[0, 1] == pytest.approx(
        wanted, rel=1e-4
    )


def test_mirror_images_are_not_alike() -> None:
    pair = np.stack([helix(15), helix(15) * [1, 1, -1]]).astype(np.float32)
    assert rmsd_matrix(pair)[0, 1] > 1


def test_a_pair_displaced_along_a_line_is_off_by_what_was_moved() -> None:
    """Two ends drawn apart by 2 angstrom each: the best superposition leaves 2 at the ends, none between."""
    line = np.outer([-10.0, 0, 10], [0, 0, 1])
    pair = np.stack([line, line * 1.2]).astype(np.float32)
    assert rmsd_matrix(pair)[0, 1] == pytest.approx(np.sqrt(8 / 3), rel=1e-4)


def test_medoid_is_the_one_in_the_middle() -> None:
    at = np.array([0.0, 1, 2, 10])
    middle, median = medoid(np.abs(at[:, None] - at))
    assert middle in (1, 2)
    assert median == pytest.approx(np.median(np.delete(np.abs(at - at[middle]), middle)))
    assert mean_of_pairs(np.abs(at[:, None] - at)) == pytest.approx((1 + 2 + 10 + 1 + 9 + 8) / 6)


def test_members_are_drawn_one_per_protein() -> None:
    protein = np.array([0, 0, 1, 1, 1, 2, 3])
    drawn = one_per_protein(protein, np.array([0, 1, 2, 3, 4, 5]), 10, np.random.default_rng(0))
    assert sorted(protein[drawn]) == [0, 1, 2]
    assert len(one_per_protein(protein, np.arange(7), 2, np.random.default_rng(0))) == 2


def blobs_of(codes: list[int], traces: list[Any]) -> dict[int, dict[str, Any]]:
    """One blob a protein, seed in the middle."""
    records = [record([], len(t), [(code, [len(t) // 2])]) for code, t in zip(codes, traces, strict=True)]
    return superpose_windows(residues_of(traces), member_table(records), 0)


def test_codes_by_lot_are_not_tighter_than_others() -> None:
    rng = np.random.default_rng(0)
    makers = [lambda s: helix(21), lambda s: strand(21), lambda s: walk(21, s), lambda s: walk(21, 1000 + s)]
    traces = [makers[rng.integers(4)](seed) for seed in range(300)]
    found = blobs_of(rng.integers(0, 20, 300).tolist(), traces)
    assert len(found) == 20
    for control in ("other_codes", "same_structure"):
        p = np.array([entry[control]["p"] for entry in found.values() if entry[control]])
        assert len(p) > 10
        assert np.mean(p < 0.05) <= 0.15  # at a level of 0.05, three of twenty have a chance of 0.08
        assert not any(e[control]["p_adjusted"] < 0.05 for e in found.values() if e[control])


def test_a_helix_code_is_tighter_than_any_but_not_than_other_helices() -> None:
    traces = [helix(21)] * 60 + [walk(21, seed) for seed in range(100)]
    codes = [1] * 15 + [2] * 15 + [3] * 15 + [4] * 15 + [5, 6, 7, 8] * 25
    found = blobs_of(codes, [rotated(t, i) for i, t in enumerate(traces)])
    assert found[1]["median_rmsd"] == pytest.approx(0, abs=1e-3)
    assert found[1]["other_codes"]["p_adjusted"] < 0.05
    assert found[1]["same_structure"]["p"] > 0.3
    assert found[1]["same_structure"]["mean_rmsd"] == pytest.approx(0, abs=1e-3)
    assert found[5]["other_codes"]["p"] > 0.5


def test_a_shape_of_its_own_is_tighter_than_the_same_structure() -> None:
    kink = walk(21, 77)
    traces = [rotated(kink, i) for i in range(15)] + [walk(21, seed) for seed in range(120)]
    found = blobs_of([1] * 15 + [2, 3, 4, 5] * 30, traces)
    assert found[1]["same_structure"]["p_adjusted"] < 0.05
    assert found[1]["members"] == 15


def test_single_members_and_windows_that_are_cut_have_none() -> None:
    records = [
        record([], 21, [(1, [10])]),
        record([], 21, [(2, [10]), (3, [3])]),
        record([], 21, [(2, [9]), (3, [2])]),
    ]
    found = superpose_windows(residues_of([helix(21)] * 3), member_table(records), 0)
    assert set(found) == {2}  # 1: one blob; 3: too near the end for a whole window
    assert found[2]["other_codes"] is None  # too few others for a control


def test_nothing_at_all_is_no_error() -> None:
    members = member_table([record([], 21, [])])
    assert isinstance(members, pd.DataFrame)
    assert superpose_windows(residues_of([helix(21)]), members, 0) == {}
