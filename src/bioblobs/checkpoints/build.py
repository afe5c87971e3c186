"""Parameters -> model."""

from __future__ import annotations

from typing import Any, Literal

from bioblobs.config.groups import CODEBOOK, NETWORK, keys_of_part
from bioblobs.config.ranges import plain
from bioblobs.config.schema import ModelConfig
from bioblobs.models.bioblobs import BioBlobs
from bioblobs.models.codebook import Codebook
from bioblobs.models.encoder import Encoder
from bioblobs.models.partitioner import Partitioner
from bioblobs.models.readout import AdditiveReadout, AttentionReadout
from bioblobs.models.selects import OtherSelect, RandomBlobs, TopResidues, WholeChain
from bioblobs.proteins.alphabet import SYMBOLS

LEARNED: Literal["learned"] = "learned"
"""The default of ``model.partition``."""
UNCUT = ("none", "topk")
"""Partitions without blobs: one encoder reads the whole chain."""


def architecture(config: ModelConfig, with_codebook: bool) -> dict[str, Any]:
    """Return the keys behind a model, as plain values that a checkpoint can hold."""
    parts = (NETWORK, CODEBOOK) if with_codebook else (NETWORK,)
    keys = {key: plain(getattr(config, key)) for key in keys_of_part(ModelConfig, *parts)}
    if keys["partition"] == LEARNED:
        del keys["partition"]  # cards written before there was a choice say the same
    elif keys["partition"] in UNCUT:
        keys["blob_view"] = "context"  # what is true of it, whatever the key says
    return keys


def build_model(
    config: ModelConfig,
    num_classes: int,
    with_codebook: bool,
    multilabel: bool = False,
    embedding_dim: int = 0,
) -> BioBlobs:
    """Build the model that the keys describe; codebook keys are read only where there is a codebook.

    Args:
        embedding_dim: width of the embeddings that the store holds (``data.embeddings``); 0: none.
    """
    alone = config.blob_view == "alone" and config.partition not in UNCUT
    wide, deep = config.node_h_dim, config.num_layers
    cut, cut_deep = (config.cut_h_dim or wide, config.cut_layers or deep) if alone else (wide, deep)

    def encoder(width: tuple[int, int], layers: int) -> Encoder:
        return Encoder(
            node_in_dim=config.node_in_dim,
            node_h_dim=width,
            edge_in_dim=config.edge_in_dim,
            edge_h_dim=config.edge_h_dim,
            num_layers=layers,
            drop_rate=config.drop_rate,
            residue_symbols=len(SYMBOLS) if config.seq_in else 0,
            norm_first=config.norm_first,
            embedding_dim=embedding_dim,
        )

    model = BioBlobs(
        encoder=encoder(cut, cut_deep),
        partitioner=_partitioner(config, cut[0]),
        readout=_readout(config, num_classes, multilabel),
        blob_encoder=encoder(wide, deep) if alone else None,
        pooling=config.pooling,
        edge_scalars=config.edge_in_dim[0],
    )
    if alone and config.partition == "random":
        model.encoder.requires_grad_(False)  # nothing reads it: random blobs are cut without it
    if with_codebook:
        add_codebook(model, config)
    return model


def _partitioner(config: ModelConfig, width: int) -> Partitioner | OtherSelect:
    slots, largest = config.max_clusters, config.cluster_size_max
    enough, k_hop = config.termination_threshold, config.k_hop
    if config.partition == "none":
        return WholeChain(largest)
    if config.partition == "topk":
        return TopResidues(width, largest)
    if config.partition == "random":
        return RandomBlobs(slots, largest, enough, k_hop)
    return Partitioner(width, slots, largest, enough, k_hop)


def _readout(config: ModelConfig, num_classes: int, multilabel: bool) -> AdditiveReadout | AttentionReadout:
    width, drop_rate = config.node_h_dim[0], config.drop_rate
    if config.head == "additive":
        return AdditiveReadout(width, num_classes, drop_rate, centred=not multilabel)
    return AttentionReadout(width, num_classes, drop_rate=drop_rate, head=config.head)


def add_codebook(model: BioBlobs, config: ModelConfig) -> Codebook:
    """Give a stage 0 model the codebook that the keys describe, and return it."""
    model.blob_input = config.blob_input
    codebook = Codebook(
        config.codebook_size,
        config.node_h_dim[0],
        distance=config.codebook_distance,
        decay=config.codebook_decay,
        eps=config.codebook_eps,
        revive_below=config.codebook_revive_below,
    )
    model.codebook = codebook
    return codebook
