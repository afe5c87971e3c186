"""Keys of the groups ``train`` and ``multistage``: how the two stages train."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from bioblobs.config.groups import NO_SHAPE, Group, Refuse
from bioblobs.config.ranges import (
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Text,
    UnitFloat,
)


@dataclass
class TrainConfig(Group):
    """Training of both stages.

    Args:
        seed: of every random choice but those of data.seed: weights, batches, Gumbel noise, k-means,
            bootstrap.
        batch_size: most proteins a batch.
        max_residues: most residues per batch; a longer protein makes a batch of its own.
        optimizer: adamw, or muon: Muon on the matrices between layers, AdamW on the rest.
        muon_rate: Muon's learning rate as a multiple of AdamW's, which is the stage's lr (muon only).
        weight_decay: of both, decoupled; biases and norms do not decay.
        warmup_epochs: epochs of linear warm-up before the cosine schedule.
        label_smoothing: of the cross-entropy (single-label tasks).
        class_weights: none, or balanced: a training protein counts inversely to the size of its class
            (single-label tasks; no effect on geneontology).
        coordinate_noise: standard deviation of noise on the coordinates of training proteins, angstrom.
        residue_mask: share of their residues whose type is hidden, drawn anew in every step.
        gradient_clip_val: largest gradient norm; 0 switches clipping off.
        choose_by: validation score that chooses a stage's epoch: score (accuracy, or Fmax where a protein may
            have several classes), or macro_recall, which gives no class up (single-label tasks; no effect on
            geneontology).
        early_stopping_patience: epochs without a better score of that kind after which to stop; null: none.
        weight_averaging: none; ema, moving average of the weights; swa, their mean over the last quarter of
            the steps. The average is what is validated and handed on.
        ema_decay: of ema (lower in the first steps).
        checkpoint_minutes: between two saves of the state within an epoch; each epoch's end is saved anyway.
        accelerator: cpu, gpu or auto.
        devices: devices of a machine; each takes batches of its own: a step sees devices x batch_size.
        num_nodes: machines (docs/several_devices.md).
        strategy: of several devices: auto or ddp, which are the same.
        precision: of Lightning's Trainer; bf16-mixed pays for wide models on processors that have it.
        recompute: make feed-forwards and messages again in the backward pass instead of keeping them: less
            memory, same result; compiled messages, those of a processor, always do.
        num_workers: processes that make batches beside the training step.
        num_threads: threads of torch; 0 leaves torch's choice. Results may differ between counts.
        logger: live view beside metrics.csv: csv (none), dvclive or tensorboard (docs/training.md).
        use_wandb: log to Weights & Biases (WANDB_MODE=offline needs no account).
        wandb_project: project of the W&B runs.
    """

    path: ClassVar[str] = "train"
    seed: NonNegativeInt = 0
    batch_size: PositiveInt = 64
    max_residues: PositiveInt = 6000
    optimizer: Literal["adamw", "muon"] = "adamw"
    muon_rate: PositiveFloat = 3.0
    weight_decay: NonNegativeFloat = 0.01
    warmup_epochs: NonNegativeFloat = 1.0
    label_smoothing: UnitFloat = 0.1
    class_weights: Literal["none", "balanced"] = "none"
    coordinate_noise: NonNegativeFloat = 0.0
    residue_mask: UnitFloat = 0.0
    gradient_clip_val: NonNegativeFloat = 1.0
    choose_by: Literal["score", "macro_recall"] = "score"
    early_stopping_patience: PositiveInt | None = None
    weight_averaging: Literal["none", "ema", "swa"] = "none"
    ema_decay: UnitFloat = 0.999
    checkpoint_minutes: PositiveFloat = field(default=15.0, metadata=NO_SHAPE)
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    devices: PositiveInt = 1
    num_nodes: PositiveInt = 1
    strategy: Literal["auto", "ddp"] = "auto"
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    recompute: bool = field(default=False, metadata=NO_SHAPE)
    num_workers: NonNegativeInt = field(default=0, metadata=NO_SHAPE)
    num_threads: NonNegativeInt = 0
    logger: Literal["csv", "dvclive", "tensorboard"] = field(default="csv", metadata=NO_SHAPE)
    use_wandb: bool = field(default=False, metadata=NO_SHAPE)
    wandb_project: Text = field(default="bioblobs", metadata=NO_SHAPE)

    def check(self) -> None:
        """Refuse impossible combinations."""
        if self.label_smoothing == 1:
            Refuse(self.path)("label_smoothing", self.label_smoothing, "below 1")
        if self.seed >= 2**32:
            Refuse(self.path)("seed", self.seed, "below 2**32")


@dataclass
class Stage0Config(Group):
    """Baseline: encoder, partitioner and readout, without the codebook.

    Args:
        epochs: passes over the training proteins.
        lr: peak learning rate.
        bypass_codebook: stage 0 has no codebook; only true is possible.
        lambda_card: weight of the cardinality loss.
    """

    path: ClassVar[str] = "multistage.stage0"
    epochs: PositiveInt = 20
    lr: PositiveFloat = 1e-4
    bypass_codebook: bool = True
    lambda_card: NonNegativeFloat = 0.01

    def check(self) -> None:
        """Refuse impossible combinations."""
        if not self.bypass_codebook:
            Refuse(self.path)(
                "bypass_codebook", False, "true: stage 0 has no codebook yet; it is trained in stage 1"
            )


@dataclass
class LossRampConfig(Group):
    """Linear rise of the VQ loss weights at the start of stage 1.

    Args:
        enabled: off: full weights from the first epoch.
        ramp_epochs: epochs until the weights are full.
    """

    path: ClassVar[str] = "multistage.stage1.loss_ramp"
    enabled: bool = True
    ramp_epochs: PositiveInt = 5


@dataclass
class Stage1Config(Group):
    """Joint fine-tuning with the codebook, from the best checkpoint of stage 0.

    Args:
        epochs: passes over the training proteins.
        lr: peak learning rate.
        kmeans_init: fill the codebook with k-means centres; off: with blobs drawn at random.
        kmeans_batches: most training batches whose blobs k-means sees.
        freeze_epochs: epochs at the end in which the codebook no longer moves.
        lambda_vq: weight of the commitment loss.
        lambda_psc: weight of the coverage (presence) loss.
        lambda_card: weight of the cardinality loss.
        lambda_ent: weight of the usage entropy loss.
        loss_ramp: ramp of lambda_vq, lambda_psc and lambda_ent.
    """

    path: ClassVar[str] = "multistage.stage1"
    epochs: PositiveInt = 20
    lr: PositiveFloat = 5e-5
    kmeans_init: bool = True
    kmeans_batches: PositiveInt = 50
    freeze_epochs: NonNegativeInt = 0
    lambda_vq: NonNegativeFloat = 1.0
    lambda_psc: NonNegativeFloat = 0.01
    lambda_card: NonNegativeFloat = 0.01
    lambda_ent: NonNegativeFloat = 0.0
    loss_ramp: LossRampConfig = field(default_factory=LossRampConfig)

    def check(self) -> None:
        """Refuse impossible combinations."""
        if self.freeze_epochs >= self.epochs:
            Refuse(self.path)(
                "freeze_epochs", self.freeze_epochs, f"below multistage.stage1.epochs ({self.epochs})"
            )


@dataclass
class MultistageConfig(Group):
    """The two training stages.

    Args:
        stage0: baseline training.
        stage1: joint fine-tuning.
    """

    path: ClassVar[str] = "multistage"
    stage0: Stage0Config = field(default_factory=Stage0Config)
    stage1: Stage1Config = field(default_factory=Stage1Config)
