"""Tasks of the guide: their labels, single or multi-label."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bioblobs.config.schema import DataConfig

EC_NAMES = {
    "1": "oxidoreductase",
    "2": "transferase",
    "3": "hydrolase",
    "4": "lyase",
    "5": "isomerase",
    "6": "ligase",
    "7": "translocase",
}
SCOP_LEVELS = {"class": "cl", "fold": "cf", "superfamily": "sf", "family": "fa"}


@dataclass(frozen=True)
class Task:
    """Prediction task.

    Attributes:
        name: value of ``data.dataset_name``.
        multilabel: a protein may have several classes: sigmoid, binary cross-entropy, Fmax.
        min_class_size: classes with fewer chains are left out, unless ``data.min_class_size`` is set.
        sample_column: column of the sample that holds the labels.
        name_kind: kind of the labels in the sample's label_names.tsv; None: :data:`EC_NAMES`.
    """

    name: str
    multilabel: bool
    min_class_size: int
    sample_column: str
    name_kind: str | None


def task_of(data: DataConfig) -> Task:
    """Return the task that the data keys choose."""
    if data.dataset_name == "enzymecommission":
        return Task("enzymecommission", False, 5, "ec_class" if data.ec_level == 1 else "ec", None)
    if data.dataset_name == "geneontology":
        return Task("geneontology", True, 50, "go_mf", "go")
    if data.dataset_name == "proteinfamily":
        return Task("proteinfamily", False, 5, "pfam", "pfam")
    level = SCOP_LEVELS[data.scop_level]
    return Task("scop", False, 5, f"scop_{level}", f"scop2_{level}")


def ec_labels(numbers: Iterable[str], level: int) -> tuple[str, ...]:
    """Cut EC numbers to ``level`` fields (2.7 of 2.7.7.4 at level 2); shorter ones give none.

    Returns several labels where the numbers differ, at this level or above. ProteinShake's own ``ec_level``
    takes one field alone (the 7), which joins unrelated enzymes.
    """
    fields = [number.split(".") for number in numbers]
    labels: tuple[str, ...] = ()
    for depth in range(1, level + 1):
        known = (each[:depth] for each in fields if len(each) >= depth and not {"", "-"} & {*each[:depth]})
        labels = tuple(sorted({".".join(each) for each in known}))
        if len(labels) != 1:
            break
    return labels


def split_column(data: DataConfig) -> str:
    """Return ProteinShake's name of the split column: ``random_split``, ``structure_split_0.7``, ..."""
    if data.split == "random":
        return "random_split"
    return f"{data.split}_split_{data.split_similarity_threshold:g}"
