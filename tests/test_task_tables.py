"""The signs beside baselines in docs/results.md say what the scores do."""

from __future__ import annotations

from typing import Any

import pytest

from tables_of_tasks import _verdict


def of_seeds(*values: float, half: float = 0.05) -> list[dict[str, Any]]:
    return [{"value": value, "low": value - half, "high": value + half} for value in values]


@pytest.mark.parametrize(
    ("own", "baseline", "sign"),
    [
        ([0.8], [0.5], "+"),
        ([0.5], [0.8], "-"),
        ([0.8], [0.71], "="),
        ([0.79, 0.8, 0.81], [0.5, 0.5, 0.5], "+"),
        ([0.6, 0.8, 1.0], [0.5, 0.5, 0.5], "+"),  # above in each seed
        ([0.5, 0.8, 1.0], [0.5, 0.5, 0.5], "="),  # one seed is not
        ([0.2, 0.3, 0.7], [0.72, 0.72, 0.72], "="),
        ([0.2, 0.3, 0.7], [0.9, 0.9, 0.9], "-"),
    ],
)
def test_the_sign_is_that_of_intervals_that_do_not_overlap(
    own: list[float], baseline: list[float], sign: str
) -> None:
    assert _verdict({"stage1": of_seeds(*own), "kmers": of_seeds(*baseline)}, "kmers") == sign


def test_too_few_chains_have_no_verdict() -> None:
    assert _verdict({}, "kmers") == "·"
