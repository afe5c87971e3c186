"""How a flat batch lies: its proteins, and the neighbourhoods of its residues.

B proteins, N residues, L residues of the longest protein, E symmetrised edges.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from bioblobs.models.segments import segment_sum


class Layout:
    """Between one value a residue (N,), one a protein (B,), and one row a protein (B, L).

    Rows are padded, so only single numbers a residue are ever put into them, never embeddings.

    Attributes:
        length: (B,) residues of each protein.
        starts: (B,) its first residue.
    """

    def __init__(self, batch: Tensor, size: int, longest: int | None = None) -> None:
        """``batch`` (N,) is the protein of each residue, sorted; ``longest`` is counted if None."""
        self.batch, self.size = batch, size
        count = torch.zeros(size, dtype=torch.long, device=batch.device)
        count.scatter_add_(0, batch, torch.ones_like(batch))
        self.length = count.float()
        self.starts = count.cumsum(0) - count
        self.longest = int(count.max()) if longest is None else longest
        own = torch.arange(len(batch), device=batch.device)
        self.place = own + (batch * self.longest - self.starts.index_select(0, batch))  # (N,)

    def spread(self, values: Tensor) -> Tensor:
        """Each residue's protein's value: (B, ...) -> (N, ...)."""
        # index_select: the backward of values[batch] is several times slower.
        return values.index_select(0, self.batch)

    def total(self, values: Tensor) -> Tensor:
        """Sum a protein: (N, ...) -> (B, ...)."""
        return segment_sum(values, self.batch, self.size)

    def rows(self, values: Tensor, fill: float) -> Tensor:
        """(N,) -> (B, L), with ``fill`` past the end of a protein."""
        padded = values.new_full((self.size * self.longest,), fill)
        return padded.scatter(0, self.place, values).view(self.size, self.longest)

    def flat(self, rows: Tensor) -> Tensor:
        """(B, L) -> (N,)."""
        return rows.view(-1).index_select(0, self.place)


class Neighbourhoods:
    """Counts over the edges of a batch.

    Attributes:
        degree: (N,) edges of each residue, at least 1.
    """

    def __init__(self, edge_index: Tensor, residues: int) -> None:
        """``edge_index`` (2, E): source and target of each edge, below ``residues``, sorted by target."""
        source, target = edge_index
        ends = torch.arange(residues + 1, device=target.device)
        pointer = torch.searchsorted(target.contiguous(), ends)
        self.degree = pointer.diff().float().clamp_min(1)
        with warnings.catch_warnings():
            # torch says that its sparse CSR layout is a beta; a product with a vector is all that is used.
            warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta state")
            self.matrix = torch.sparse_csr_tensor(
                pointer,
                source,
                torch.ones(len(source), device=source.device),
                (residues, residues),
                check_invariants=False,
            )

    def count(self, chosen: Tensor) -> Tensor:
        """(N,) edges from each residue into the chosen ones, (N,) bool."""
        return self.matrix @ chosen.float()


def put(rows: Tensor, real: Tensor, values: Tensor, length: int, fill: float) -> Tensor:
    """(length,) values (...) at their rows (...) where ``real``, ``fill`` elsewhere.

    Without asking the device how many are real; real rows must differ from one another.
    """
    spare = torch.where(real, rows, length)  # one more place, for those that are not
    made = values.new_full((length + 1,), fill)
    return made.scatter(0, spare.flatten(), values.flatten())[:length]


def one_hot(rows: Tensor, real: Tensor, length: int) -> Tensor:
    """(length,) True at the rows (...) that are real."""
    return put(rows, real, real, length, False)
