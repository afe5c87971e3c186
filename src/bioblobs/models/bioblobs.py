"""The whole model: encoder, partitioner, codebook, readout.

Shapes: B proteins, N residues (flat), S blob slots, K codes, D width, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.graphs.residue_graph import build_graph
from bioblobs.models.codebook import Codebook, Quantised
from bioblobs.models.encoder import Encoder
from bioblobs.models.partitioner import Blobs, Partitioner
from bioblobs.models.readout import Readout
from bioblobs.models.segments import segment_pool

BlobInput = Literal["quantised", "raw"]
Pooling = Literal["sum", "mean", "max"]


@dataclass
class Prediction:
    """All that one forward pass gives; whatever is exported together comes from one of these.

    Attributes:
        logits: (B, C).
        blobs: the partition.
        importance: (B, S), sums to 1 over the real blobs of a protein.
        codes: (B, S) code of each blob; None without a codebook.
        quantised: the codebook's lookup over (B * S) slots; None without a codebook.
    """

    logits: Tensor
    blobs: Blobs
    importance: Tensor
    codes: Tensor | None = None
    quantised: Quantised | None = None


class BioBlobs(nn.Module):
    """Proteins -> :class:`Prediction`. Without a codebook this is the model of stage 0.

    Args:
        blob_input: what the readout sees of a blob where there is a codebook: its code's vector
            ("quantised"), or its own embedding ("raw").
        pooling: how residues make the readout's query.
    """

    def __init__(
        self,
        encoder: Encoder,
        partitioner: Partitioner,
        readout: Readout,
        codebook: Codebook | None = None,
        pooling: Pooling = "mean",
        blob_input: BlobInput = "quantised",
        edge_scalars: int = 32,
    ) -> None:
        super().__init__()
        self.encoder, self.partitioner = encoder, partitioner
        self.codebook, self.readout = codebook, readout
        self.pooling: Pooling = pooling
        self.blob_input: BlobInput = blob_input
        self.edge_scalars = edge_scalars

    def forward(self, batch: ProteinBatch) -> Prediction:
        """Predict a batch (see :class:`~bioblobs.graphs.protein_batch.ProteinBatch`)."""
        return self.read(*self.partition(batch))

    def partition(self, batch: ProteinBatch) -> tuple[Tensor, Blobs]:
        """Pooled residues (B, D) and the blobs, before anything is quantised."""
        graph = build_graph(batch, self.edge_scalars)
        x = self.encoder(graph, batch.residue_types).float()  # (N, D)
        size = batch.num_proteins
        blobs = self.partitioner.partition(x, batch.edge_index, batch.batch, size, batch.longest)
        return segment_pool(x, batch.batch, size, self.pooling), blobs

    def read(self, pooled: Tensor, blobs: Blobs) -> Prediction:
        """Quantise and classify blobs that are already cut; ``pooled`` (B, D)."""
        if self.codebook is None:
            logits, importance = self.readout(pooled, blobs.embedding, blobs.mask)
            return Prediction(logits, blobs, importance)
        b, s, d = blobs.embedding.shape
        with torch.autocast(pooled.device.type, enabled=False):
            quantised = self.codebook(blobs.embedding.reshape(b * s, d), blobs.mask.reshape(-1))
        seen = blobs.embedding if self.blob_input == "raw" else quantised.vectors.view(b, s, d)
        logits, importance = self.readout(pooled, seen, blobs.mask)
        return Prediction(logits, blobs, importance, quantised.codes.view(b, s), quantised)
