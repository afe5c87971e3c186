"""Predictions as rows of tables; a row is the same in a CSV file and in a data frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bioblobs.prediction.limits import in_blobs
from bioblobs.prediction.predicted import ChainPrediction, StructurePrediction

SEPARATOR = "|"
"""Between the classes of a chain that has several."""
SKIPPED_COLUMNS = ("file", "chain", "reason")


def prediction_columns(classes: Iterable[str]) -> list[str]:
    """Columns of predictions.csv: the last ones are probabilities, one per class."""
    first = ["file", "chain", "id", "length", "predicted", "predicted_name", "explained", "probability"]
    return [*first, "logit", "base", "in_blobs", "notes", *(f"p_{label}" for label in classes)]


def blob_columns(classes: Iterable[str]) -> list[str]:
    """Columns of blobs.csv: ``c_<class>`` are contributions, empty with an attention head."""
    first = ["file", "chain", "id", "rank", "slot", "importance", "contribution", "contributes_to"]
    return [*first, *(f"c_{label}" for label in classes), "code", "size", "residues", "sequence"]


def prediction_row(chain: ChainPrediction) -> dict[str, Any]:
    """One chain."""
    return {
        "file": chain.file,
        "chain": chain.chain,
        "id": chain.id,
        "length": chain.length,
        "predicted": SEPARATOR.join(chain.predicted),
        "predicted_name": SEPARATOR.join(chain.predicted_names),
        "explained": chain.explained,
        "probability": chain.probability,
        "logit": chain.logits[chain.explained],
        "base": chain.base,
        "in_blobs": round(in_blobs(chain), 4),
        "notes": "; ".join(chain.notes),
        **{f"p_{label}": value for label, value in chain.probabilities.items()},
    }


def blob_rows(chain: ChainPrediction) -> Iterator[dict[str, Any]]:
    """One row per blob; residues as the file numbers them, separated by spaces."""
    for blob in chain.blobs:
        yield {
            "file": chain.file,
            "chain": chain.chain,
            "id": chain.id,
            "rank": blob.rank,
            "slot": blob.slot,
            "importance": blob.importance,
            "contribution": blob.contribution,
            "contributes_to": None if blob.contribution is None else chain.explained,
            **{f"c_{label}": value for label, value in (blob.contributions or {}).items()},
            "code": blob.code,
            "size": blob.size,
            "residues": " ".join(blob.numbers),
            "sequence": blob.sequence,
        }


def skipped_rows(structure: StructurePrediction) -> Iterator[Mapping[str, str]]:
    """One row per file or chain that was skipped."""
    for skipped in structure.skipped:
        yield {"file": skipped.file, "chain": skipped.chain, "reason": skipped.reason}
