"""A tiny untrained model as a checkpoint file: tests look at what it says, not at how well it does."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch

from bioblobs.checkpoints.build import architecture, build_model
from bioblobs.checkpoints.file import FORMAT, write_checkpoint
from bioblobs.config.schema import ModelConfig
from bioblobs.models.readout import AdditiveReadout

CLASSES = ["c0", "c1", "c2"]
NAMES = ["all helix", "all strand", "neither"]


def tiny_checkpoint(
    path: Path,
    multilabel: bool = False,
    with_codebook: bool = True,
    head: Literal["additive", "full", "blobs"] = "additive",
    blob_view: Literal["alone", "context"] = "alone",
    **card: Any,
) -> Path:
    """Write it; ``card`` adds to its card, and ``classes`` there makes a model of other classes."""
    classes = card.get("classes", CLASSES)
    torch.manual_seed(0)
    config = ModelConfig(
        node_h_dim=(8, 2),
        edge_h_dim=(4, 1),
        num_layers=1,
        codebook_size=16,
        max_clusters=4,
        cluster_size_max=6,
        head=head,
        blob_view=blob_view,
    )
    model = build_model(config, len(classes), with_codebook, multilabel)
    if isinstance(model.readout, AdditiveReadout):  # it begins at zero
        with torch.no_grad():
            model.readout.bias.copy_(torch.linspace(0.3, -0.2, len(classes)))
    content = {
        "format": FORMAT,
        "stage": int(with_codebook),
        "architecture": architecture(config, with_codebook),
        "with_codebook": with_codebook,
        "task": "scop",
        "multilabel": multilabel,
        "classes": CLASSES,
        "class_names": NAMES,
        "split_column": "random_split",
        "data": {"source": "sample", "max_length": 40, "edge_types": "knn_6"},
        "epoch": 1,
        "seed": 0,
        "validation": {"val_acc": 0.5},
        **card,
    }
    write_checkpoint(path, model, content)
    return path
