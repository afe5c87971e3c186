"""Proteins that the first screen shows: a typical right one per class, and an instructive mistake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bioblobs.inference.chain import Chain
from bioblobs.report.proteins import outcome

CLASSES = 8
"""Most classes with a protein of their own: those with the most right ones."""


def showcase(records: Sequence[Chain], classes: Mapping[str, str]) -> list[dict[str, str]]:
    """Choose among the proteins of the page; empty where none is labelled.

    The right protein of a class is the one whose probability is the median of its right ones, so that it is
    typical. The mistake is the wrong one with the highest probability.

    Returns:
        ``id``, ``kind`` ("right" or "mistake") and ``text``; classes in their order, the mistake last.
    """
    if not any(record.true for record in records):
        return []
    right: dict[str, list[Chain]] = {}
    for record in records:
        if record.blobs and outcome(record, True) == "right":
            right.setdefault(record.explained, []).append(record)
    most = sorted(right, key=lambda name: -len(right[name]))[:CLASSES]
    shown = [
        _entry(_typical(right[name]), "right", f"Typical right answer: {classes[name]}")
        for name in classes
        if name in most
    ]
    wrong = [
        record for record in records if record.blobs and outcome(record, True) == "wrong" and record.true
    ]
    if wrong:
        worst = max(wrong, key=lambda record: record.probabilities[record.explained])
        true = "; ".join(classes[name] for name in worst.true or ())
        said = f"Surest mistake: {classes[worst.explained]}, in truth {true}"
        shown.append(_entry(worst, "mistake", said))
    return shown


def _typical(records: list[Chain]) -> Chain:
    ranked = sorted(records, key=lambda record: (record.probabilities[record.explained], record.id))
    return ranked[len(ranked) // 2]


def _entry(record: Chain, kind: str, text: str) -> dict[str, str]:
    return {"id": record.id, "kind": kind, "text": text}
