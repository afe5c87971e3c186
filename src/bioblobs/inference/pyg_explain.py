"""A model as torch_geometric.explain sees one: so that PyG's explainers and fidelity metrics apply to it.

    model = PyGModel(network, batch)
    explainer = blob_explainer(model, blobs=1)
    explanation = explainer(model.x, model.edge_index)
    positive, negative = torch_geometric.explain.fidelity(explainer, explanation)

Node features are not coordinates, since a structure times a mask is no structure. They are one number per
residue: how much of its blob the readout sees. Shapes: B proteins, N residues, S blob slots, C classes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.explain import Explainer, ExplainerAlgorithm, Explanation, ModelConfig
from torch_geometric.explain.config import ModelMode, ModelTaskLevel

from bioblobs.errors import BioBlobsError
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.graphs.segments import segment_sum
from bioblobs.models.bioblobs import BioBlobs
from bioblobs.models.readout import AdditiveReadout


class PyGModel(nn.Module):
    """Logits of one batch as a function of what the readout sees of each residue.

    A blob counts with the mean of ``x`` over its residues: all ones give the model's own logits, and zeros on
    a whole blob hide it from the readout, as in the stage ``faithfulness``.

    Attributes:
        x: (N, 1) ones.
        edge_index: (2, E) the partitioner's edges, which the logits do not depend on once blobs are cut.
        slot: (N,) blob of each residue, over all proteins; -1 outside every blob.
        contributions: (B * S, C) of each blob to each class.

    Raises:
        BioBlobsError: the readout does not add up, or chains may have several classes.
    """

    def __init__(self, model: BioBlobs, batch: ProteinBatch) -> None:
        super().__init__()
        readout = model.readout
        if not isinstance(readout, AdditiveReadout):
            raise BioBlobsError(
                "pyg_explain: this model's head does not add up; train with model.head=additive"
            )
        if not readout.centred:
            raise BioBlobsError(
                "pyg_explain: torch_geometric.explain has no mode for several classes per chain"
            )
        with torch.no_grad():
            made = model.eval()(batch)
        slots = made.blobs.mask.shape[1]
        inside = made.blobs.assignment >= 0
        self.slot = torch.where(inside, batch.batch * slots + made.blobs.assignment, -1)
        self.bias = readout.bias.detach().float()
        self.evidence, self.contributions = made.evidence, made.contributions.flatten(0, 1)
        self.batch, self.predicted = batch.batch, made.logits.argmax(-1)
        self.x = torch.ones(len(self.slot), 1, device=self.slot.device)
        self.edge_index = batch.edge_index.long()

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """(B, C) logits for ``x`` (N, 1)."""
        proteins, slots = self.evidence.shape[:2]
        inside = self.slot >= 0
        seen = torch.cat([x[inside], torch.ones_like(x[inside])], 1)
        total = segment_sum(seen, self.slot[inside], proteins * slots)
        weight = (total[:, 0] / total[:, 1].clamp_min(1)).view(proteins, slots, 1)
        return self.bias + (weight * self.evidence).sum(1)


class TopBlobs(ExplainerAlgorithm):
    """Select the blobs that contribute most to the predicted class: mask (N, 1), one on their residues.

    Args:
        blobs: number of blobs per protein; one that argues against the class is never selected.
    """

    def __init__(self, blobs: int = 1) -> None:
        super().__init__()
        self.blobs = blobs

    def forward(
        self, model: PyGModel, x: Tensor, edge_index: Tensor, *, target: Tensor, **kwargs: Any
    ) -> Explanation:
        """Explain the class ``target`` (B,) of each protein."""
        proteins, slots = model.evidence.shape[:2]
        own = target[:, None, None].expand(-1, slots, 1)
        value = model.contributions.view(proteins, slots, -1).gather(2, own)[..., 0]  # (B, S)
        rank = value.argsort(1, descending=True).argsort(1)
        chosen = ((rank < self.blobs) & (value > 0)).flatten()
        inside = model.slot >= 0
        return Explanation(node_mask=(inside & chosen[model.slot.clamp_min(0)]).float()[:, None])

    def supports(self) -> bool:
        """Support one class per protein."""
        config = self.model_config
        return (
            config.mode is ModelMode.multiclass_classification and config.task_level is ModelTaskLevel.graph
        )


def blob_explainer(model: PyGModel, blobs: int = 1) -> Explainer:
    """Make PyG's explainer of the model's own predictions by its top blobs."""
    return Explainer(
        model,
        algorithm=TopBlobs(blobs),
        explanation_type="model",
        node_mask_type="object",
        model_config=ModelConfig(mode="multiclass_classification", task_level="graph", return_type="raw"),
    )
