"""Explanations of several chains as arrays, joined from the batches of a model's forward passes.

Two things are made of it. :mod:`bioblobs.inference.records` writes each chain of it as a typed record, whose
numbers are rounded and named. The faithfulness tests take the arrays themselves: they order all residues at
once, thousands of times, and by values that rounding would make equal.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.inference.predict import probabilities
from bioblobs.models.bioblobs import Prediction

Floats = NDArray[np.float64]


@dataclass
class Explained:
    """Prediction and blobs of P chains with N residues: S blob slots, C classes.

    Attributes:
        logits: (P, C), less their mean over classes where a chain has one class, as contributions are.
        chances: (P, C) class probabilities.
        protein: (N,) chain of each residue.
        assignment: (N,) blob of each residue in its chain, -1: none.
        membership: (N,) as of :class:`~bioblobs.models.partitioner.Blobs`.
        seeds: (N,) True on the residues that blobs grew from.
        importance: (P, S) of each blob.
        mask: (P, S) True on real blobs.
        contributions: (P, S, C) signed, of each blob to each class; None with an attention head.
        codes: (P, S) code of each blob; None without a codebook.
    """

    logits: Floats
    chances: Floats
    protein: NDArray[np.int64]
    assignment: NDArray[np.int64]
    membership: Floats
    seeds: NDArray[np.bool_]
    importance: Floats
    mask: NDArray[np.bool_]
    contributions: Floats | None = None
    codes: NDArray[np.int64] | None = None

    @staticmethod
    def of(batch: ProteinBatch, made: Prediction, multilabel: bool) -> Explained:
        """Arrays of one batch, which is on the CPU, as its prediction is."""
        logits = made.logits.double().numpy()
        return Explained(
            logits=logits if multilabel else logits - logits.mean(-1, keepdims=True),
            chances=probabilities(made.logits, multilabel),
            protein=batch.batch.numpy(),
            assignment=made.blobs.assignment.numpy(),
            membership=made.blobs.membership.double().numpy(),
            seeds=made.blobs.seeds.numpy(),
            importance=made.importance.double().numpy(),
            mask=made.blobs.mask.numpy(),
            contributions=None if made.contributions is None else made.contributions.double().numpy(),
            codes=None if made.codes is None else made.codes.numpy(),
        )

    @staticmethod
    def joined(parts: Iterable[Explained]) -> Explained:
        """Join the chains of several batches of one model, in order."""
        each = list(parts)
        first = np.cumsum([0, *(len(part.mask) for part in each)])
        columns = {field.name: [getattr(part, field.name) for part in each] for field in fields(Explained)}
        columns["protein"] = [part.protein + start for part, start in zip(each, first[:-1], strict=True)]
        found: dict[str, Any] = {
            name: None if values[0] is None else np.concatenate(values) for name, values in columns.items()
        }
        return Explained(**found)

    @property
    def target(self) -> NDArray[np.int64]:
        """(P,) the most probable class."""
        return self.logits.argmax(1)

    @cached_property
    def contribution(self) -> Floats:
        """(P, S) signed contribution to the most probable class; with an attention head, importance."""
        return self.contribution_to(self.target)

    def contribution_to(self, target: NDArray[np.int64]) -> Floats:
        """(P, S) signed contribution to the ``target`` (P,) class of each chain; attention: importance."""
        if self.contributions is None:
            return self.importance
        return np.take_along_axis(self.contributions, target[:, None, None], 2)[:, :, 0]

    def sum_error(self, base: Floats) -> Floats | None:
        """(P,) largest difference, over the classes, of a logit from base (C,) and contributions added up.

        None with an attention head, whose logits are no such sum.
        """
        if self.contributions is None:
            return None
        return np.abs(self.logits - base - self.contributions.sum(1)).max(1)

    @property
    def top(self) -> NDArray[np.int64]:
        """(P,) blob that contributes most."""
        return np.where(self.mask, self.contribution, -np.inf).argmax(1)

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """(P, S) residues of each blob."""
        inside = self.assignment >= 0
        slot = self.protein[inside] * self.mask.shape[1] + self.assignment[inside]
        return np.bincount(slot, minlength=self.mask.size).reshape(self.mask.shape)

    def of_residues(self, values: Floats) -> Floats:
        """(N,) value (P, S) of each residue's blob, 0 outside every blob."""
        return np.where(self.assignment >= 0, values[self.protein, self.assignment], 0.0)
