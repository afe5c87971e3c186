"""Every parameter of the project: the schema of params.yaml, and of every command line.

One class a group; the class docstrings are what ``--help`` shows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Literal, NoReturn

from bioblobs.config.ranges import (
    EdgeTypes,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    UnitFloat,
    plain,
)
from bioblobs.config.reads import Group, unrecorded
from bioblobs.errors import BioBlobsError

DatasetName = Literal["enzymecommission", "geneontology", "proteinfamily", "scop"]
Split = Literal["random", "sequence", "structure"]
SHAKE_THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""ProteinShake's thresholds; a file may lack some (docs/data.md), which its columns tell."""


@dataclass
class DataConfig(Group):
    """Which proteins, labelled how and split how.

    Args:
        source: where the proteins come from: the embedded sample, ProteinShake's data sets, or a folder of
            your own structure files (data.folder, data.table; not data_dir).
        dataset_name: the task.
        ec_level: EC fields predicted: 1, the class (2), to 4, all (2.7.7.4) (enzymecommission only).
        scop_level: level of the SCOP hierarchy that is predicted (scop only).
        split: which published split column assigns train, val and test.
        split_similarity_threshold: highest similarity between train and test (not for random).
        split_fractions: shares of train, val and test in a split that is made here (docs/splits.md).
        data_dir: folder that holds sample/ and ProteinShake's files.
        folder: folder of PDB and mmCIF files, searched with the folders in it (source folder only).
        table: CSV or TSV in that folder, with the columns file, label (several: a|b) and, where needed,
            chain and split; null: labels.csv or labels.tsv.
        min_class_size: leave out classes with fewer chains (of all splits); null: 5, 50 for geneontology.
        subset: keep about this many chains, stratified by split and class; null: all.
        max_length: leave out longer chains (residues); null: none.
        edge_types: knn_K, edges from the K nearest C-alphas; eps_R, from all within R angstrom.
        seed: of what preparation draws: a subset, and splits that are made here.
        workers: processes that prepare data; 0: one a core. The store is the same for any number.
    """

    path: ClassVar[str] = "data"
    source: Literal["sample", "proteinshake", "folder"] = "sample"
    dataset_name: DatasetName = "scop"
    ec_level: Literal[1, 2, 3, 4] = 1
    scop_level: Literal["class", "fold", "superfamily", "family"] = "class"
    split: Split = "structure"
    split_similarity_threshold: UnitFloat = 0.7
    split_fractions: tuple[UnitFloat, UnitFloat, UnitFloat] = (0.8, 0.1, 0.1)
    data_dir: str = "./data"
    folder: str = "data/structures"
    table: str | None = None
    min_class_size: PositiveInt | None = None
    subset: PositiveInt | None = None
    max_length: PositiveInt | None = None
    edge_types: EdgeTypes = "knn_30"
    seed: NonNegativeInt = 0
    workers: NonNegativeInt = 0

    def check(self) -> None:
        """See :meth:`Group.check`."""
        refuse, shares = _Refuse(self.path), tuple(self.split_fractions)
        if min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:
            refuse("split_fractions", list(shares), "shares of train, val and test, above 0, that sum to 1")
        threshold = self.split_similarity_threshold
        if self.source == "proteinshake" and self.split != "random" and threshold not in SHAKE_THRESHOLDS:
            published = ", ".join(f"{each:g}" for each in SHAKE_THRESHOLDS)
            refuse("split_similarity_threshold", threshold, f"one of {published} (ProteinShake's)")

    def identity(self) -> dict[str, Any]:
        """Everything that shapes a store: all keys but the place of the files and the number of processes."""
        names = [item.name for item in fields(self) if item.name not in ("data_dir", "workers")]
        with unrecorded():  # comparing a store with the keys is no use of them
            return {name: plain(getattr(self, name)) for name in names}


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
        max_clusters: most blobs a protein.
        cluster_size_max: most residues a blob.
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
    node_in_dim: tuple[NonNegativeInt, NonNegativeInt] = (6, 3)
    node_h_dim: tuple[PositiveInt, PositiveInt] = (100, 16)
    edge_in_dim: tuple[PositiveInt, NonNegativeInt] = (32, 1)
    edge_h_dim: tuple[PositiveInt, PositiveInt] = (32, 1)
    num_layers: PositiveInt = 3
    drop_rate: UnitFloat = 0.1
    norm_first: bool = True
    seq_in: bool = True
    max_clusters: PositiveInt = 10
    cluster_size_max: PositiveInt = 15
    termination_threshold: UnitFloat = 0.95
    k_hop: PositiveInt = 2
    cluster_size_prior: PositiveFloat = 10.0
    tau_init: PositiveFloat = 1.0
    tau_min: PositiveFloat = 0.1
    tau_decay: UnitFloat = 0.95
    pooling: Literal["sum", "mean", "max"] = "mean"
    head: Literal["additive", "full", "blobs"] = "additive"
    blob_view: Literal["alone", "context"] = "alone"
    cut_h_dim: tuple[PositiveInt, PositiveInt] | None = None
    cut_layers: PositiveInt | None = None
    blob_input: Literal["quantised", "raw"] = "quantised"
    codebook_size: PositiveInt = 512
    codebook_beta: NonNegativeFloat = 0.25
    codebook_decay: UnitFloat = 0.99
    codebook_eps: PositiveFloat = 1e-5
    codebook_distance: Literal["l2", "cos"] = "l2"
    codebook_revive_below: UnitFloat = 0.05
    psc_temp: PositiveFloat = 0.1

    def check(self) -> None:
        """See :meth:`Group.check`."""
        refuse = _Refuse(self.path)
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


