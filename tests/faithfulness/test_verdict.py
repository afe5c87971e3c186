"""Five checks and a verdict, from made-up metrics: each can fail alone, and none decides alone."""

from __future__ import annotations

import sys
from copy import deepcopy
from typing import Any

import pytest

from bioblobs.faithfulness.verdict import checks, verdict
from conftest import ROOT
from runs import ok, run

GOOD: dict[str, Any] = {
    "sum": {"largest_error": 3e-6},
    "deletion_gain": {"random_blobs": {"value": 0.15, "low": 0.12, "high": 0.18}},
    "insertion_gain": {"random_blobs": {"value": 0.14, "low": 0.11, "high": 0.17}},
    "top_blob": {"more_than_random_patch": {"value": 0.2, "low": 0.15, "high": 0.25}},
    "noise": {"0.1": {"blobs": {"value": 0.6, "low": 0.5, "high": 0.7}}},
}
SEEDS = {"between": {"contribution": {"mean": 0.5, "low": 0.4, "high": 0.6}}}
NAMES = [
    "sum exact",
    "importance beats the same blobs exchanged",
    "top blob beats a patch of as many residues",
    "blobs hold under 0.1 angstrom of noise",
    "seeds agree",
]


def holds(faithfulness: dict[str, Any], seeds: dict[str, Any] | None = SEEDS) -> list[bool | None]:
    made = checks(faithfulness, seeds)
    assert [each["name"] for each in made] == NAMES
    assert all(set(each) == {"name", "holds", "figure", "text"} for each in made)
    return [each["holds"] for each in made]


def changed(value: Any, *keys: str) -> dict[str, Any]:
    made: Any = deepcopy(GOOD)
    inner = made
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    return made  # type: ignore[no-any-return]


def test_all_hold() -> None:
    assert holds(GOOD) == [True] * 5
    assert verdict(checks(GOOD, SEEDS)) == "green"


@pytest.mark.parametrize(
    ("value", "keys", "place"),
    [
        (1.1e-4, ("sum", "largest_error"), 0),
        (0.0, ("deletion_gain", "random_blobs", "low"), 1),
        (-0.01, ("insertion_gain", "random_blobs", "low"), 1),
        (0.0, ("top_blob", "more_than_random_patch", "low"), 2),
        (0.499, ("noise", "0.1", "blobs", "low"), 3),
    ],
)
def test_each_fails_alone(value: float, keys: tuple[str, ...], place: int) -> None:
    found = changed(value, *keys)
    assert holds(found) == [number != place for number in range(5)]
    assert verdict(checks(found, SEEDS)) == "amber"


def test_the_bound_itself_holds() -> None:
    assert holds(changed(1e-4, "sum", "largest_error"))[0] is True
    assert holds(GOOD, {"between": {"contribution": {"mean": 0.4999}}})[4] is False


def test_seeds_that_were_not_trained_keep_it_from_green() -> None:
    for seeds in (None, {"between": {}}, {"between": {"contribution": {"mean": None}}}):
        assert holds(GOOD, seeds) == [True, True, True, True, None]
        made = checks(GOOD, seeds)
        assert verdict(made) == "amber"
        assert made[4]["figure"] == "not measured"


def test_attention_does_not_add_up() -> None:
    made = checks(changed(None, "sum", "largest_error"), SEEDS)
    assert made[0]["holds"] is False and "does not add up" in made[0]["text"]
    assert verdict(made) == "amber"


def test_red_only_if_nothing_holds() -> None:
    bad = changed(None, "sum", "largest_error")
    for mode in ("deletion", "insertion"):
        bad[f"{mode}_gain"]["random_blobs"]["low"] = -0.1
    bad["top_blob"]["more_than_random_patch"]["low"] = -0.1
    bad["noise"]["0.1"]["blobs"]["low"] = 0.1
    assert verdict(checks(bad, {"between": {"contribution": {"mean": 0.1}}})) == "red"
    assert verdict(checks(bad, None)) == "red"
    assert verdict(checks({**bad, "sum": {"largest_error": 0.0}}, None)) == "amber"
    assert verdict([]) == "red"


def test_metrics_of_before_are_not_measured() -> None:
    """A file without the sum, and too few chains for intervals: neither holds nor fails."""
    assert holds({key: part for key, part in GOOD.items() if key != "sum"})[0] is None
    few = changed(None, "deletion_gain", "random_blobs", "low")
    assert holds(few)[1] is None
    few["insertion_gain"]["random_blobs"]["low"] = -1
    assert holds(few)[1] is False
    assert holds({}, None) == [None] * 5


def test_figures_name_number_and_bound() -> None:
    figures = [each["figure"] for each in checks(GOOD, SEEDS)]
    assert figures[0] == "largest error 3.0e-06 (at most 0.0001)"
    assert "deletion 0.150 (0.120 to 0.180); insertion 0.140 (0.110 to 0.170)" in figures[1]
    assert figures[3] == "adjusted Rand index 0.600 (0.500 to 0.700) (low end 0.5 or more)"


def test_the_report_needs_no_torch_for_it() -> None:
    code = "import sys, bioblobs.faithfulness.verdict; sys.exit('torch' in sys.modules)"
    ok(run([sys.executable, "-c", code], ROOT, PYTHONPATH="src"))
