"""What a code stands for: planted facts are found, and the statistics are those of SciPy."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.stats import false_discovery_control, fisher_exact

from bioblobs.interpretation.codes import blob_table, describe_codes, secondary_structure
from bioblobs.proteins.alphabet import encode

Trace = np.ndarray


def helix(length: int) -> Trace:
    """(L, 3) C-alphas of an ideal alpha helix: 100 degrees and 1.5 angstrom a residue, radius 2.3."""
    turn = np.deg2rad(100) * np.arange(length)
    return np.column_stack([2.3 * np.cos(turn), 2.3 * np.sin(turn), 1.5 * np.arange(length)])


def strand(length: int) -> Trace:
    """(L, 3) C-alphas of an ideal extended strand: 3.3 angstrom a residue, a flat zigzag."""
    places = np.arange(length)
    return np.column_stack([0.9 * (-1.0) ** places, np.zeros(length), 3.3 * places])


def traces_store(traces: list[Trace], sequences: list[str] | None = None, classes: int = 2) -> Any:
    """What the functions read of a store; backbones have their C-alphas only."""
    lengths = [len(trace) for trace in traces]
    coordinates = np.full((sum(lengths), 4, 3), np.nan, np.float32)
    coordinates[:, 1] = np.concatenate(traces)
    names = [f"class {i}" for i in range(classes)]
    return SimpleNamespace(
        coordinates=coordinates,
        offsets=np.cumsum([0, *lengths]),
        chain_ids=np.full(sum(lengths), b"A", "S4"),
        residue_types=encode("".join(sequences or ["A" * length for length in lengths])),
        classes=[str(i) for i in range(classes)],
        class_names=names,
    )


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


def record(true: list[str], length: int, blobs: list[tuple[int, list[int]]]) -> dict[str, Any]:
    """(code, residues) a blob; importance falls with the place."""
    importance = np.arange(len(blobs), 0, -1) / max(sum(range(1, len(blobs) + 1)), 1)
    return {
        "true": true,
        "length": length,
        "blobs": [
            {"code": code, "residues": residues, "size": len(residues), "importance": float(share)}
            for (code, residues), share in zip(blobs, importance, strict=True)
        ],
    }


@pytest.fixture
def planted() -> tuple[Any, np.ndarray, list[Any]]:
    """Code 7: in 18 of 20 proteins of class 1 and 3 of 20 others; code 2 in all, code 4 by chance."""
    rng = np.random.default_rng(0)
    records = []
    for place in range(40):
        label = place % 2
        codes = [2] + [7] * (place // 2 < (18 if label else 3)) + [4] * bool(rng.integers(2))
        blobs = [(code, [3 * i, 3 * i + 1]) for i, code in enumerate(codes)]
        records.append(record([str(label)], 12, blobs))
    return traces_store([helix(12)] * 40), np.arange(40), records


def by_code(described: dict[str, Any]) -> dict[int, dict[str, Any]]:
    return {entry["code"]: entry for entry in described["codes"]}


def test_planted_association_is_found_and_nothing_else(planted: tuple[Any, np.ndarray, list[Any]]) -> None:
    codes = by_code(describe_codes(*planted, 0.05))
    [found] = codes[7]["enriched_classes"]
    assert (found["class"], found["name"], found["proteins"]) == ("1", "class 1", 18)
    assert found["odds_ratio"] > 10
    assert codes[2]["enriched_classes"] == []  # in every protein: it tells nothing
    assert codes[4]["enriched_classes"] == []


def test_p_values_are_fishers_corrected_over_all_pairs(planted: tuple[Any, np.ndarray, list[Any]]) -> None:
    store, rows, records = planted
    held = [{blob["code"] for blob in each["blobs"]} for each in records]
    tests = {}
    for code in (2, 4, 7):
        for label in ("0", "1"):
            has = [label in each["true"] for each in records]
            inside = [code in codes for codes in held]
            table = [
                [sum(h and c == want for h, c in zip(has, inside, strict=True)) for want in (True, False)]
            ]
            table.append([inside.count(want) - n for want, n in zip((True, False), table[0], strict=True)])
            tests[code, label] = fisher_exact(np.transpose(table), alternative="greater")
    corrected = dict(
        zip(tests, false_discovery_control([test.pvalue for test in tests.values()]), strict=True)
    )
    # a level of (nearly) one reports every pair that is tested, but those without any evidence
    for code, entry in by_code(describe_codes(store, rows, records, 0.9999)).items():
        for found in entry["enriched_classes"]:
            key = code, found["class"]
            assert found["p"] == pytest.approx(tests[key].pvalue, rel=1e-3)
            assert found["p_adjusted"] == pytest.approx(corrected[key], rel=1e-3)
            if found["odds_ratio"] is not None:
                assert found["odds_ratio"] == pytest.approx(tests[key].statistic, rel=1e-3, abs=1e-4)
        reported = {found["class"] for found in entry["enriched_classes"]}
        assert reported == {label for c, label in tests if c == code and corrected[c, label] < 0.9999}


def test_holding_a_code_twice_counts_once() -> None:
    """Several blobs of one protein are no independent evidence."""
    records = [
        record([str(i % 2)], 12, [(0, [0]), (1, [3])] + [(1, [6]), (1, [9])] * (i % 2)) for i in range(20)
    ]
    described = by_code(describe_codes(traces_store([helix(12)] * 20), np.arange(20), records, 0.05))
    assert described[1]["enriched_classes"] == []
    assert described[1]["proteins"] == 20
    assert described[1]["blobs"] == 20 + 2 * 10


def test_proteins_without_a_class_are_compared_too() -> None:
    records = [record(["0"] * (i < 10), 12, [(int(i < 10), [0])]) for i in range(40)]
    described = by_code(describe_codes(traces_store([helix(12)] * 40), np.arange(40), records, 0.05))
    [found] = described[1]["enriched_classes"]
    assert found["proteins"] == 10
    assert found["odds_ratio"] is None  # infinite, which JSON cannot say
    assert described[0]["enriched_classes"] == []


def test_composition_and_structure_are_shares_of_a_codes_residues() -> None:
    store = traces_store([helix(20), strand(20)], ["G" * 10 + "A" * 10, "V" * 20])
    records = [record(["0"], 20, [(5, [4, 5, 6]), (9, [12])]), record(["1"], 20, [(5, [8])])]
    described = describe_codes(store, np.arange(2), records, 0.05)
    codes = by_code(described)
    assert codes[5]["composition"] == {"G": 0.75, "V": 0.25}
    assert codes[5]["secondary_structure"] == {"helix": 0.75, "strand": 0.25}
    assert codes[9]["composition"] == {"A": 1.0}
    assert codes[5]["mean_size"] == 2
    assert codes[5]["mean_importance"] == pytest.approx((2 / 3 + 1) / 2, abs=1e-5)
    background = described["background"]
    assert background["composition"] == {"A": 0.25, "G": 0.25, "V": 0.5}
    assert sum(background["secondary_structure"].values()) == pytest.approx(1, abs=1e-3)


def test_codes_come_most_used_first(planted: tuple[Any, np.ndarray, list[Any]]) -> None:
    described = describe_codes(*planted, 0.05)["codes"]
    blobs = [entry["blobs"] for entry in described]
    assert blobs == sorted(blobs, reverse=True)
    assert sum(blobs) == sum(len(each["blobs"]) for each in planted[2]) == len(blob_table(planted[2]))


def test_two_runs_give_the_same_json(planted: tuple[Any, np.ndarray, list[Any]]) -> None:
    first, second = (json.dumps(describe_codes(*planted, 0.5), allow_nan=False) for _ in range(2))
    assert first == second
