"""This repository, behind the same calls as :mod:`benchmarks.public`."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bioblobs.checkpoints.build import build_model
from bioblobs.config.schema import ModelConfig
from bioblobs.graphs.neighbours import mutual_edges, neighbour_lists
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.graphs.residue_graph import build_graph
from bioblobs.models.bioblobs import BioBlobs
from bioblobs.proteins.alphabet import encode
from bioblobs.store.batches import make_batch
from bioblobs.training.losses import LossWeights, loss_terms

Stored = tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.int32], NDArray[np.bool_]]
"""A protein as the prepared store holds it: coordinates, residue types, neighbour lists, mutual edges."""
WEIGHTS = LossWeights(card=0.01, vq=1.0, psc=0.01)


class OurImplementation:
    """See :class:`benchmarks.public.PublicImplementation`, whose calls these are."""

    def stored(self, backbone: NDArray[np.float32], sequence: str, k: int) -> Stored:
        """Stored form of a protein, made once per data set, not per epoch."""
        self.edge_types = f"knn_{k}"
        lists = neighbour_lists(backbone[:, 1], self.edge_types)
        return backbone, encode(sequence), lists, mutual_edges(lists)

    def batch(self, proteins: list[Stored]) -> ProteinBatch:
        """Collate, as the data loader does."""
        lengths = np.array([len(protein[0]) for protein in proteins])
        coordinates, types, lists, mutual = (np.concatenate(part) for part in zip(*proteins, strict=True))
        positions = np.concatenate([np.arange(length) for length in lengths])
        none, rows = torch.zeros(len(proteins), dtype=torch.long), torch.arange(len(proteins))
        return make_batch(coordinates, types, positions, lists, mutual, lengths, none, rows, self.edge_types)

    def featurise(self, batch: ProteinBatch) -> Any:
        """Features of a whole batch, which the model makes at the start of its forward pass."""
        return build_graph(batch)

    def model(
        self,
        node_h_dim: tuple[int, int],
        edge_h_dim: tuple[int, int],
        num_layers: int,
        num_classes: int,
        max_clusters: int,
        codebook_size: int,
        **others: Any,
    ) -> BioBlobs:
        """A model of these sizes, without residue identity and attention in context, as the public one."""
        config = ModelConfig(
            node_h_dim=node_h_dim,
            edge_h_dim=edge_h_dim,
            num_layers=num_layers,
            max_clusters=max_clusters,
            codebook_size=codebook_size,
            **{
                "seq_in": False,
                "pooling": "sum",
                "k_hop": 1,
                "head": "full",
                "blob_view": "context",
                **others,
            },
        )
        return build_model(config, num_classes, with_codebook=True)

    def loss(self, model: nn.Module, batch: ProteinBatch, labels: Tensor) -> Tensor:
        """All losses of a step of stage 1: more terms than the public step adds up."""
        return loss_terms(model(batch), labels, WEIGHTS, 1.0, 10.0, 0.1)["loss"]

    def encode(self, model: BioBlobs, batch: Any) -> Tensor:
        """Residue embeddings (N, D), features included."""
        graph = build_graph(batch, model.edge_scalars)
        embeddings: Tensor = model.encoder(graph, batch.residue_types)
        return embeddings

    def partition(self, model: BioBlobs, x: Tensor, batch: ProteinBatch) -> tuple[Tensor, Tensor]:
        """Blob embeddings (B, S, D) and sizes (B, S)."""
        made = model.partitioner.partition(
            x, batch.edge_index, batch.batch, batch.num_proteins, batch.longest
        )
        return made.embedding, made.size

    def predict(self, model: nn.Module, batch: ProteinBatch) -> Tensor:
        """Logits (B, C) in evaluation mode, without gradients."""
        model.eval()
        with torch.no_grad():
            logits: Tensor = model(batch).logits
        return logits