@dataclass
class TrainConfig(Group):
    """How both stages train.

    Args:
        seed: of every random choice but those of data.seed: weights, batches, Gumbel noise, k-means,
            bootstrap.
        batch_size: most proteins a batch.
        max_residues: most residues a batch; a longer protein makes a batch of its own.
        weight_decay: of AdamW.
        warmup_epochs: epochs of linear warm-up before the cosine schedule.
        label_smoothing: of the cross-entropy (single-label tasks).
        class_weights: none, or balanced: a training protein counts inversely to the size of its class
            (single-label tasks; no effect on geneontology).
        gradient_clip_val: largest gradient norm; 0 switches clipping off.
        early_stopping_patience: epochs without a better validation score after which to stop; null: none.
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
    weight_decay: NonNegativeFloat = 0.01
    warmup_epochs: NonNegativeFloat = 1.0
    label_smoothing: UnitFloat = 0.1
    class_weights: Literal["none", "balanced"] = "none"
    gradient_clip_val: NonNegativeFloat = 1.0
    early_stopping_patience: PositiveInt | None = None
    weight_averaging: Literal["none", "ema", "swa"] = "none"
    ema_decay: UnitFloat = 0.999
    checkpoint_minutes: PositiveFloat = 15.0
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    devices: PositiveInt = 1
    num_nodes: PositiveInt = 1
    strategy: Literal["auto", "ddp"] = "auto"
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    recompute: bool = False
    num_workers: NonNegativeInt = 0
    num_threads: NonNegativeInt = 0
    logger: Literal["csv", "dvclive", "tensorboard"] = "csv"
    use_wandb: bool = False
    wandb_project: str = "bioblobs"

    def check(self) -> None:
        """See :meth:`Group.check`."""
        if self.label_smoothing == 1:
            _Refuse(self.path)("label_smoothing", self.label_smoothing, "below 1")
        if self.seed >= 2**32:
            _Refuse(self.path)("seed", self.seed, "below 2**32")


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
        """See :meth:`Group.check`."""
        if not self.bypass_codebook:
            _Refuse(self.path)(
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
        """See :meth:`Group.check`."""
        if self.freeze_epochs >= self.epochs:
            _Refuse(self.path)(
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


@dataclass
class EvaluationConfig(Group):
    """Test metrics.

    Args:
        bootstrap: resamples of the test proteins behind each 95 % interval.
    """

    path: ClassVar[str] = "evaluation"
    bootstrap: PositiveInt = 1000


@dataclass
class LeakageConfig(Group):
    """What is compared between test and training chains; sequence identity always is.

    Args:
        structure_hits: training chains that each val or test chain is aligned with by TM-align; 0: none.
    """

    path: ClassVar[str] = "leakage"
    structure_hits: NonNegativeInt = 1


@dataclass
class InterpretabilityConfig(Group):
    """What is said of blobs and codes, and how it is put to the test.

    Args:
        significance: corrected p-value below which a class counts as enriched in a code.
        split: chains on which faithfulness is measured.
        proteins: most chains on which it is, drawn by train.seed; null: all.
        deletion_repeats: random residue sets that the removal of the top blob is compared with.
        gradient_steps: steps of integrated gradients, which importance is compared with.
        seeds: of the trainings that `make seeds` compares.
        sites: CSV of annotated residues (id, residue as 57, 52A or A/52A; or id, number, icode, aa, source);
            only a head: there are none.
    """

    path: ClassVar[str] = "interpretability"
    significance: UnitFloat = 0.05
    split: Literal["val", "test"] = "test"
    proteins: PositiveInt | None = None
    deletion_repeats: PositiveInt = 3
    gradient_steps: PositiveInt = 16
    seeds: tuple[NonNegativeInt, ...] = (0, 1, 2, 3, 4)
    sites: str = "data/sites.csv"


@dataclass
class ReportConfig(Group):
    """The page that people read.

    Args:
        proteins: most test proteins that the page holds, each with its structure (about 10 kB); where there
            are more, so many are drawn at random.
    """

    path: ClassVar[str] = "report"
    proteins: PositiveInt = 300


@dataclass
class Paths:
    """Where things lie; not hyperparameters, so not in params.yaml. The defaults are DVC's outputs.

    Args:
        prepared: the packed store.
        output: checkpoints and reports.
        metrics: small JSON files for ``dvc metrics``.
        plots: small tables and pictures for ``dvc plots``.
        checkpoint: model whose faithfulness is measured; empty: the final one of stage 1.
    """

    prepared: str = "data/prepared"
    output: str = "outputs"
    metrics: str = "metrics"
    plots: str = "plots"
    checkpoint: str = ""

    def stage(self, stage: int) -> Path:
        """Folder of a training stage's checkpoints."""
        return Path(self.output) / f"stage_{stage}"

    @property
    def unfinished(self) -> Path:
        """Folder of training stages that are not finished."""
        return Path(self.output) / "unfinished"

    @property
    def live(self) -> Path:
        """Folder of the live views."""
        return Path(self.output) / "live"

    def final_checkpoint(self, stage: int) -> Path:
        """The best checkpoint of a stage by validation score."""
        return self.stage(stage) / f"stage_{stage}_final.ckpt"

    @property
    def codebook(self) -> Path:
        """Stage 0's model with its codebook filled."""
        return Path(self.output) / "codebook" / "codebook_init.ckpt"


