"""Check that a store's arrays fit together, and that no number leads out of another array.

Shapes: P proteins, N residues, k neighbours per residue, C classes. Compiled code does not look again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bioblobs.proteins.alphabet import SYMBOLS
from bioblobs.splits import SPLITS
from bioblobs.store.blocks import EDGE_ARRAYS, EMBEDDINGS, RESIDUE_ARRAYS

if TYPE_CHECKING:
    from bioblobs.store.packed import Store


def check_rows(store: Store) -> None:
    """Check the arrays with one row per protein, and that the others have as many rows as these say.

    Raises:
        ValueError: naming the file that does not fit.
    """
    offsets, labels, split = store.offsets, store.labels, store.split
    if not len(offsets) or offsets[0] != 0 or (np.diff(offsets) <= 0).any():
        raise ValueError("offsets.npy does not rise from 0")
    for name, shape in RESIDUE_ARRAYS.items():
        _expect(name, getattr(store, name).shape, (int(offsets[-1]), *shape[1]))
    lists = {name: getattr(store, name).shape for name in EDGE_ARRAYS}
    for name, found in lists.items():
        _expect(name, found, (int(offsets[-1]), *lists["neighbours"][1:2]))
    if store.embeddings is not None:
        _expect(EMBEDDINGS, store.embeddings.shape, (int(offsets[-1]), store.embedding_dim))
    if store.embeddings is not None:
        _expect(EMBEDDINGS, store.embeddings.shape, (int(offsets[-1]), *store.embeddings.shape[1:2]))
    classes = len(store.classes)
    _expect("labels", labels.shape, (len(store), classes) if store.multilabel else (len(store),))
    _expect("split", split.shape, (len(store),))
    if not store.multilabel and ((labels < -1) | (labels >= classes)).any():
        raise ValueError(f"labels.npy names a class outside of -1 to {classes - 1}")
    if (split >= len(SPLITS)).any():
        raise ValueError(f"split.npy names a split outside of 0 to {len(SPLITS) - 1}")


def check_residues(store: Store) -> None:
    """Check the arrays with one row per residue (reads two of them).

    Raises:
        ValueError: naming the file that does not fit.
    """
    if (store.residue_types >= len(SYMBOLS)).any():
        raise ValueError(f"residue_types.npy names a type outside of 0 to {len(SYMBOLS) - 1}")
    lengths = np.repeat(store.lengths, store.lengths)
    if (store.neighbours.max(1) >= lengths).any() or store.neighbours.min() < -1:
        raise ValueError("neighbours.npy names a residue outside of its protein")


def _expect(name: str, found: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if found != wanted:
        raise ValueError(f"{name}.npy has shape {found}, not {wanted}")
