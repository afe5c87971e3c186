"""Enriched classes: Fisher as SciPy has it, odds ratios that solve their equations, permuted labels."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, fisher_exact

from bioblobs.interpretation.enrichment import (
    class_membership,
    effect_size,
    enriched_classes,
    enrichment_table,
    holders,
)
from bioblobs.interpretation.membership import member_table
from traces import record


def test_p_values_are_fishers_corrected_over_all_pairs() -> None:
    rng = np.random.default_rng(0)
    holds, has = rng.random((60, 7)) < 0.3, rng.random((60, 4)) < 0.4
    has[:, 3] = False  # a class that no protein has is not tested
    table = enrichment_table(holds, has)
    assert len(table) == 7 * 3
    wanted = []
    for row in table.itertuples():
        c, k = holds[:, row.code], has[:, row.label]
        cells = [[(c & k).sum(), (c & ~k).sum()], [(~c & k).sum(), (~c & ~k).sum()]]
        wanted.append(fisher_exact(cells, alternative="greater").pvalue)
    np.testing.assert_allclose(table["p"], wanted, rtol=1e-9)
    np.testing.assert_allclose(table["p_adjusted"], false_discovery_control(wanted), rtol=1e-9)


def noncentral(a: int, b: int, c: int, d: int, ratio: float) -> tuple[float, float]:
    """Mean of the first cell given the margins, and its chance of being ``a`` or more, by the definition."""
    low, high = max(0, a - d), min(a + b, a + c)
    weights = {x: comb(a + b, x) * comb(c + d, a + c - x) * ratio**x for x in range(low, high + 1)}
    total = sum(weights.values())
    return sum(x * w for x, w in weights.items()) / total, sum(
        w for x, w in weights.items() if x >= a
    ) / total


@pytest.mark.parametrize("cells", [(7, 3, 4, 9), (95, 38, 89, 75), (2, 1, 1, 8)])
def test_odds_ratio_and_interval_solve_their_equations(cells: tuple[int, int, int, int]) -> None:
    found = effect_size(*cells)
    assert noncentral(*cells, found["odds_ratio"])[0] == pytest.approx(cells[0], rel=1e-3)
    assert noncentral(*cells, found["odds_ratio_low"])[1] == pytest.approx(0.025, rel=0.02)
    a, b, c, d = cells
    above = noncentral(a, b, c, d, found["odds_ratio_high"])[1]
    tail = above - _exactly(a, b, c, d, found["odds_ratio_high"])
    assert 1 - tail == pytest.approx(0.025, rel=0.02)


def _exactly(a: int, b: int, c: int, d: int, ratio: float) -> float:
    return noncentral(a, b, c, d, ratio)[1] - noncentral(a + 1, b - 1, c - 1, d + 1, ratio)[1]


@given(st.tuples(*[st.integers(0, 15)] * 4).filter(lambda t: t[0] + t[1] and t[0] + t[2] and t[2] + t[3]))
def test_interval_holds_the_ratio_and_infinity_is_none(cells: tuple[int, int, int, int]) -> None:
    a, b, c, d = cells
    if not b + d:
        return  # every protein has the class: no ratio
    found = effect_size(*cells)
    low, ratio, high = (found[n] for n in ("odds_ratio_low", "odds_ratio", "odds_ratio_high"))
    assert low is not None
    assert low <= (np.inf if ratio is None else ratio) + 1e-4
    assert (0 if ratio is None and high is None else ratio) <= (np.inf if high is None else high + 1e-4)
    if b == 0 or c == 0:
        assert high is None or a == 0


def test_permuted_labels_leave_about_what_the_level_says() -> None:
    """200 proteins, 40 codes of all frequencies, 5 classes: the level holds, and is not far below."""
    rng = np.random.default_rng(2)
    label = rng.choice(5, 200, p=[0.4, 0.25, 0.2, 0.1, 0.05])
    holds = rng.random((200, 40)) < rng.uniform(0.02, 0.6, 40)
    holds |= (label == 0)[:, None] & (rng.random((200, 40)) < 0.3)  # true labels: much to find
    assert (enrichment_table(holds, np.eye(5, dtype=bool)[label])["p_adjusted"] < 0.05).sum() > 10
    raw, any_found = [], []
    for _ in range(200):
        table = enrichment_table(holds, np.eye(5, dtype=bool)[rng.permutation(label)])
        raw.append((table["p"] < 0.05).mean())
        any_found.append((table["p_adjusted"] < 0.05).any())
    assert 0.015 < np.mean(raw) < 0.05  # an exact test of counts stays below its level
    assert np.mean(any_found) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)


def test_planted_association_is_found_with_its_shares() -> None:
    """Code 7: in 18 of 20 proteins of class 1, in 3 of 20 others."""
    label = np.arange(40) % 2
    holds = (np.arange(40) // 2 < np.where(label, 18, 3))[:, None]
    found, pairs = enriched_classes([7], holds, np.eye(2, dtype=bool)[label], 0.05)
    [(place, numbers)] = found[7]
    assert (place, pairs, numbers["proteins"]) == (1, 2, 18)
    assert numbers["share_of_holders"] == pytest.approx(18 / 21, abs=1e-4)
    assert numbers["share_of_all"] == 0.5
    assert numbers["odds_ratio_low"] > 5


def test_holding_a_code_twice_counts_once() -> None:
    """Several blobs of one protein are no independent evidence."""
    records = [record([], 12, [(0, [0]), (1, [3])] + [(1, [6]), (1, [9])] * (i % 2)) for i in range(20)]
    codes, holds = holders(member_table(records), 20)
    assert codes == [0, 1]
    assert holds.all()


@pytest.mark.parametrize("true", [["a"], ["a", "c"], []], ids=["one class", "several", "none"])
def test_classes_of_a_protein_are_columns(true: list[str]) -> None:
    [row] = class_membership(["a", "b", "c"], [record(true, 3, [])])
    assert row.tolist() == ["a" in true, False, "c" in true]
