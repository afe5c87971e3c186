"""The whole model: encoders, partitioner, codebook, readout.

Shapes: B proteins, N residues (flat), n residues in blobs, S blob slots, K codes, D width, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from bioblobs.graphs.blob_batch import blob_batch
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.graphs.residue_graph import ResidueGraph, build_graph
from bioblobs.graphs.segments import segment_pool, segment_sum
from bioblobs.models.codebook import Codebook, Quantised
from bioblobs.models.encoder import Encoder
from bioblobs.models.partitioner import Blobs, Partitioner
from bioblobs.models.readout import AdditiveReadout, AttentionReadout, Reading
from bioblobs.models.selects import OtherSelect

BlobInput = Literal["quantised", "raw"]
Pooling = Literal["sum", "mean", "max"]


@dataclass
class Prediction:
    """Result of one forward pass; everything exported together comes from one of these.

    Attributes:
        logits: (B, C).
        blobs: the partition.
        importance: (B, S) as the readout defines it; 0 on slots without a blob.
        evidence: (B, S, C) added to the logits by each blob; None with an attention readout.
        contributions: (B, S, C) evidence less what all classes share, as the readout defines it.
        codes: (B, S) code of each blob; None without a codebook.
        quantised: the codebook's lookup over (B * S) slots; None without a codebook.
    """

    logits: Tensor
    blobs: Blobs
    importance: Tensor
    evidence: Tensor | None = None
    contributions: Tensor | None = None
    codes: Tensor | None = None
    quantised: Quantised | None = None


class BioBlobs(nn.Module):
    """Proteins -> :class:`Prediction`. Without a codebook this is the model of stage 0.

    Args:
        encoder: embeds the residues that the partitioner cuts into blobs.
        blob_encoder: embeds the residues of each blob alone, as if it were a protein of its own; None: a
            blob's embedding is made of the encoder's, which have seen the whole protein.
        blob_input: input of the readout where there is a codebook: the code's vector ("quantised"), or the
            blob's own embedding ("raw").
        pooling: reduction of the residues to the query of an attention readout.
    """

    def __init__(
        self,
        encoder: Encoder,
        partitioner: Partitioner | OtherSelect,
        readout: AdditiveReadout | AttentionReadout,
        blob_encoder: Encoder | None = None,
        codebook: Codebook | None = None,
        pooling: Pooling = "mean",
        blob_input: BlobInput = "quantised",
        edge_scalars: int = 32,
    ) -> None:
        super().__init__()
        self.encoder, self.partitioner = encoder, partitioner
        self.blob_encoder = blob_encoder
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
        x = self.encoder(graph, batch.residue_types, batch.embeddings).float()  # (N, width of the encoder)
        size = batch.num_proteins
        blobs = self.partitioner.partition(x, batch.edge_index, batch.batch, size, batch.longest)
        if self.blob_encoder is None:
            return segment_pool(x, batch.batch, size, self.pooling), blobs
        return self.embed_alone(batch, graph, blobs, self.blob_encoder)

    def embed_alone(
        self, batch: ProteinBatch, graph: ResidueGraph, blobs: Blobs, encoder: Encoder
    ) -> tuple[Tensor, Blobs]:
        """Pool residues, and embed each blob as if nothing else existed (algorithm, section 4a).

        A residue keeps its own angles and directions; neighbours and edges are those within its blob.
        The embedding is the mean over members; backward it also reaches their soft membership.
        """
        size, slots = blobs.mask.shape
        alone, rows = blob_batch(batch, blobs.assignment, slots, self.partitioner.cluster_size_max)
        nodes = graph.node_s.index_select(0, rows), graph.node_v.index_select(1, rows)
        inside = build_graph(alone, self.edge_scalars, nodes)
        y = encoder(inside, alone.residue_types, alone.embeddings).float()  # (n, D)
        weight = 1 + blobs.soft.index_select(0, rows)  # (n,) one, with the gradient of the soft membership
        total = segment_sum(torch.cat([y * weight[:, None], weight[:, None]], 1), alone.batch, size * slots)
        embedding = total[:, :-1] / total[:, -1:].clamp_min(1)  # empty slots stay zero
        pooled = segment_pool(y, batch.batch.index_select(0, rows), size, self.pooling)
        return pooled, replace(blobs, embedding=embedding.view(size, slots, -1))

    def read(self, pooled: Tensor, blobs: Blobs) -> Prediction:
        """Quantise and classify blobs that are already cut; ``pooled`` (B, D)."""
        if self.codebook is None:
            return self._read_out(pooled, blobs.embedding, blobs)
        b, s, d = blobs.embedding.shape
        with torch.autocast(pooled.device.type, enabled=False):
            quantised = self.codebook(blobs.embedding.reshape(b * s, d), blobs.mask.reshape(-1))
        seen = blobs.embedding if self.blob_input == "raw" else quantised.vectors.view(b, s, d)
        made = self._read_out(pooled, seen, blobs)
        return replace(made, codes=quantised.codes.view(b, s), quantised=quantised)

    def _read_out(self, pooled: Tensor, seen: Tensor, blobs: Blobs) -> Prediction:
        reading: Reading = self.readout(pooled, seen, blobs.mask)
        return Prediction(blobs=blobs, **reading._asdict())

    @torch.no_grad()
    def scorecard(self) -> Tensor | None:
        """(K, C) contribution of each code to each class; None where predictions are no sum of rows."""
        readout = self._additive
        if self.codebook is None or self.blob_input != "quantised" or readout is None:
            return None
        return readout.contributions(readout.evidence(self.codebook.vectors))

    @torch.no_grad()
    def base(self) -> Tensor | None:
        """(C,) bias on the scale of the contributions; None with an attention readout."""
        readout = self._additive
        return None if readout is None else readout.contributions(readout.bias.detach())

    @property
    def _additive(self) -> AdditiveReadout | None:
        return self.readout if isinstance(self.readout, AdditiveReadout) else None