@dataclass
class Config:
    """All groups of params.yaml."""

    path: ClassVar[str] = ""

    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    multistage: MultistageConfig = field(default_factory=MultistageConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    leakage: LeakageConfig = field(default_factory=LeakageConfig)
    interpretability: InterpretabilityConfig = field(default_factory=InterpretabilityConfig)
    report: ReportConfig = field(default_factory=ReportConfig)


def subgroups(group: type) -> dict[str, type[Group]]:
    """Fields of a config class that are groups themselves."""
    made: dict[str, Any] = {item.name: item.default_factory for item in fields(group)}
    return {name: kind for name, kind in made.items() if isinstance(kind, type) and issubclass(kind, Group)}


def leaf_keys(group: type = Config) -> list[str]:
    """Full name of every key of params.yaml."""
    inner = subgroups(group)
    own = [f"{group.path}.{f.name}" for f in fields(group) if f.name not in inner]  # type: ignore[attr-defined]
    return own + [key for kind in inner.values() for key in leaf_keys(kind)]


class _Refuse:
    """Raise the error that names a key, what it may be, and what it was."""

    def __init__(self, group: str) -> None:
        self.group = group

    def __call__(self, name: str, got: object, expected: str) -> NoReturn:
        raise BioBlobsError(f"{self.group}.{name}: expected {expected}; got {got}")
