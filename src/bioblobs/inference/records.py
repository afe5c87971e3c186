"""One forward pass -> typed record of each chain: prediction, blobs, contributions, importance, codes.

Residue indices count from 0 in the order of the store, which leaves out residues without a backbone;
``author`` names the same residues as the structure file does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.inference.chain import Blob, Chain, worth
from bioblobs.inference.device import on_cpu
from bioblobs.inference.explained import Explained
from bioblobs.models.bioblobs import BioBlobs, Prediction
from bioblobs.proteins.alphabet import decode
from bioblobs.store.arrays import Packed

DIGITS = 6


def explanation(model: BioBlobs, architecture: Mapping[str, Any], classes: Sequence[str]) -> dict[str, Any]:
    """Describe the explanation (schema: ``explanation``): head, view of blobs, and base of each class.

    Args:
        architecture: the model keys on its card.
        classes: class identifiers, in the order of the model's outputs.
    """
    base = on_cpu(model.base())
    return {
        "head": architecture["head"],
        "blob_view": architecture["blob_view"],
        "base": None if base is None else by_class(classes, base.detach().double().numpy()),
    }


def by_class(classes: Sequence[str], values: NDArray[np.float64]) -> dict[str, float]:
    """{class: number} of a row (C,), rounded; a rounded zero has no sign."""
    return {name: _rounded(value) for name, value in zip(classes, values.tolist(), strict=True)}


def chain_records(store: Packed, ids: Sequence[str], batch: ProteinBatch, made: Prediction) -> list[Chain]:
    """The records of the proteins of a batch.

    Contributions are parts of the sum that makes ``logits``; with an attention head they are None.

    Args:
        ids: name of every protein in the store.
        batch: on the CPU, as ``made`` is.
    """
    bounds = np.searchsorted(batch.batch.numpy(), np.arange(batch.num_proteins + 1))
    arrays = Explained.of(batch, made, store.multilabel)
    explained = [store.classes[target] for target in arrays.target.tolist()]
    return [
        Chain(
            id=ids[row],
            length=int(bounds[place + 1] - bounds[place]),
            true=_true_classes(store, row),
            predicted=_predicted_classes(store, arrays.chances[place]),
            explained=explained[place],
            probabilities=by_class(store.classes, arrays.chances[place]),
            logits=by_class(store.classes, arrays.logits[place]),
            blobs=_blobs(
                store,
                row,
                arrays,
                place,
                slice(bounds[place], bounds[place + 1]),
                explained[place],
            ),
        )
        for place, row in enumerate(batch.proteins.tolist())
    ]


def author_labels(store: Packed, row: int, residues: NDArray[np.int64]) -> list[str]:
    """Chain, author residue number and insertion code, as in ``A/52A`` or ``A/-3``."""
    at = residues + store.offsets[row]
    chains, numbers = store.chain_ids[at].astype(str), store.residue_numbers[at]
    codes = store.insertion_codes[at].astype(str)
    return [f"{c}/{n}{i}" for c, n, i in zip(chains, numbers, codes, strict=True)]


def _rounded(value: float) -> float:
    return round(float(value), DIGITS) + 0.0


def _blobs(store: Packed, row: int, made: Explained, place: int, span: slice, explained: str) -> list[Blob]:
    """Blobs of a protein by rank; equal ones in the order in which they were grown.

    Args:
        place: of the protein in the batch; ``span``: its residues there.
        explained: class that contributions are to.
    """
    slots = np.flatnonzero(made.mask[place]).tolist()
    importance = {s: _rounded(made.importance[place, s]) for s in slots}
    parts = made.contributions
    every = {s: None if parts is None else by_class(store.classes, parts[place, s]) for s in slots}
    to_class = {s: None if row_of is None else row_of[explained] for s, row_of in every.items()}
    slots.sort(key=lambda s: -worth(importance[s], to_class[s]))
    return [
        Blob(
            slot=s,
            rank=rank,
            importance=importance[s],
            contribution=to_class[s],
            contributions=every[s],
            code=None if made.codes is None else int(made.codes[place, s]),
            **_members(store, row, np.flatnonzero(made.assignment[span] == s), made, span),
        )
        for rank, s in enumerate(slots, start=1)
    ]


def _members(
    store: Packed, row: int, residues: NDArray[np.int64], made: Explained, span: slice
) -> dict[str, Any]:
    at = store.offsets[row] + residues
    return {
        "seed": int(residues[made.seeds[span][residues]][0]),
        "residues": residues.tolist(),
        "author": author_labels(store, row, residues),
        "sequence": decode(np.asarray(store.residue_types[at])),
        "membership": [round(float(p), 4) for p in made.membership[span][residues]],
    }


def _true_classes(store: Packed, row: int) -> list[str]:
    """Class identifiers; empty for a class that training never saw."""
    label = store.labels[row]
    if store.multilabel:
        return [store.classes[i] for i in np.flatnonzero(label)]
    return [store.classes[label]] if label >= 0 else []


def _predicted_classes(store: Packed, chance: NDArray[np.float64]) -> list[str]:
    """The most probable class; if multi-label, all at probability 1/2 or more."""
    chosen = np.flatnonzero(chance >= 0.5) if store.multilabel else [chance.argmax()]
    return [store.classes[int(i)] for i in chosen]
