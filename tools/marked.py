"""Text that programs write: sections between marks, Markdown tables, ranges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bioblobs.evaluation.over_seeds import spread as spread_of
from bioblobs.io import interval

ROOT = Path(__file__).resolve().parents[1]


def between(text: str, name: str, content: str, mark: str = "<!-- {} -->") -> str:
    """The text with ``content`` between its marks ``<!-- name -->`` and ``<!-- /name -->``.

    Args:
        text: of the page.
        name: of the section.
        content: what stands between the marks.
        mark: how this kind of file writes a mark, with {} for its word.

    Raises:
        ValueError: the page does not have both marks.
    """
    start, end = mark.format(name), mark.format(f"/{name}")
    if start not in text or end not in text:
        raise ValueError(f"no marks {start} and {end} in the page; write them where the section belongs")
    before, _, rest = text.partition(start)
    _, _, after = rest.partition(end)
    return f"{before}{start}\n{content}\n{end}{after}"


def table(rows: list[list[str]]) -> str:
    """A Markdown table; the first row is its head."""
    head, *body = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([head, "|" + " --- |" * len(rows[0]), *body])


def spread(found: Mapping[str, Any]) -> str:
    """Mean over seeds, least and greatest: ``0.61 (0.58 to 0.63)``."""
    if found["mean"] is None:
        return "undefined"
    return f"{found['mean']:.3f} ({found['low']:.3f} to {found['high']:.3f})"


def over_seeds(scores: Sequence[Mapping[str, float]]) -> str:
    """Mean and range of several seeds, the 95 % interval of one; the value alone where all are equal."""
    if len(scores) == 1:
        return interval(scores[0])
    found = spread_of([score["value"] for score in scores])
    return spread(found) if found["low"] != found["high"] else f"{found['mean']:.3f}"
