"""Integrated gradients (Sundararajan et al. 2017) of the predicted class, by Captum: one score per residue.

The inputs are the scalars that a residue brings to the encoder that its blob is read by: its dihedral angles
and, where the model has it, its identity's embedding. Where blobs are read alone, that is the blob encoder,
and residues in no blob have a score of 0. The baseline is zero, which is how the graph writes "unknown" (a
chain's ends have no dihedrals). Vectors and edges stay as they are: the encoder divides vectors by their
length, so that the output jumps where they shrink to zero, and a path through that point would miss it.

Which residues make a blob is discrete and has no gradient, so the partition of the whole chain is held fixed
on the path; blobs are the means of their members. A codebook's lookup passes the gradient straight through.
What is attributed is the log of the probability; a residue's score is the signed sum over its features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from captum.attr import IntegratedGradients
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from bioblobs.faithfulness.chains import Chains
from bioblobs.graphs.blob_batch import blob_batch
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.graphs.residue_graph import ResidueGraph, build_graph
from bioblobs.graphs.segments import segment_pool
from bioblobs.inference.device import device_of
from bioblobs.inference.explained import Floats
from bioblobs.models.bioblobs import BioBlobs
from bioblobs.models.partitioner import Blobs

LogChance = Callable[[Tensor], Tensor]
"""Scalars (n, f) of a batch's residues -> (b,) log probability of their class."""


class Embedded(NamedTuple):
    """Embedded residues, from which the readout's inputs are made."""

    pooled: Tensor  # (n, D) those that are pooled
    protein: Tensor  # (n,) protein of each
    members: Tensor  # (m, D) those in a blob
    blob: Tensor  # (m,) blob of each, numbered through the batch


def integrated_gradients(
    model: BioBlobs, chains: Chains, target: NDArray[np.int64], steps: int
) -> tuple[Floats, Floats]:
    """Scores (N,), and how far they are from complete, (P,).

    By completeness a chain's scores sum to the difference of the outputs at input and baseline; the second
    result is the sum less that difference. It vanishes with many steps, except where a codebook rounds.

    Args:
        target: (P,) class.
        steps: points of the Gauss-Legendre rule.
    """
    device = device_of(model)
    scores, gaps, done = [], [], 0
    with _frozen(model):
        for batch in (each.to(device) for each in chains.batches()):
            chosen = torch.from_numpy(target[done : done + batch.num_proteins]).to(device)
            done += batch.num_proteins
            score, gap = attribute(*log_chance(model, batch, chosen, chains.store.multilabel), batch, steps)
            scores.append(score.double().cpu().numpy())
            gaps.append(gap.double().cpu().numpy())
    return np.concatenate(scores), np.concatenate(gaps)


def attribute(output: LogChance, scalars: Tensor, batch: ProteinBatch, steps: int) -> tuple[Tensor, Tensor]:
    """Scores (n,) and completeness gaps (b,) of one batch."""
    # Chains do not see one another, so the gradient of the sum over the batch is each chain's own. Captum
    # takes the rows of the inputs for examples; as many a call as there are makes one step at a time.
    parts = IntegratedGradients(output).attribute(
        scalars, n_steps=steps, method="gausslegendre", internal_batch_size=len(scalars)
    )
    score = parts.sum(1)
    with torch.no_grad():
        difference = output(scalars) - output(torch.zeros_like(scalars))
    total = score.new_zeros(batch.num_proteins, dtype=torch.float).index_add_(0, batch.batch, score.float())
    return score.detach(), total - difference


def log_chance(
    model: BioBlobs, batch: ProteinBatch, target: Tensor, multilabel: bool
) -> tuple[LogChance, Tensor]:
    """The log probability as a function of the residues' scalars, the partition fixed; and the scalars."""
    graph = build_graph(batch, model.edge_scalars)
    with torch.no_grad():
        _, blobs = model.partition(batch)
        scalars = (model.blob_encoder or model.encoder).scalars(graph, batch.residue_types, batch.embeddings)
    size, slots = blobs.mask.shape
    embed = _embedding(model, batch, graph, blobs)

    def output(node_s: Tensor) -> Tensor:
        x = embed(node_s)
        means = segment_pool(x.members, x.blob, size * slots, "mean")
        pooled = segment_pool(x.pooled, x.protein, size, model.pooling)
        logits = model.read(pooled, replace(blobs, embedding=means.view(size, slots, -1))).logits
        logs = F.logsigmoid(logits) if multilabel else logits.log_softmax(-1)
        return logs.gather(1, target[:, None])[:, 0]

    return output, scalars


def _embedding(
    model: BioBlobs, batch: ProteinBatch, graph: ResidueGraph, blobs: Blobs
) -> Callable[[Tensor], Embedded]:
    """Embed residues by the encoder that reads blobs, with the partition held."""
    slots = blobs.mask.shape[1]
    encoder = model.blob_encoder
    if encoder is None:
        member = (blobs.assignment >= 0).nonzero().squeeze(-1)
        blob = batch.batch[member] * slots + blobs.assignment[member]

        def in_context(node_s: Tensor) -> Embedded:
            x = model.encoder.embed(node_s, graph.node_v, graph)
            return Embedded(x, batch.batch, x.index_select(0, member), blob)

        return in_context
    alone, rows = blob_batch(batch, blobs.assignment, slots, model.partitioner.cluster_size_max)
    nodes = graph.node_s.index_select(0, rows), graph.node_v.index_select(1, rows)
    small, protein = build_graph(alone, model.edge_scalars, nodes), batch.batch.index_select(0, rows)

    def by_itself(node_s: Tensor) -> Embedded:
        y = encoder.embed(node_s.index_select(0, rows), small.node_v, small)
        return Embedded(y, protein, y, alone.batch)

    return by_itself


@contextmanager
def _frozen(model: BioBlobs) -> Iterator[None]:
    """Switch off gradients of the weights, and their cost, inside the block."""
    wanted = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in wanted:
        parameter.requires_grad_(False)
    model.eval()
    try:
        yield
    finally:
        for parameter in wanted:
            parameter.requires_grad_(True)
