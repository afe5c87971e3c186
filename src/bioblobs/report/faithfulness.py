"""What the stage ``faithfulness`` allows to say of importance, in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bioblobs.results import interval

SUPPORTED = (
    "Removing the most important blob costs the predicted class more than removing a patch of as many "
    "residues from anywhere else, so importance does point at residues that the model uses."
)
NO_EVIDENCE = (
    "The interval includes zero: removing the most important blob is not distinguishable from removing a "
    "patch of as many residues. In this run importance is no evidence of what decided a prediction."
)
AGAINST = (
    "Removing the most important blob costs less than removing a patch of as many residues. In this run "
    "importance doesn't show what decided a prediction."
)
UNKNOWN = "There are too few proteins to tell whether importance points at residues that matter."
ROWS = {
    "without the most important blob": ("top_blob", "fall_top_blob"),
    "without as many random residues": ("top_blob", "fall_random_residues"),
    "without a patch of as many residues": ("top_blob", "fall_random_patch"),
    "top blob less patch": ("top_blob", "more_than_random_patch"),
    "top blob hidden from the readout": ("masking", "fall_top_blob"),
    "another blob hidden from it": ("masking", "fall_other_blob"),
}


def verdict(faithfulness: Mapping[str, Any]) -> dict[str, str]:
    """``kind`` (supported, none, against, unknown) and the sentence for it."""
    difference = faithfulness["top_blob"]["more_than_random_patch"]
    low, high = difference["low"], difference["high"]
    if low is None or high is None:
        return {"kind": "unknown", "text": UNKNOWN}
    if low > 0:
        return {"kind": "supported", "text": SUPPORTED}
    return {"kind": "against", "text": AGAINST} if high < 0 else {"kind": "none", "text": NO_EVIDENCE}


def falls(faithfulness: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Title and interval of each fall in probability that the verdict rests on."""
    return [(title, interval(faithfulness[group][name])) for title, (group, name) in ROWS.items()]
