"""Lines that the stage ``faithfulness`` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bioblobs.faithfulness.measurements import Report
from bioblobs.faithfulness.verdict import verdict
from bioblobs.io import interval


def summary(report: Report, sites: dict[str, Any] | None) -> list[str]:
    """Headline figures in a few lines."""
    m = report.metrics
    error = m["sum"]["largest_error"]
    lines = [f"sum: {'this head does not add up' if error is None else f'largest error {error:.1e}'}"]
    lines += [f"{'area under the curve':28s}{'deletion (low is good)':30s}insertion (high is good)"]
    lines += [
        f"{name:28s}{interval(m['deletion'][name]):30s}{interval(m['insertion'][name])}"
        for name in m["deletion"]
    ]
    lines += ["gain of importance over"]
    lines += [
        f"{name:28s}{interval(m['deletion_gain'][name]):30s}{interval(m['insertion_gain'][name])}"
        for name in m["deletion_gain"]
    ]
    for group in ("top_blob", "masking"):
        lines += [
            f"{group}: {name}: {interval(value) if isinstance(value, dict) else value}"
            for name, value in m[group].items()
        ]
    for group in ("untrained", "noise"):
        lines += [
            f"{group} {name}: " + ", ".join(f"{key} {interval(value)}" for key, value in values.items())
            for name, values in m[group].items()
        ]
    return [*lines, f"sites: {sites or 'none annotated'}"]


def judged(made: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line per check, and the verdict."""
    said = {True: "holds", False: "does not hold", None: "not measured"}
    lines = [f"check: {each['name']}: {said[each['holds']]}; {each['figure']}" for each in made]
    return [*lines, f"verdict: {verdict(made)}"]
