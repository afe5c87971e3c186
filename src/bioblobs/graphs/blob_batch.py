"""Blobs -> a batch of small proteins, each read as if nothing else of its chain existed.

Shapes: B proteins, N residues (flat), S blob slots, n residues in blobs, M = B S blobs, L most residues per
blob, k neighbours per residue.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.proteins.geometry import CA_ATOM


def blob_batch(
    batch: ProteinBatch, assignment: Tensor, slots: int, largest: int
) -> tuple[ProteinBatch, Tensor]:
    """Make each blob a protein of its own: its residues in chain order, neighbours found among them alone.

    Blob s of protein b is protein ``b * slots + s`` of the result; those of empty slots have no residue.
    Places in the chain stay, so that a gap between members remains visible as one.

    Args:
        assignment: (N,) slot of each residue in its protein, -1 outside every blob.
        slots: S.
        largest: L, bound of the residues per blob.

    Returns:
        The batch, and the row (n,) of each of its residues in ``batch``.
    """
    member = (assignment >= 0).nonzero().squeeze(-1)
    blob = batch.batch.index_select(0, member) * slots + assignment.index_select(0, member)
    blob, order = blob.sort(stable=True)
    rows = member.index_select(0, order)  # (n,)
    coordinates = batch.coordinates.index_select(0, rows)
    lists, valid = neighbours_in(
        coordinates[:, CA_ATOM], blob, batch.num_proteins * slots, largest, batch.edge_types
    )
    made = replace(
        batch,
        coordinates=coordinates,
        residue_types=batch.residue_types.index_select(0, rows),
        positions=batch.positions.index_select(0, rows),
        neighbours=lists,
        edge_valid=valid,
        batch=blob,
        edge_index=batch.edge_index[:, :0],  # only a partitioner needs it
        labels=batch.labels.repeat_interleave(slots, 0),
        proteins=batch.proteins.repeat_interleave(slots, 0),
        num_proteins=batch.num_proteins * slots,
        longest=largest,
        embeddings=None if batch.embeddings is None else batch.embeddings.index_select(0, rows),
    )
    return made, rows


def neighbours_in(
    ca: Tensor, group: Tensor, groups: int, largest: int, edge_types: str
) -> tuple[Tensor, Tensor]:
    """Neighbours of each residue within its group, nearest first: (n, k) int32 rows and (n, k) real or not.

    As :func:`bioblobs.graphs.neighbours.neighbour_lists` for each group by itself; padding is the residue's
    own row. Equally near ones come in the order of their rows. k is K for ``knn_K``, but below ``largest``;
    for ``eps_R`` it is ``largest`` less one; at least one.

    Args:
        ca: (n, 3) C-alphas in angstrom.
        group: (n,) sorted.
        groups: number of groups.
        largest: bound of the residues per group.
    """
    kind, value = edge_types.split("_")
    own = torch.arange(len(ca), device=ca.device)
    first = torch.searchsorted(group, torch.arange(groups, device=ca.device))  # (groups,)
    place = own - first.index_select(0, group)  # (n,) within the group
    cell = group * largest + place
    padded = ca.new_zeros(groups * largest, 3).index_copy_(0, cell, ca).view(groups, largest, 3)
    real = torch.zeros(groups * largest, dtype=torch.bool, device=ca.device).index_fill_(0, cell, True)
    # The expanded square |a|^2 - 2 ab + |b|^2 would lose digits, and depend on where the protein lies.
    distance = torch.cdist(padded, padded, compute_mode="donot_use_mm_for_euclid_dist")  # (groups, L, L)
    allowed = real.view(groups, 1, largest) & ~torch.eye(largest, dtype=torch.bool, device=ca.device)
    if kind == "eps":
        allowed = allowed & (distance <= float(value))
    distance = distance.masked_fill(~allowed, torch.inf).view(-1, largest).index_select(0, cell)  # (n, L)
    most = max(min(int(value), largest - 1) if kind == "knn" else largest - 1, 1)
    distance, order = distance.sort(dim=1, stable=True)
    valid = distance[:, :most].isfinite()
    lists = torch.where(valid, order[:, :most] + (own - place)[:, None], own[:, None])
    return lists.int(), valid
