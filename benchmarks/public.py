"""Calls into a checkout of the method's public implementation, so that both can be timed on the same input.

The checkout is github.com/OliverLaboratory/BioBlobs, at the last commits with `bioblobs_model.py` at its
root (684a2c4; its partitioner is of 61f5648, its data set of 47364ea, its configuration of c51c5a2), with
the package `gvp` of github.com/drorlab/gvp-pytorch in it or installed. Nothing of it is copied here: each
method below calls its functions, in the order in which its training calls them.
"""

import importlib
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from omegaconf import OmegaConf
from torch import Tensor, nn
from torch_geometric.data import Batch
from torch_geometric.utils import to_dense_batch

CONFIG = Path("conf") / "config_bioblobs_multistage.yaml"


def nearest_neighbours(x: Tensor, k: int) -> Tensor:
    """Stand in for `torch_cluster.knn_graph` of one protein: x (N, 3) -> edges (2, N * k).

    From neighbour to centre, by `torch.cdist`; no self-loops, fewer than k edges a residue where N <= k.
    """
    distance = torch.cdist(x, x).nan_to_num(nan=torch.inf).fill_diagonal_(torch.inf)
    near = distance.topk(min(k, len(x) - 1), largest=False).indices
    centre = torch.arange(len(x), device=x.device).repeat_interleave(near.shape[1])
    return torch.stack([near.reshape(-1), centre])


def provide_torch_cluster() -> None:
    """Put `nearest_neighbours` where the checkout looks for torch-cluster, unless that is installed."""
    try:
        importlib.import_module("torch_cluster")
    except ImportError:
        stand_in = types.ModuleType("torch_cluster")
        stand_in.knn_graph = nearest_neighbours  # type: ignore[attr-defined]
        sys.modules["torch_cluster"] = stand_in


class PublicImplementation:
    """The public implementation's featuriser, model, losses and optimiser, as its training script uses them.

    `checkout` is its folder. Raises FileNotFoundError where its configuration is not there.
    """

    def __init__(self, checkout: Path) -> None:
        self.config: Any = OmegaConf.to_container(OmegaConf.load(checkout / CONFIG))
        provide_torch_cluster()
        sys.path.insert(0, str(checkout.resolve()))
        self._dataset = importlib.import_module("utils.proteinshake_dataset").ProteinClassificationDataset
        self._model = importlib.import_module("bioblobs_model").BioBlobsModel

    def graph(self, backbone: NDArray[np.float32], sequence: str, k: int) -> object:
        """Featurise one protein as an item of its data set: backbone (L, 4, 3) N, CA, C, O in angstrom.

        Its data set holds nested lists, not an array, and featurises again each epoch; an array is faster.
        """
        residues = list(range(len(sequence)))
        protein = {"name": "", "seq": sequence, "coords": backbone.copy(), "label": 0, "resnum": residues}
        return self._dataset([protein], num_classes=1, top_k=k)[0]

    def batch(self, graphs: list[object]) -> object:
        """Collate graphs as its loader (PyG's DataLoader) does."""
        return Batch.from_data_list(graphs)

    def model(
        self,
        node_h_dim: tuple[int, int],
        edge_h_dim: tuple[int, int],
        num_layers: int,
        num_classes: int,
        max_clusters: int,
        codebook_size: int,
        **others: Any,
    ) -> nn.Module:
        """Build its model with these sizes and `others` (`k_hop`, ...); the rest as configured."""
        sizes = {"node_h_dim": node_h_dim, "edge_h_dim": edge_h_dim, "num_layers": num_layers}
        counts = {"num_classes": num_classes, "max_clusters": max_clusters, "codebook_size": codebook_size}
        return self._model(**{**self.config["model"], **sizes, **counts, **others})

    def loss(self, model: nn.Module, batch: Any, labels: Tensor, stage: int = 1) -> Tensor:
        """Loss of one training step: cross-entropy of labels (B,), and from stage 1 on its codebook loss.

        That is the whole of its training step: its coverage and cardinality losses and all its loss weights
        are in `compute_total_loss`, which its training never calls. Stage 0 goes around the codebook.
        """
        if stage == 0:
            return nn.functional.cross_entropy(self._without_codebook(model, batch), labels)
        logits, _, extra = self._forward(model, batch)
        return nn.functional.cross_entropy(logits, labels) + extra["vq_loss"]

    def encode(self, model: Any, batch: Any) -> Tensor:
        """Residue embeddings (N, D) of its GVP encoder, without partitioner, codebook and classifier."""
        scalar = batch.node_s
        if model.seq_in:
            scalar = torch.cat([scalar, model.sequence_embedding(batch.seq)], dim=-1)
        nodes = model.node_encoder((scalar, batch.node_v))
        edges = model.edge_encoder((batch.edge_s, batch.edge_v))
        for layer in model.gvp_layers:
            nodes = layer(nodes, batch.edge_index, edges)
        return model.output_projection(nodes)

    def partition(self, model: Any, x: Tensor, batch: Any) -> tuple[Tensor, Tensor]:
        """Blob embeddings (B, S, D) and assignment (B, N, max_clusters) of residue embeddings x (N, D).

        S is smaller than max_clusters where all proteins are covered before. Random in evaluation too.
        """
        dense, mask = to_dense_batch(x, batch.batch)
        index, _ = to_dense_batch(torch.arange(len(x), device=x.device), batch.batch)
        edges = {"edge_index": batch.edge_index, "batch_vec": batch.batch, "dense_index": index}
        return model.partitioner(dense, None, mask, **edges)

    def predict(self, model: nn.Module, batch: Any) -> Tensor:
        """Logits (B, C) in evaluation mode, without gradients. Its seeds stay random there: no two alike."""
        model.eval()
        with torch.no_grad():
            return self._forward(model, batch)[0]

    def optimizer(self, model: nn.Module, stage: int = 0) -> torch.optim.Optimizer:
        """Adam at its configuration's rate for that stage, of two: 0 baseline, 1 joint with codebook."""
        return torch.optim.Adam(model.parameters(), lr=float(self.config["train"][f"stage{stage}"]["lr"]))

    def _forward(self, model: nn.Module, batch: Any) -> tuple[Tensor, Tensor, dict[str, Any]]:
        """Logits (B, C), assignment (B, N, S) and what its losses need, by its own forward pass."""
        nodes, edges = (batch.node_s, batch.node_v), (batch.edge_s, batch.edge_v)
        return model(nodes, batch.edge_index, edges, batch.seq if model.seq_in else None, batch.batch)

    def _without_codebook(self, model: Any, batch: Any) -> Tensor:
        """Logits (B, C) as stage 0 computes them."""
        x = self.encode(model, batch)
        blobs, assignment = self.partition(model, x, batch)
        pooled = model._pool_nodes(x, batch.batch)
        summary, *_ = model.global_cluster_attn(pooled, blobs, assignment.sum(dim=1) > 0)
        return model.classifier(model.fw_gate(pooled, summary)[0])
