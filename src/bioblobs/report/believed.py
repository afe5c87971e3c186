"""Results of the stage ``faithfulness`` in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bioblobs.io import interval

STATES = {
    True: ("holds", "✓ holds"),
    False: ("fails", "✗ does not hold"),
    None: ("unknown", "– not measured"),
}
"""Outcome of a check -> style, words."""
ROWS = {
    "without the most important blob": ("top_blob", "fall_top_blob"),
    "without as many random residues": ("top_blob", "fall_random_residues"),
    "without a patch of as many residues": ("top_blob", "fall_random_patch"),
    "top blob less patch": ("top_blob", "more_than_random_patch"),
    "top blob hidden from the readout": ("masking", "fall_top_blob"),
    "another blob hidden from it": ("masking", "fall_other_blob"),
}


def believed(checks: Sequence[Mapping[str, Any]], verdict: str) -> dict[str, Any]:
    """The verdict over all checks in words, and each check.

    Args:
        checks: name, holds (None: not measured), figure and text of each.
        verdict: "green", "amber" or "red".
    """
    held, all_of = sum(check["holds"] is True for check in checks), len(checks)
    titles = {
        "green": f"Yes: all {all_of} checks hold",
        "amber": f"In part: {held} of {all_of} checks {'holds' if held == 1 else 'hold'}",
        "red": f"No: none of {all_of} checks holds",
    }
    return {
        "kind": verdict,
        "title": titles[verdict],
        "checks": [
            {
                "name": check["name"].replace("angstrom", "Å"),
                "state": STATES[check["holds"]][0],
                "words": STATES[check["holds"]][1],
                "figure": check["figure"],
                "text": check["text"],
            }
            for check in checks
        ],
    }


def falls(faithfulness: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Title and interval of the falls in probability when blobs are removed or hidden."""
    return [(title, interval(faithfulness[group][name])) for title, (group, name) in ROWS.items()]
