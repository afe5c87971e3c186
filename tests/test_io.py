"""Numbers as people read them."""

from __future__ import annotations

import pytest

from bioblobs.io import interval


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (0.9021, 0.8649, 0.9362, "0.902 (0.865 to 0.936)"),
        (-0.1, -0.128, -0.091, "-0.100 (-0.128 to -0.091)"),
        (0.5, None, None, "0.500"),
        (None, None, None, "undefined"),
    ],
)
def test_interval(value: float | None, low: float | None, high: float | None, text: str) -> None:
    assert interval({"value": value, "low": low, "high": high}) == text
