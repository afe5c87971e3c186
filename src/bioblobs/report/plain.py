"""Nested results as rows of text, for what the page has no picture of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bioblobs.io import interval

INTERVAL = {"value", "low", "high"}
LONGEST_LIST = 12


def facts(values: Any, path: tuple[str, ...] = ()) -> list[list[str]]:
    """(name, value) of each leaf, intervals written as one, names of nested keys joined."""
    if isinstance(values, Mapping) and set(values) != INTERVAL:
        return [row for key, value in values.items() for row in facts(value, (*path, str(key)))]
    if isinstance(values, list) and any(isinstance(item, Mapping | list) for item in values):
        return [[_name(path), f"{len(values)} entries"]]
    return [[_name(path), as_text(values)]]


def as_text(value: Any) -> str:
    """A number, interval, list or text as people write it."""
    if isinstance(value, Mapping):
        return interval(value)
    if isinstance(value, list):
        shown = ", ".join(as_text(item) for item in value[:LONGEST_LIST])
        return shown + (f", … ({len(value)})" if len(value) > LONGEST_LIST else "")
    if value is None:
        return "undefined"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 0.001 and value else f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _name(path: tuple[str, ...]) -> str:
    return " · ".join(part.replace("_", " ") for part in path)
