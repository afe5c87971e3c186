"""A protein of the page: its explained chain, and backbone, sequence and numbering of its residues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from bioblobs.errors import BioBlobsError
from bioblobs.inference.chain import Chain
from bioblobs.proteins.record import Protein
from bioblobs.report.known_proteins import Known
from bioblobs.report.packed_chains import pack_chain
from bioblobs.report.sums import page_contributions, page_sum

KEPT_OF_A_BLOB = ("slot", "rank", "importance", "code", "seed", "residues")
SHOWN_CLASSES = 8
"""Most probable classes kept of a protein; true and predicted ones always are."""


def page_proteins(
    records: Sequence[Chain],
    chains: Sequence[Protein],
    base: Mapping[str, float] | None,
    known: Mapping[str, Known] | None = None,
) -> list[dict[str, Any]]:
    """The proteins as page/*.js read them.

    Args:
        records: explained chains; ``true`` may be empty or not known.
        chains: the residues that the records' indices count, in the same order.
        base: class -> what it has before any blob is read; None with an attention head.
        known: id -> what databases say of it; those that it lacks have none.

    Raises:
        BioBlobsError: a record that is of another length than its chain, two of one id, or contributions
            without a base.
    """
    if len(records) != len(chains):
        raise BioBlobsError(f"report: {len(records)} records for {len(chains)} chains")
    labelled = any(record.true for record in records)
    seen: set[str] = set()
    for record, chain in zip(records, chains, strict=True):
        if record.length != len(chain):
            raise BioBlobsError(
                f"report: {record.id} has {record.length} residues, its chain {len(chain)}; "
                "run interpret again"
            )
        if record.id in seen:
            raise BioBlobsError(f"report: two proteins are named {record.id}; give them different names")
        seen.add(record.id)
    return [
        _page_protein(record, chain, labelled, base) | {"known": (known or {}).get(record.id)}
        for record, chain in zip(records, chains, strict=True)
    ]


def outcome(record: Chain, labelled: bool) -> str:
    """Of a prediction: right, partly (some of several classes), wrong; unknown where nothing is labelled."""
    if not labelled:
        return "unknown"
    true, predicted = set(record.true or ()), set(record.predicted)
    if true and true == predicted:
        return "right"
    return "partly" if true & predicted else "wrong"


def _page_protein(
    record: Chain, chain: Protein, labelled: bool, base: Mapping[str, float] | None
) -> dict[str, Any]:
    shown = page_sum(record, base)
    return {
        "id": record.id,
        "length": record.length,
        "true": record.true or [],
        "predicted": record.predicted,
        "outcome": outcome(record, labelled),
        "probabilities": _main_probabilities(record),
        "sum": shown,
        "notes": list(getattr(record, "notes", ())),  # of a prediction
        "blobs": [
            {key: getattr(blob, key) for key in KEPT_OF_A_BLOB}
            | {"membership": round(fmean(blob.membership), 3)}
            | page_contributions(blob, shown)
            for blob in record.blobs
        ],
        "chain": pack_chain(chain),
    }


def _main_probabilities(record: Chain) -> list[list[Any]]:
    ranked = sorted(record.probabilities.items(), key=lambda item: -item[1])
    always = {*(record.true or ()), *record.predicted}
    return [[name, p] for place, (name, p) in enumerate(ranked) if place < SHOWN_CLASSES or name in always]
