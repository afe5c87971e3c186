"""Augmentation of training batches: coordinates that shake, residues whose type is hidden.

Both are drawn anew in every step. Neighbours and edges stay those of the true structure: they were found when
the data were prepared, and noise below an angstrom exchanges few of them. A blob that is read alone finds its
own neighbours among the shaken coordinates.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.proteins.alphabet import UNKNOWN


def augmented(batch: ProteinBatch, coordinate_noise: float, residue_mask: float) -> ProteinBatch:
    """Shake and hide; the batch itself where there is nothing to do.

    Args:
        coordinate_noise: standard deviation of Gaussian noise on each axis of each atom, angstrom.
        residue_mask: share of residues whose type becomes X (unknown).
    """
    if coordinate_noise:
        noise = coordinate_noise * torch.randn_like(batch.coordinates)
        batch = replace(batch, coordinates=batch.coordinates + noise)
    if residue_mask:
        types = batch.residue_types
        hidden = torch.rand(types.shape, device=types.device) < residue_mask
        batch = replace(batch, residue_types=types.masked_fill(hidden, UNKNOWN))
    return batch
