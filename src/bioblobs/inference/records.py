"""One forward pass -> record of each protein: prediction, blobs, contributions, importance, codes.

Residue indices count from 0 in the order of the store, which leaves out residues without a backbone;
``author`` names the same residues as the structure file does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.inference.predict import probabilities
from bioblobs.models.bioblobs import BioBlobs, Prediction
from bioblobs.proteins.alphabet import decode
from bioblobs.store.packed import Store

DIGITS = 6


def explanation(model: BioBlobs, architecture: Mapping[str, Any], classes: Sequence[str]) -> dict[str, Any]:
    """How the model explains itself (schema: ``explanation``): head, view of blobs, and base of each class.

    Args:
        architecture: the model keys on its card.
        classes: class identifiers, in the order of the model's outputs.
    """
    base = model.base()
    return {
        "head": architecture["head"],
        "blob_view": architecture["blob_view"],
        "base": None if base is None else by_class(classes, base.detach().double().numpy()),
    }


def by_class(classes: Sequence[str], values: NDArray[np.float64]) -> dict[str, float]:
    """{class: number} of a row (C,), rounded; a rounded zero has no sign."""
    return {name: _rounded(value) for name, value in zip(classes, values.tolist(), strict=True)}


def protein_records(store: Store, ids: list[str], batch: ProteinBatch, prediction: Prediction) -> list[Any]:
    """The records of the proteins of a batch (schema: interpretation/schema.json, ``proteins``).

    ``contributions`` are parts of the sum that makes ``logits``; with an attention head they are null.

    Args:
        ids: name of every protein in the store.
    """
    chance = probabilities(prediction.logits, store.multilabel)
    explained = prediction.logits.argmax(-1).numpy()
    logits = prediction.logits.double().numpy()
    if not store.multilabel:  # as contributions are: softmax ignores what all classes share
        logits = logits - logits.mean(-1, keepdims=True)
    protein_of = batch.batch.numpy()
    bounds = np.searchsorted(protein_of, np.arange(batch.num_proteins + 1))
    slot = prediction.blobs.assignment.numpy()
    membership = prediction.blobs.membership.numpy()
    seeds = prediction.blobs.seeds.numpy()
    importance = prediction.importance.double().numpy()
    parts = prediction.contributions
    contributions = None if parts is None else parts.double().numpy()
    mask = prediction.blobs.mask.numpy()
    codes = prediction.codes.numpy() if prediction.codes is not None else None
    records = []
    for place, row in enumerate(batch.proteins.tolist()):
        span = slice(bounds[place], bounds[place + 1])
        about = store.classes[explained[place]]
        blobs = [
            {
                "blob": int(s),
                "importance": _rounded(importance[place, s]),
                **_contribution(store.classes, about, contributions, (place, int(s))),
                "code": int(codes[place, s]) if codes is not None else None,
                **_members(store, row, np.flatnonzero(slot[span] == s), membership[span], seeds[span]),
            }
            for s in np.flatnonzero(mask[place])
        ]
        records.append(
            {
                "id": ids[row],
                "length": int(bounds[place + 1] - bounds[place]),
                "true": _true_classes(store, row),
                "predicted": _predicted_classes(store, chance[place]),
                "explained": about,
                "probabilities": by_class(store.classes, chance[place]),
                "logits": by_class(store.classes, logits[place]),
                "blobs": blobs,
            }
        )
    return records


def author_labels(store: Store, row: int, residues: NDArray[np.int64]) -> list[str]:
    """Chain, author residue number and insertion code, as in ``A/52A`` or ``A/-3``."""
    at = residues + store.offsets[row]
    chains, numbers = store.chain_ids[at].astype(str), store.residue_numbers[at]
    codes = store.insertion_codes[at].astype(str)
    return [f"{c}/{n}{i}" for c, n, i in zip(chains, numbers, codes, strict=True)]


def _rounded(value: float) -> float:
    return round(float(value), DIGITS) + 0.0


def _contribution(
    classes: Sequence[str], explained: str, contributions: NDArray[np.float64] | None, at: tuple[int, int]
) -> dict[str, Any]:
    """To the explained class and to each; ``contributions`` (B, S, C)."""
    if contributions is None:
        return {"contribution": None, "contributions": None}
    every = by_class(classes, contributions[at])
    return {"contribution": every[explained], "contributions": every}


def _members(
    store: Store,
    row: int,
    residues: NDArray[np.int64],
    membership: NDArray[np.float32],
    seeds: NDArray[np.bool_],
) -> dict[str, Any]:
    start = store.offsets[row]
    return {
        "size": len(residues),
        "seed": int(residues[seeds[residues]][0]),
        "residues": residues.tolist(),
        "author": author_labels(store, row, residues),
        "sequence": decode(np.asarray(store.residue_types[start + residues])),
        "membership": [round(float(p), 4) for p in membership[residues]],
    }


def _true_classes(store: Store, row: int) -> list[str]:
    """Class identifiers; empty for a class that training never saw."""
    label = store.labels[row]
    if store.multilabel:
        return [store.classes[i] for i in np.flatnonzero(label)]
    return [store.classes[label]] if label >= 0 else []


def _predicted_classes(store: Store, chance: NDArray[np.float64]) -> list[str]:
    """The most probable class; if multi-label, all at probability 1/2 or more."""
    chosen = np.flatnonzero(chance >= 0.5) if store.multilabel else [chance.argmax()]
    return [store.classes[int(i)] for i in chosen]
