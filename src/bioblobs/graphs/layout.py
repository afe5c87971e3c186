"""Layout of a flat batch: its proteins, and the neighbourhoods of its residues.

B proteins, N residues, L residues of the longest protein, E symmetrised edges.
"""

from __future__ import annotations

import functools
import warnings

import torch
from torch import Tensor


class Layout:
    """Convert between per-residue (N,), per-protein (B,) and padded (B, L) layouts.

    Values are flat, one row per residue. Products of a protein's residues with its own vector use padded
    rows, (B, L, D).

    Attributes:
        length: (B,) residues of each protein.
        starts: (B,) its first residue.
        index: (N,) 0, 1, ...
    """

    def __init__(self, batch: Tensor, size: int, longest: int | None = None) -> None:
        """``batch`` (N,) is the protein of each residue, sorted; ``longest`` is counted if None."""
        self.batch, self.size = batch, size
        count = torch.zeros(size, dtype=torch.long, device=batch.device)
        count.scatter_add_(0, batch, torch.ones_like(batch))
        self.length = count.float()
        self.starts = count.cumsum(0) - count
        self.longest = int(count.max()) if longest is None else longest
        self.even = size * self.longest == len(batch)  # proteins of one length: nothing is padded
        self.index = torch.arange(len(batch), device=batch.device)
        self.protein = (torch.arange(size, device=batch.device)[:, None] == batch).float()  # (B, N) one-hot
        self.place = self.index + (batch * self.longest - self.starts.index_select(0, batch))  # (N,)

    def spread(self, values: Tensor) -> Tensor:
        """Repeat each protein's value for its residues: (B, ...) -> (N, ...)."""
        return values.index_select(0, self.batch)

    def total(self, values: Tensor) -> Tensor:
        """Sum per protein: (N,) -> (B,), or (N, D) -> (B, D)."""
        return self.protein @ values

    def padded(self, values: Tensor) -> Tensor:
        """Pad: (N, D) -> (B, L, D), zero past the end of a protein."""
        if self.even:
            return values.view(self.size, self.longest, -1)
        rows = values.new_zeros(self.size * self.longest, values.shape[1])
        return rows.index_copy_(0, self.place, values).view(self.size, self.longest, -1)

    def dot(self, padded: Tensor, vectors: Tensor, add: Tensor | None = None) -> Tensor:
        """Product of each residue with its protein's vector: (B, L, D), (B, D) -> (N,), plus (B, 1)."""
        left, right = vectors[:, None], padded.transpose(1, 2)
        made = left @ right if add is None else torch.baddbmm(add[..., None], left, right)
        return self.flat(made.squeeze(1))

    def weighted_sum(self, weights: Tensor, padded: Tensor) -> Tensor:
        """Sum per protein with a weight per residue: (N,), (B, L, D) -> (B, D)."""
        return (self.rows(weights, 0)[:, None] @ padded).squeeze(1)

    def weighted(self, weights: Tensor, vectors: Tensor) -> Tensor:
        """Sum of a protein's vectors with each residue's weights: (N, S), (B, S, D) -> (N, D)."""
        return self.flat(self.padded(weights) @ vectors)

    def rows(self, values: Tensor, fill: float) -> Tensor:
        """Pad: (N,) -> (B, L), with ``fill`` past the end of a protein."""
        if self.even:
            return values.view(self.size, self.longest)
        padded = values.new_full((self.size * self.longest,), fill)
        return padded.scatter_(0, self.place, values).view(self.size, self.longest)

    def flat(self, rows: Tensor) -> Tensor:
        """Undo the padding: (B, L, ...) -> (N, ...)."""
        made = rows.flatten(0, 1)
        return made if self.even else made.index_select(0, self.place)


class Neighbourhoods:
    """Counts over the edges of a batch.

    Attributes:
        pointer: (N + 1,) int32, first edge of each residue.
        source: (E,) int32.
    """

    def __init__(self, edge_index: Tensor, residues: int) -> None:
        """``edge_index`` (2, E): source and target of each edge, below ``residues``, sorted by target."""
        source, target = edge_index.int().contiguous()
        ends = torch.arange(residues + 1, dtype=torch.int, device=target.device)
        self.source, self.pointer = source, torch.searchsorted(target, ends, out_int32=True)

    @functools.cached_property
    def degree(self) -> Tensor:
        """(N,) number of edges of each residue, at least 1."""
        return self.pointer.diff().float().clamp_min(1)

    @functools.cached_property
    def _matrix(self) -> Tensor:
        with warnings.catch_warnings():
            # torch says that its sparse CSR layout is a beta; a product with a vector is all that is used.
            warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta state")
            return torch.sparse_csr_tensor(
                self.pointer,
                self.source,
                torch.ones(len(self.source), device=self.source.device),
                (len(self.pointer) - 1, len(self.pointer) - 1),
                check_invariants=False,
            )

    def count(self, chosen: Tensor) -> Tensor:
        """(N,) number of edges from each residue to the chosen ones, (N,) bool."""
        return self._matrix @ chosen.float()


def put(rows: Tensor, values: Tensor, length: int, fill: float) -> Tensor:
    """(length,) values (...) at their rows (...), ``fill`` elsewhere; row ``length`` is no row.

    Rows must differ from one another, apart from that.
    """
    made = values.new_full((length + 1,), fill)
    return made.scatter_(0, rows.flatten(), values.flatten())[:length]
