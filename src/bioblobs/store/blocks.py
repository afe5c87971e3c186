"""Proteins as the bytes that a store holds: made in worker processes, appended by the process that writes.

Defines the layout of a residue, for writers and readers of a store.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioblobs.graphs.neighbours import PADDING, mutual_edges, neighbour_lists
from bioblobs.proteins.record import Protein, ProteinError, usable

RESIDUE_ARRAYS: dict[str, tuple[np.dtype[Any], tuple[int, ...]]] = {
    "coordinates": (np.dtype("<f4"), (4, 3)),
    "residue_types": (np.dtype("u1"), ()),
    "residue_numbers": (np.dtype("<i4"), ()),
    "insertion_codes": (np.dtype("S1"), ()),
    "chain_ids": (np.dtype("S4"), ()),
}
"""Arrays that are a protein's own, under the names of its record: dtype, shape per residue."""
EDGE_ARRAYS: dict[str, np.dtype[Any]] = {"neighbours": np.dtype("<i4"), "mutual": np.dtype("?")}
"""Arrays with one column per neighbour."""
EMBEDDINGS, EMBEDDING_TYPE = "embeddings", np.dtype("<f2")
"""Array of a store whose proteins came with embeddings: its name; values, one row per residue."""
FILL = {"neighbours": PADDING, "mutual": False}
"""Values of columns that a residue has no neighbour for."""


@dataclass
class Block:
    """Consecutive proteins as bytes.

    Attributes:
        lengths: residues of each protein.
        widths: columns of each protein's neighbour lists.
        arrays: name -> values of all proteins, one after another; neighbour lists each at its own width.
        incomplete: residues that were left out because N, CA or C is missing.
        outcomes: one per protein asked for: None, or the reason for which it is not here.
    """

    lengths: list[int] = field(default_factory=list)
    widths: list[int] = field(default_factory=list)
    arrays: dict[str, bytes] = field(default_factory=dict)
    incomplete: int = 0
    outcomes: list[str | None] = field(default_factory=list)


def make_block(proteins: Iterable[Protein | ProteinError], edge_types: str) -> Block:
    """Neighbour lists and bytes of the usable proteins, and why others are not."""
    block = Block()
    kept: list[Protein] = []
    for protein in proteins:
        try:
            if isinstance(protein, ProteinError):
                raise protein
            complete, missing = usable(protein)
        except ProteinError as error:
            block.outcomes.append(str(error))
            continue
        block.incomplete += missing
        block.outcomes.append(None)
        kept.append(complete)
    lists = [neighbour_lists(protein.coordinates[:, 1], edge_types) for protein in kept]
    block.lengths = [len(protein) for protein in kept]
    block.widths = [part.shape[1] for part in lists]
    for name, (dtype, _) in RESIDUE_ARRAYS.items():
        block.arrays[name] = _joined([getattr(protein, name) for protein in kept], dtype)
    if with_them := [protein.embeddings for protein in kept if protein.embeddings is not None]:
        block.arrays[EMBEDDINGS] = _joined(with_them, EMBEDDING_TYPE)
    block.arrays["neighbours"] = _joined(lists, EDGE_ARRAYS["neighbours"])
    block.arrays["mutual"] = _joined([mutual_edges(part) for part in lists], EDGE_ARRAYS["mutual"])
    return block


def list_width(widths: Sequence[int]) -> int:
    """Columns of neighbour lists of several proteins together: at least one, even without edges."""
    return max([1, *widths])


def widened(lists: NDArray[Any], width: int, name: str) -> NDArray[Any]:
    """(L, width) one protein's lists (L, w), padded as array ``name`` is."""
    padded = np.full((len(lists), width), FILL[name], lists.dtype)
    padded[:, : lists.shape[1]] = lists
    return padded


def _joined(parts: list[NDArray[Any]], dtype: np.dtype[Any]) -> bytes:
    return b"".join(np.ascontiguousarray(part, dtype).tobytes() for part in parts)
