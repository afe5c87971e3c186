"""Packed proteins: flat arrays laid end to end, in memory or mapped from a store's files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioblobs.proteins.record import Protein, ProteinError
from bioblobs.store.blocks import EDGE_ARRAYS, RESIDUE_ARRAYS, Block, list_width, make_block, widened


class Packed:
    """P proteins end to end: what batches and records are made of.

    Arrays have the names and shapes of a store (:mod:`bioblobs.store.packed`).

    Attributes:
        meta: ``classes``, ``class_names``, ``multilabel``, and ``edge_types`` among the ``parameters``.
    """

    coordinates: NDArray[np.float32]
    residue_types: NDArray[np.uint8]
    residue_numbers: NDArray[np.int32]
    insertion_codes: NDArray[np.bytes_]
    chain_ids: NDArray[np.bytes_]
    neighbours: NDArray[np.int32]
    mutual: NDArray[np.bool_]
    offsets: NDArray[np.int64]
    labels: NDArray[Any]
    embeddings: NDArray[np.float16] | None = None
    meta: Mapping[str, Any]

    def __init__(self, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> None:
        self.meta = meta
        for name, values in arrays.items():
            setattr(self, name, values)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def classes(self) -> list[str]:
        """Class identifiers in label order, as training proteins define them."""
        return list(self.meta["classes"])

    @property
    def class_names(self) -> list[str]:
        """Readable name of each class."""
        return list(self.meta["class_names"])

    @property
    def multilabel(self) -> bool:
        """True if a protein may have several classes."""
        return bool(self.meta["multilabel"])

    @property
    def edge_types(self) -> str:
        """Definition of neighbours: ``knn_K`` or ``eps_R``."""
        return str(self.meta["parameters"]["edge_types"])

    @property
    def embedding_dim(self) -> int:
        """Width of the embeddings that come with the residues; 0: there are none."""
        return 0 if self.embeddings is None else int(self.embeddings.shape[1])

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(P,) residues of each protein."""
        return np.diff(self.offsets)


def pack(
    proteins: Sequence[Protein], edge_types: str, classes: Mapping[str, str], multilabel: bool
) -> Packed:
    """Pack proteins without labels in memory, with the same values that a store of them would have.

    Args:
        classes: class identifier -> name, in label order.

    Raises:
        ProteinError: a protein has no residue with a complete backbone.
    """
    block = make_block(proteins, edge_types)
    for reason in filter(None, block.outcomes):
        raise ProteinError(reason)
    count, total = len(proteins), sum(block.lengths)
    arrays: dict[str, NDArray[Any]] = {
        name: np.frombuffer(block.arrays[name], dtype).reshape(total, *shape)
        for name, (dtype, shape) in RESIDUE_ARRAYS.items()
    }
    arrays |= {name: _lists(block, name) for name in EDGE_ARRAYS}
    arrays["offsets"] = np.cumsum([0, *block.lengths], dtype=np.int64)
    arrays["labels"] = np.zeros((count, len(classes)), np.bool_) if multilabel else np.full(count, -1)
    meta = {
        "multilabel": multilabel,
        "classes": list(classes),
        "class_names": list(classes.values()),
        "parameters": {"edge_types": edge_types},
    }
    return Packed(arrays, meta)


def _lists(block: Block, name: str) -> NDArray[Any]:
    """Neighbour lists of all proteins of a block, at one width."""
    values, width = np.frombuffer(block.arrays[name], EDGE_ARRAYS[name]), list_width(block.widths)
    sizes = np.multiply(block.lengths, block.widths)
    parts = zip(np.split(values, sizes.cumsum()[:-1]), block.lengths, block.widths, strict=True)
    return np.concatenate([widened(part.reshape(shape), width, name) for part, *shape in parts])
