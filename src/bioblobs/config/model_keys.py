"""Keys of the group ``model``: the architecture."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from bioblobs.config.groups import CODEBOOK, CODEBOOK_LOSS, NETWORK, Group, Refuse
from bioblobs.config.ranges import (
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    UnitFloat,
)


@dataclass
class ModelConfig(Group):
    """The architecture.

    Args:
        node_in_dim: residue features (scalars, vectors); only [6, 3] is what the graph has.
        node_h_dim: width of the residue representation; 4 divides the first where the head is attention.
        edge_in_dim: edge features; the scalars (even) are half radial basis, half sequence offset.
        edge_h_dim: width of the edge representation.
        num_layers: GVP layers.
        drop_rate: dropout of the encoder and the classifier.
        norm_first: normalise before each branch of a layer (else after its sum, as published).
        seq_in: give the encoder the residue identity.
        max_clusters: most blobs per protein.
        cluster_size_max: most residues per blob.
        termination_threshold: a protein stops once this share of its residues is covered.
        k_hop: radius of a blob, in edges from its seed.
        cluster_size_prior: blob size that the cardinality loss pulls the expected size toward.
        tau_init: temperature of seed choice and membership at the first epoch.
        tau_min: lowest temperature.
        tau_decay: tau = max(tau_min, tau_init * tau_decay ** epoch), epochs counted over both stages.
        pooling: how residues make the query of an attention head (full, blobs); no effect with additive.
        head: additive: each blob gives every class evidence, which adds up to the logits; full, blobs:
            attention over the blobs, with or without the pooled residues beside it.
        blob_view: alone: a second encoder reads each blob as a protein of its own; context: a blob is the
            mean of what the first encoder, which saw the whole protein, says of its residues.
        cut_h_dim: width of the encoder that only cuts (blob_view alone; no effect with context); null:
            node_h_dim.
        cut_layers: its GVP layers (no effect with context); null: num_layers.
        partition: learned; for comparison (`make baselines`) random: connected blobs grown at random; none,
            topk: no blobs, the whole chain or the residues that TopKPooling selects is read as one (then
            blob_view, cut_h_dim and cut_layers have no effect).
        blob_input: what the readout sees of a blob in stage 1: its code's vector, or the raw embedding.
        codebook_size: number of codes.
        codebook_beta: weight of the commitment loss.
        codebook_decay: decay of the moving averages that codes follow.
        codebook_eps: Laplace smoothing of the code counts.
        codebook_distance: l2 or cos.
        codebook_revive_below: a code used less than this share of the even usage is restarted.
        psc_temp: temperature of the soft assignment of blobs to codes.
    """

    path: ClassVar[str] = "model"
    node_in_dim: tuple[NonNegativeInt, NonNegativeInt] = field(default=(6, 3), metadata=NETWORK)
    node_h_dim: tuple[PositiveInt, PositiveInt] = field(default=(100, 16), metadata=NETWORK)
    edge_in_dim: tuple[PositiveInt, NonNegativeInt] = field(default=(32, 1), metadata=NETWORK)
    edge_h_dim: tuple[PositiveInt, PositiveInt] = field(default=(32, 1), metadata=NETWORK)
    num_layers: PositiveInt = field(default=3, metadata=NETWORK)
    drop_rate: UnitFloat = field(default=0.1, metadata=NETWORK)
    norm_first: bool = field(default=True, metadata=NETWORK)
    seq_in: bool = field(default=True, metadata=NETWORK)
    max_clusters: PositiveInt = field(default=10, metadata=NETWORK)
    cluster_size_max: PositiveInt = field(default=15, metadata=NETWORK)
    termination_threshold: UnitFloat = field(default=0.95, metadata=NETWORK)
    k_hop: PositiveInt = field(default=2, metadata=NETWORK)
    cluster_size_prior: PositiveFloat = 10.0
    tau_init: PositiveFloat = 1.0
    tau_min: PositiveFloat = 0.1
    tau_decay: UnitFloat = 0.95
    pooling: Literal["sum", "mean", "max"] = field(default="mean", metadata=NETWORK)
    head: Literal["additive", "full", "blobs"] = field(default="additive", metadata=NETWORK)
    blob_view: Literal["alone", "context"] = field(default="alone", metadata=NETWORK)
    cut_h_dim: tuple[PositiveInt, PositiveInt] | None = field(default=None, metadata=NETWORK)
    cut_layers: PositiveInt | None = field(default=None, metadata=NETWORK)
    partition: Literal["learned", "random", "none", "topk"] = field(default="learned", metadata=NETWORK)
    blob_input: Literal["quantised", "raw"] = field(default="quantised", metadata=CODEBOOK)
    codebook_size: PositiveInt = field(default=512, metadata=CODEBOOK)
    codebook_beta: NonNegativeFloat = field(default=0.25, metadata=CODEBOOK_LOSS)
    codebook_distance: Literal["l2", "cos"] = field(default="l2", metadata=CODEBOOK)
    codebook_decay: UnitFloat = field(default=0.99, metadata=CODEBOOK)
    codebook_eps: PositiveFloat = field(default=1e-5, metadata=CODEBOOK)
    codebook_revive_below: UnitFloat = field(default=0.05, metadata=CODEBOOK)
    psc_temp: PositiveFloat = field(default=0.1, metadata=CODEBOOK_LOSS)

    def check(self) -> None:
        """Refuse impossible combinations."""
        refuse = Refuse(self.path)
        if tuple(self.node_in_dim) != (6, 3):
            refuse("node_in_dim", self.node_in_dim, "[6, 3], the features of the residue graph")
        if self.edge_in_dim[0] % 2 or self.edge_in_dim[1] != 1:
            refuse("edge_in_dim", self.edge_in_dim, "[e, 1] with e even")
        if self.head != "additive" and self.node_h_dim[0] % 4:
            refuse("node_h_dim", self.node_h_dim, "a first number that 4 attention heads divide")
        if self.codebook_revive_below == 0:
            refuse("codebook_revive_below", 0, "above 0: a code that is never restarted fades to zero")
        if self.drop_rate == 1:
            refuse("drop_rate", self.drop_rate, "below 1")
