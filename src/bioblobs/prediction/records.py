"""Typed records of a predicted structure, the same for files, tables and Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bioblobs.proteins.record import Protein


@dataclass(frozen=True)
class Blob:
    """One blob of a chain.

    Attributes:
        number: from 1 on. Additive head: by contribution, those that argue against the class come last;
            attention head: by importance.
        importance: additive head: share of the positive contributions, 0 for a blob that argues against;
            attention head: attention weight. Sums to 1 over a chain's blobs; 0 for all where none argues for
            the class.
        contribution: to the logit of ``ChainPrediction.explained``, signed; None with an attention head.
        contributions: class identifier -> contribution; None with an attention head.
        code: of the codebook; None where the model has none.
        seed: index of the residue that it grew from.
        residues: indices of its residues in ``ChainPrediction.protein``.
        author: the same residues as the file numbers them, insertion code included: ``52A``, ``-3``.
        sequence: one letter a residue.
        membership: probability of each residue when it joined.
    """

    number: int
    importance: float
    contribution: float | None
    contributions: Mapping[str, float] | None
    code: int | None
    seed: int
    residues: list[int]
    author: list[str]
    sequence: str
    membership: list[float]

    @property
    def size(self) -> int:
        """Number of residues."""
        return len(self.residues)


@dataclass(frozen=True)
class ChainPrediction:
    """One predicted chain.

    Attributes:
        id: ``<structure>_<chain>``, unique in a result.
        file: the structure file as it was named.
        chain: author chain id; with ``.1``, ``.2`` where that is not enough to tell chains apart.
        label: ``label_asym_id`` (mmCIF).
        protein: the residues that the model saw (complete backbones), with coordinates and numbering.
        predicted: class identifiers; one, or if multi-label all of probability 1/2 or more.
        explained: class identifier that importance and contribution refer to: the most probable one.
        probabilities: class identifier -> probability.
        logits: class identifier -> logit, less their mean over classes where a chain has one class. Additive
            head: the model's ``base`` and the sum of its blobs' contributions.
        class_names: class identifier -> name.
        blobs: by their number.
        notes: what to know before believing it.
        outside: whether the chain is outside what the model was trained on; a note says how.
    """

    id: str
    file: str
    chain: str
    label: str
    protein: Protein
    predicted: list[str]
    explained: str
    probabilities: dict[str, float]
    logits: dict[str, float]
    class_names: Mapping[str, str]
    blobs: list[Blob]
    notes: list[str]
    outside: bool = False

    @property
    def length(self) -> int:
        """Residues that the model saw."""
        return len(self.protein)

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

    def as_json(self) -> dict[str, Any]:
        """The record in predictions.json (prediction/schema.json, ``chain``)."""
        return {
            "id": self.id,
            "chain": self.chain,
            "label": self.label,
            "length": self.length,
            "predicted": self.predicted,
            "explained": self.explained,
            "probabilities": self.probabilities,
            "logits": self.logits,
            "notes": self.notes,
            "outside_training": self.outside,
            "blobs": [
                {
                    "blob": blob.number,
                    "importance": blob.importance,
                    "contribution": blob.contribution,
                    "contributions": blob.contributions,
                    "code": blob.code,
                    "size": blob.size,
                    "seed": blob.seed,
                    "residues": blob.residues,
                    "author": blob.author,
                    "sequence": blob.sequence,
                    "membership": blob.membership,
                }
                for blob in self.blobs
            ],
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
