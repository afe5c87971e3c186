"""Every parameter of the project: the schema of params.yaml, and of every command line.

One class per group; the class docstrings are what ``--help`` shows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from bioblobs.config import groups
from bioblobs.config.data_keys import DataConfig
from bioblobs.config.groups import Group, subgroups
from bioblobs.config.model_keys import ModelConfig
from bioblobs.config.ranges import NonNegativeInt, PositiveInt, Text, UnitFloat
from bioblobs.config.train_keys import MultistageConfig, Stage0Config, Stage1Config, TrainConfig

__all__ = [
    "Config",
    "DataConfig",
    "EvaluationConfig",
    "InterpretabilityConfig",
    "LeakageConfig",
    "ModelConfig",
    "MultistageConfig",
    "Paths",
    "ReportConfig",
    "Stage0Config",
    "Stage1Config",
    "TrainConfig",
    "leaf_keys",
    "subgroups",
]


UntrainedBaseline = Literal["majority", "composition", "kmers", "nearest_sequence", "nearest_structure"]
TrainedBaseline = Literal["mean_pooling", "topk_pooling", "random_blobs"]


@dataclass
class EvaluationConfig(Group):
    """Test metrics.

    Args:
        bootstrap: resamples of the test proteins behind each 95 % interval.
        baselines: what the model is compared with; mean_pooling, topk_pooling and random_blobs need a
            training each, which is `make baselines`.
    """

    path: ClassVar[str] = "evaluation"
    bootstrap: PositiveInt = 1000
    baselines: tuple[UntrainedBaseline | TrainedBaseline, ...] = (
        "majority",
        "composition",
        "kmers",
        "nearest_sequence",
        "nearest_structure",
        "mean_pooling",
        "topk_pooling",
        "random_blobs",
    )


@dataclass
class LeakageConfig(Group):
    """Comparison of test and training chains beyond sequence identity.

    Args:
        structure_hits: training chains that each val or test chain is aligned with by TM-align; 0: none.
    """

    path: ClassVar[str] = "leakage"
    structure_hits: NonNegativeInt = 1


@dataclass
class InterpretabilityConfig(Group):
    """Interpretation of blobs and codes, and its tests.

    Args:
        significance: corrected p-value below which a class counts as enriched in a code.
        split: chains on which faithfulness is measured.
        proteins: most chains on which it is, drawn by data.seed, the same for every model; null: all.
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
    sites: Text = "data/sites.csv"

    def check(self) -> None:
        """Refuse seeds that make no comparison."""
        seeds = list(self.seeds)
        if not seeds or len({*seeds}) < len(seeds) or max(seeds) >= 2**32:
            groups.Refuse(self.path)("seeds", seeds, "at least one seed, each once and below 2**32")


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
    """Places of inputs and results; no hyperparameters, so not in params.yaml. Defaults are DVC's outputs.

    Args:
        prepared: the packed store.
        output: checkpoints and reports.
        metrics: small JSON files for ``dvc metrics``.
        plots: small tables and pictures for ``dvc plots``.
        checkpoint: model whose faithfulness is measured; empty: the final one of stage 1.
    """

    prepared: Text = "data/prepared"
    output: Text = "outputs"
    metrics: Text = "metrics"
    plots: Text = "plots"
    checkpoint: str = ""

    @property
    def folders(self) -> dict[str, Path]:
        """Name -> folder of results; ``output`` may hold the others, and is the last."""
        return {name: Path(getattr(self, name)) for name in ("metrics", "plots", "output")}

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
    def explained_checkpoint(self) -> Path:
        """The model that is measured: ``checkpoint``, else the final one of stage 1."""
        return Path(self.checkpoint) if self.checkpoint else self.final_checkpoint(1)

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


def leaf_keys(only_shaping: bool = False) -> list[str]:
    """Full name of every key of params.yaml, or of those that results depend on."""
    return groups.leaf_keys(Config, only_shaping)
