"""Typed records of a predicted structure, the same for files, tables and Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bioblobs.inference.chain import Chain
from bioblobs.proteins.record import Protein


@dataclass(frozen=True, kw_only=True)
class ChainPrediction(Chain):
    """One predicted chain: the explained chain, and where it comes from.

    Attributes:
        id: ``<structure>_<chain>``, unique in a result.
        file: the structure file as it was named.
        chain: author chain id; with ``.1``, ``.2`` where that is not enough to tell chains apart.
        label: ``label_asym_id`` (mmCIF).
        protein: the residues that the model saw (complete backbones), with coordinates and numbering.
        class_names: class identifier -> name.
        notes: what to know before believing it.
        outside: True if the chain is outside the training range; a note says how.
        base: logit of the explained class before any blob is read; None with an attention head.
    """

    file: str
    chain: str
    label: str
    protein: Protein
    class_names: Mapping[str, str]
    notes: list[str]
    outside: bool = False
    base: float | None = None

    @property
    def predicted_names(self) -> list[str]:
        """Readable names of the predicted classes."""
        return [self.class_names[label] for label in self.predicted]

    @property
    def largest_contribution(self) -> float:
        """Size of the largest contribution, either way; 0 with an attention head."""
        return max((abs(blob.contribution or 0) for blob in self.blobs), default=0)

    @property
    def probability(self) -> float:
        """Of the most probable class, predicted or not."""
        return max(self.probabilities.values())

    def to_json(self) -> dict[str, Any]:
        """The record in predictions.json (inference/schema.json, ``chain``)."""
        return super().to_json() | {
            "chain": self.chain,
            "label": self.label,
            "notes": self.notes,
            "outside_training": self.outside,
        }


@dataclass(frozen=True)
class Skipped:
    """A file (``chain`` is empty) or a chain of it that could not be predicted, and why."""

    file: str
    chain: str
    reason: str


@dataclass(frozen=True)
class StructurePrediction:
    """One structure file.

    Attributes:
        path: the file.
        name: of what is written for it; unique in a result, and safe in file names and scripts.
        models: how many models it has; the first counts.
        chains: predicted chains, in the order of the file.
        skipped: the others, or the file itself.
    """

    path: Path
    name: str
    models: int = 0
    chains: list[ChainPrediction] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
