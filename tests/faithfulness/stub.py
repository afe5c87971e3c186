"""A model whose prediction rests on known residues, explanations made up for it, and a small real model."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from bioblobs.checkpoints.build import build_model
from bioblobs.config.schema import ModelConfig
from bioblobs.faithfulness.chains import Chains
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.inference.explained import Explained
from bioblobs.models.bioblobs import BioBlobs
from bioblobs.store.packed import Store

SITE = [4, 5, 6, 11, 12]
"""Residues on which the stub's prediction depends, in every protein."""


class Stub:
    """Believes in class 1 the more, the more residues of ``site`` a protein has (by place in its chain)."""

    def __init__(self, site: list[int]) -> None:
        self.site = torch.tensor(site)

    def eval(self) -> Stub:
        return self

    def parameters(self) -> list[torch.Tensor]:
        """A model's device is that of its weights."""
        return [self.site]

    def __call__(self, batch: ProteinBatch) -> SimpleNamespace:
        there = torch.isin(batch.positions, self.site).double()
        count = torch.zeros(batch.num_proteins, dtype=torch.double).index_add_(0, batch.batch, there)
        logit = 2 * count - 1
        return SimpleNamespace(logits=torch.stack([torch.zeros_like(logit), logit, logit - 9], 1))


def stub_explained(
    chains: Chains,
    blobs: list[list[int]],
    importance: list[float],
    chances: Any,
    contributions: list[list[float]] | None = None,
) -> Explained:
    """The same blobs, importances and contributions (blobs, classes) in every chain; None: attention."""
    assignment = np.full(len(chains.protein), -1)
    for slot, residues in enumerate(blobs):
        assignment[np.isin(chains.position, residues)] = slot
    shape = (len(chains), 1)
    every = np.tile(np.array(chances, float), shape)
    return Explained(
        logits=np.log(every, out=np.full(every.shape, -np.inf), where=every > 0),
        chances=every,
        protein=chains.protein,
        assignment=assignment,
        seeds=np.zeros(len(assignment), bool),
        membership=np.where(assignment >= 0, 0.75, 0.0),
        importance=np.tile(np.array(importance), shape),
        mask=np.ones((len(chains), len(blobs)), bool),
        contributions=None if contributions is None else np.tile(np.array(contributions), (*shape, 1)),
    )


def made_model(store: Store, with_codebook: bool = True, seed: int = 0, **keys: object) -> BioBlobs:
    """A small model with random weights, so wide apart that blobs and classes differ."""
    torch.manual_seed(seed)
    config = ModelConfig(node_h_dim=(16, 2), edge_h_dim=(8, 1), num_layers=1, codebook_size=8, **keys)  # type: ignore[arg-type]
    return build_model(config, len(store.classes), with_codebook=with_codebook).eval()
