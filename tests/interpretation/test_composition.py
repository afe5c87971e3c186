"""A code against its background: exact where all moves can be counted, and blind to runs along the chain."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from bioblobs.interpretation.composition import FEATURES, against_background, shares
from bioblobs.interpretation.membership import member_table
from bioblobs.interpretation.residues import Residues
from bioblobs.proteins.alphabet import encode
from traces import record


def residues_with(sequences: list[str], structure: list[np.ndarray]) -> Residues:
    lengths = [len(each) for each in sequences]
    total = sum(lengths)
    return Residues(
        types=encode("".join(sequences)),
        structure=np.concatenate(structure),
        stretch=np.repeat(np.arange(len(lengths)), lengths),
        ca=np.zeros((total, 3), np.float32),
        offsets=np.cumsum([0, *lengths]),
    )


def table_of(residues: Residues, records: list[Any], seed: int = 0) -> pd.DataFrame:
    found = against_background(residues, member_table(records), seed)
    return pd.DataFrame([{"code": code, **row} for code, rows in found.items() for row in rows])


def coil(length: int) -> np.ndarray:
    return np.full(length, 2)


def test_shares_are_counted_over_the_residues_named() -> None:
    residues = residues_with(["AAGG", "V"], [np.array([0, 0, 2, 2]), np.array([1])])
    assert shares(residues, slice(None)) == {
        "composition": {"A": 0.4, "G": 0.4, "V": 0.2},
        "secondary_structure": {"coil": 0.4, "helix": 0.4, "strand": 0.2},
    }
    assert shares(residues, np.array([1, 2]))["composition"] == {"A": 0.5, "G": 0.5}


def test_expectation_is_the_mean_over_the_code_s_own_proteins() -> None:
    residues = residues_with(["WAAA", "AAAAAAAA", "GGGG"], [coil(4), coil(8), coil(4)])
    records = [record([], 4, [(1, [0])]), record([], 8, [(1, [2, 5])]), record([], 4, [(2, [1])])]
    rows = table_of(residues, records).set_index(["code", "value"])
    assert rows.loc[(1, "W"), "share"] == pytest.approx(1 / 3, abs=1e-4)
    assert rows.loc[(1, "W"), "expected"] == pytest.approx(1 / 4 / 3, abs=1e-4)
    assert rows.loc[(1, "W"), "log2_ratio"] == pytest.approx(np.log2(1.5 / 0.75), abs=1e-3)
    assert (1, "G") not in rows.index  # in none of its proteins
    assert rows.loc[(2, "G"), "p"] == 1.0  # cannot be otherwise


def test_p_is_the_share_of_all_moves() -> None:
    """One protein of 20 with one W under the code: 1 of 20 moves is as good, twice for two sides."""
    residues = residues_with(["W" + "A" * 19], [coil(20)])
    rows = table_of(residues, [record([], 20, [(1, [0])])]).set_index("value")
    assert rows.loc["W", "p"] == pytest.approx(2 / 20, abs=0.02)
    two = residues_with(["W" + "A" * 19] * 2, [coil(20)] * 2)
    rows = table_of(two, [record([], 20, [(1, [0])])] * 2).set_index("value")
    assert rows.loc["W", "p"] == pytest.approx(2 / 400, abs=0.004)


def test_several_blobs_of_a_protein_move_together() -> None:
    """Ten blobs in one protein are one piece of evidence, not ten."""
    residues = residues_with(["WA" * 10], [coil(20)])
    rows = table_of(residues, [record([], 20, [(1, [2 * i]) for i in range(10)])]).set_index("value")
    assert rows.loc["W", "p"] == 1.0  # half of the moves are as good


@pytest.fixture(scope="module")
def anywhere() -> tuple[Residues, list[Any]]:
    """80 proteins of runs of helix, strand and coil; blobs of 8 neighbours anywhere, codes by lot."""
    rng = np.random.default_rng(1)
    lengths = rng.integers(60, 140, 80)
    kinds = [np.repeat(rng.integers(0, 3, 30), rng.integers(4, 20, 30))[:length] for length in lengths]
    lengths = np.array([len(kind) for kind in kinds])
    sequences = ["".join(rng.choice(list("ACDEFGHIKLMNPQRSTVWY"), length)) for length in lengths]
    records = []
    for length in lengths:
        starts = rng.permutation(length - 8)[:5]
        records.append(
            record([], int(length), [(int(rng.integers(12)), list(range(s, s + 8))) for s in starts])
        )
    return residues_with(sequences, kinds), records


def test_blobs_anywhere_are_as_often_significant_as_the_level_says(
    anywhere: tuple[Residues, list[Any]],
) -> None:
    rows = table_of(*anywhere)
    assert len(rows) > 250
    assert (rows["p"] < 0.05).mean() < 0.06
    assert (rows["p_adjusted"] < 0.05).sum() == 0


def test_residues_taken_as_independent_would_find_too_much(anywhere: tuple[Residues, list[Any]]) -> None:
    """Why the protein is the unit: the same blobs by a binomial test of residues."""
    rows = table_of(*anywhere)
    rows = rows[rows["feature"] == "secondary_structure"]
    sizes = member_table(anywhere[1]).groupby("code")["size"].sum()
    naive = [
        binomtest(round(row.share * sizes[row.code]), int(sizes[row.code]), row.expected).pvalue
        for row in rows.itertuples()
    ]
    assert np.mean(np.array(naive) < 0.05) > 3 * (rows["p"] < 0.05).mean()
    assert np.mean(np.array(naive) < 0.05) > 0.15


def test_a_planted_preference_is_found(anywhere: tuple[Residues, list[Any]]) -> None:
    residues, _ = anywhere
    cysteine = encode("C")[0]
    records = []
    for first, last in zip(residues.offsets[:-1], residues.offsets[1:], strict=True):
        places = np.flatnonzero(residues.types[first:last] == cysteine)[:2].tolist()
        records.append(record([], int(last - first), [(3, places)] if places else []))
    rows = table_of(residues, records).set_index("value")
    assert rows.loc["C", "p_adjusted"] < 0.01
    assert rows.loc["C", "log2_ratio"] > 3


def test_features_are_all_letters_and_structures() -> None:
    assert len(FEATURES) == len(set(FEATURES)) == 24
