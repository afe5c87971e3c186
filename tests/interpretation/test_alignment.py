"""Whole blobs by TM-align."""

from __future__ import annotations

import numpy as np
import pytest

from bioblobs.interpretation.alignment import align_blobs, tm_align
from bioblobs.interpretation.membership import member_table
from traces import helix, record, residues_of, rotated, walk


def test_copies_align_in_full() -> None:
    score, rmsd, aligned = tm_align(helix(12), rotated(helix(12), 1))
    assert score == pytest.approx(1, abs=1e-3)
    assert rmsd == pytest.approx(0, abs=1e-3)
    assert aligned == 12


def test_a_code_of_copies_stands_out_from_blobs_of_the_same_sizes() -> None:
    shape = walk(30, 5)
    traces = [rotated(shape, i) for i in range(6)] + [walk(30, 100 + i) for i in range(20)]
    residues = list(range(4, 18))
    records = [record([], 30, [(int(i >= 6), residues)], f"p{i}") for i in range(26)]
    found = align_blobs(residues_of(traces), member_table(records), 0)
    assert found[0]["median_tm_score"] == pytest.approx(1, abs=1e-3)
    assert found[0]["median_aligned"] == 14
    assert found[0]["other_codes"]["median_tm_score"] < 0.6
    assert found[1]["median_tm_score"] < 0.6
    assert found[1]["other_codes"] is None  # six others are too few to draw six from


def test_small_and_single_blobs_are_left_out() -> None:
    records = [
        record([], 20, [(1, [0, 1, 2, 3]), (2, [5, 6, 7, 8, 9])]),
        record([], 20, [(1, [0, 1, 2, 3]), (3, [5, 6, 7, 8, 9])]),
    ]
    assert align_blobs(residues_of([helix(20)] * 2), member_table(records), 0) == {}


def test_two_blobs_of_one_protein_are_not_compared() -> None:
    records = [record([], 20, [(1, list(range(6))), (1, list(range(10, 16)))])]
    assert align_blobs(residues_of([helix(20)]), member_table(records), 0) == {}
    assert np.isfinite(tm_align(helix(5), helix(5))).all()
