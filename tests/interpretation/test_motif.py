"""Windows around the seeds: ends, breaks, counts and bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioblobs.interpretation.motif import (
    PSEUDO_COUNTS,
    REACH,
    WIDTH,
    background_of,
    count_letters,
    frequencies,
    information,
    motif_entry,
    windows,
)
from bioblobs.proteins.alphabet import SYMBOLS
from traces import helix, residues_of

EVEN = np.full(20, 1 / 20)


def test_a_window_stops_at_the_ends_of_its_chain() -> None:
    residues = residues_of([helix(20), helix(20)])
    first, last = windows(residues, np.array([20, 19]))  # first residue of one, last of the other
    assert (first[:REACH] == -1).all() and first[REACH:].tolist() == list(range(20, 28))
    assert (last[REACH + 1 :] == -1).all() and last[: REACH + 1].tolist() == list(range(12, 20))


def test_a_break_is_not_bridged() -> None:
    trace = helix(30)
    trace[18:] += 15
    residues = residues_of([trace])
    before, after = windows(residues, np.array([15, 20]))
    assert before[before >= 0].tolist() == list(range(8, 18))
    assert after[after >= 0].tolist() == list(range(18, 28))


def test_letters_are_counted_by_their_place_and_unknown_ones_left_out() -> None:
    residues = residues_of([helix(15), helix(15)], ["A" * 7 + "W" + "G" * 7, "AAAXAAAWGGGGGGC"])
    counts = count_letters(residues, windows(residues, np.array([7, 22])))
    assert counts.shape == (WIDTH, 20)
    assert counts[REACH, SYMBOLS.index("W")] == 2
    assert counts.sum(1).tolist() == [2] * 3 + [1] + [2] * 11  # X at -4
    assert counts[-1, SYMBOLS.index("C")] == counts[-1, SYMBOLS.index("G")] == 1


def test_identical_windows_have_the_most_information_that_counts_allow() -> None:
    residues = residues_of([helix(15)] * 3, ["ACDEFGHIKLMNPQR"] * 3)
    counts = 100_000 * count_letters(residues, windows(residues, np.array([7, 22, 37])))
    bits = information(frequencies(counts, EVEN), EVEN)
    np.testing.assert_allclose(bits, np.log2(20), atol=0.01)


def test_one_blob_says_little_and_none_nothing() -> None:
    one = np.zeros((WIDTH, 20), int)
    one[REACH, 3] = 1
    bits = information(frequencies(one, EVEN), EVEN)
    assert 0 < bits[REACH] < 0.15
    np.testing.assert_allclose(np.delete(bits, REACH), 0, atol=1e-12)


@given(st.lists(st.integers(0, 50), min_size=20, max_size=20))
def test_bits_are_the_relative_entropy_and_never_negative(column: list[int]) -> None:
    background = np.arange(1, 21) / 210
    counts = np.tile(column, (WIDTH, 1))
    shares = frequencies(counts, background)
    np.testing.assert_allclose(shares.sum(1), 1)
    bits = information(shares, background)
    by_hand = sum(
        p * np.log2(p / b)
        for p, b in zip(
            (np.array(column) + PSEUDO_COUNTS * background) / (sum(column) + PSEUDO_COUNTS),
            background,
            strict=True,
        )
    )
    assert bits[0] == pytest.approx(by_hand, abs=1e-9)
    assert bits.min() > -1e-9


def test_a_letter_that_the_data_lack_is_no_trouble() -> None:
    residues = residues_of([helix(15)], ["A" * 15])
    background = background_of(residues)
    entry = motif_entry(count_letters(residues, windows(residues, np.array([7]))), background)
    assert entry == {"first": -7, "counts": {"A": [1] * WIDTH}, "information": [0.0] * WIDTH}
