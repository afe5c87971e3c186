"""Parameters -> model."""

from __future__ import annotations

from typing import Any

from bioblobs.models.bioblobs import BioBlobs
from bioblobs.models.codebook import Codebook
from bioblobs.models.encoder import Encoder
from bioblobs.models.partitioner import Partitioner
from bioblobs.models.readout import Readout
from bioblobs.parameters.parsing import plain
from bioblobs.parameters.schema import ModelConfig
from bioblobs.proteins.alphabet import SYMBOLS

ARCHITECTURE_KEYS = (
    "node_in_dim",
    "node_h_dim",
    "edge_in_dim",
    "edge_h_dim",
    "num_layers",
    "drop_rate",
    "norm_first",
    "seq_in",
    "max_clusters",
    "cluster_size_max",
    "termination_threshold",
    "k_hop",
    "pooling",
    "head",
)
"""Model keys that shape stage 0's network; a checkpoint of other values does not fit."""
CODEBOOK_KEYS = (
    "blob_input",
    "codebook_size",
    "codebook_distance",
    "codebook_decay",
    "codebook_eps",
    "codebook_revive_below",
)
"""Model keys that only a model with a codebook has."""


def architecture(config: ModelConfig, with_codebook: bool) -> dict[str, Any]:
    """The keys behind a model, as plain values that a checkpoint can hold."""
    keys = ARCHITECTURE_KEYS + (CODEBOOK_KEYS if with_codebook else ())
    return {key: plain(getattr(config, key)) for key in keys}


def build_model(config: ModelConfig, num_classes: int, with_codebook: bool) -> BioBlobs:
    """The model that the keys describe; codebook keys are read only where there is a codebook."""
    dim = config.node_h_dim[0]
    model = BioBlobs(
        encoder=Encoder(
            node_in_dim=config.node_in_dim,
            node_h_dim=config.node_h_dim,
            edge_in_dim=config.edge_in_dim,
            edge_h_dim=config.edge_h_dim,
            num_layers=config.num_layers,
            drop_rate=config.drop_rate,
            residue_symbols=len(SYMBOLS) if config.seq_in else 0,
            norm_first=config.norm_first,
        ),
        partitioner=Partitioner(
            in_channels=dim,
            max_clusters=config.max_clusters,
            cluster_size_max=config.cluster_size_max,
            termination_threshold=config.termination_threshold,
            k_hop=config.k_hop,
        ),
        readout=Readout(dim, num_classes, drop_rate=config.drop_rate, head=config.head),
        pooling=config.pooling,
        edge_scalars=config.edge_in_dim[0],
    )
    if with_codebook:
        add_codebook(model, config)
    return model


def add_codebook(model: BioBlobs, config: ModelConfig) -> None:
    """Give a stage 0 model the codebook that the keys describe."""
    model.blob_input = config.blob_input
    model.codebook = Codebook(
        config.codebook_size,
        config.node_h_dim[0],
        distance=config.codebook_distance,
        decay=config.codebook_decay,
        eps=config.codebook_eps,
        revive_below=config.codebook_revive_below,
    )
