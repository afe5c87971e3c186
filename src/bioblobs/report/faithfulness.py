"""What the deletion test allows to say of importance, in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SUPPORTED = (
    "Removing the most important blob costs the predicted class more than removing as many random residues, "
    "so importance does point at residues that the model uses."
)
NO_EVIDENCE = (
    "The interval includes zero: removing the most important blob is not distinguishable from removing as "
    "many random residues. In this run importance is no evidence of what decided a prediction."
)
AGAINST = (
    "Removing the most important blob costs less than removing as many random residues. In this run "
    "importance doesn't show what decided a prediction."
)
UNKNOWN = "There are too few proteins to tell whether importance points at residues that matter."


def verdict(faithfulness: Mapping[str, Any]) -> dict[str, str]:
    """``kind`` (supported, none, against, unknown) and the sentence for it."""
    difference = faithfulness.get("difference") or {}
    low, high = difference.get("low"), difference.get("high")
    if low is None or high is None:
        return {"kind": "unknown", "text": UNKNOWN}
    if low > 0:
        return {"kind": "supported", "text": SUPPORTED}
    return {"kind": "against", "text": AGAINST} if high < 0 else {"kind": "none", "text": NO_EVIDENCE}
