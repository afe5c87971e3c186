"""One explained chain: the typed record that interpretation, prediction and pages share.

Made from a forward pass by :mod:`bioblobs.inference.records`; written and read as ``$defs/chain`` of
schema.json in this folder. Knows no torch, so that readers of files start quickly.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_NUMBER = re.compile(r"(?s)/(-?\d+.?)$")
"""End of an author label; chain ids and insertion codes may be slashes themselves."""


@dataclass(frozen=True)
class Blob:
    """One blob of a chain.

    Attributes:
        slot: place in the order of growth, from 0; names the blob in reports.
        rank: from 1 on. Additive head: by contribution, those that argue against the class come last;
            attention head: by importance.
        importance: additive head: share of the positive contributions, 0 for a blob that argues against;
            attention head: attention weight. Sums to 1 over a chain's blobs; 0 for all where none argues for
            the class.
        contribution: to the logit of ``Chain.explained``, signed; None with an attention head.
        contributions: class identifier -> contribution; None with an attention head.
        code: of the codebook; None where the model has none.
        seed: index of the residue that it grew from.
        residues: indices of its residues in the chain, ascending.
        author: the same residues as the structure file names them: ``A/52A``, ``A/-3``.
        sequence: one letter per residue.
        membership: probability of each residue when it joined.
    """

    slot: int
    rank: int
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

    @property
    def numbers(self) -> list[str]:
        """Author numbers and insertion codes without the chain: ``52A``, ``-3``."""
        return [_NUMBER.findall(label)[0] for label in self.author]

    def to_json(self) -> dict[str, Any]:
        """Plain values (inference/schema.json, ``blob``)."""
        return {**vars(self), "size": self.size}

    @staticmethod
    def from_json(content: Mapping[str, Any]) -> Blob:
        """The blob of a checked file."""
        return Blob(**{key: value for key, value in content.items() if key != "size"})


@dataclass(frozen=True, kw_only=True)
class Chain:
    """One explained chain.

    Attributes:
        id: unique in its file.
        length: residues with a complete backbone, which indices count from 0.
        true: class identifiers; empty for a class that training never saw; None where labels are not known.
        predicted: class identifiers; one, or if multi-label all of probability 1/2 or more.
        explained: class identifier that importance and contribution refer to: the most probable one.
        probabilities: class identifier -> probability.
        logits: class identifier -> logit, less their mean over classes where a chain has one class. Additive
            head: the model's base and the sum of the blobs' contributions.
        blobs: by rank.
    """

    id: str
    length: int
    true: list[str] | None
    predicted: list[str]
    explained: str
    probabilities: Mapping[str, float]
    logits: Mapping[str, float]
    blobs: list[Blob]

    @property
    def grown(self) -> list[Blob]:
        """Blobs in the order in which they were grown."""
        return sorted(self.blobs, key=lambda blob: blob.slot)

    def to_json(self) -> dict[str, Any]:
        """Plain values (inference/schema.json, ``chain``); no key ``true`` where labels are not known."""
        names = ("id", "length", "true", "predicted", "explained", "probabilities", "logits")
        known = names if self.true is not None else [name for name in names if name != "true"]
        return {name: getattr(self, name) for name in known} | {
            "blobs": [blob.to_json() for blob in self.blobs]
        }

    @staticmethod
    def from_json(content: Mapping[str, Any]) -> Chain:
        """The chain of a checked file; what an older version lacks is None."""
        names = ("id", "length", "predicted", "explained", "probabilities", "logits")
        return Chain(
            **{name: content[name] for name in names},
            true=content.get("true"),
            blobs=[Blob.from_json(blob) for blob in content["blobs"]],
        )


def worth(importance: float, contribution: float | None) -> float:
    """Value by which blobs are ranked: contribution; importance with an attention head.

    Importance has the same order where contributions are positive.
    """
    return importance if contribution is None else contribution
