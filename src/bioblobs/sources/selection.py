"""Selection of proteins, classes and labels from a source's table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bioblobs.config.schema import DataConfig
from bioblobs.errors import BioBlobsError
from bioblobs.sources.tasks import Task
from bioblobs.splits import SPLITS

UNSEEN = -1
"""Label of a validation or test protein whose class has no training protein."""


@dataclass
class Selection:
    """Rows of a source's table that make the data set.

    Attributes:
        table: the chosen rows, with ``row`` (their place in the source), in source order.
        dropped: number of rows left out, by reason.
    """

    table: pd.DataFrame
    dropped: dict[str, int] = field(default_factory=dict)


def select(table: pd.DataFrame, task: Task, data: DataConfig) -> Selection:
    """Apply the filters of the data keys, one after another.

    Raises:
        BioBlobsError: no training protein is left.
    """
    dropped: dict[str, int] = {}
    table = table.reset_index(names="row")
    table = wanted(table, task, data, dropped)
    if data.subset is not None and data.subset < len(table):
        chosen = _stratified(table, data.subset, task, data.seed)
        dropped["outside data.subset"] = len(table) - len(chosen)
        table = chosen
    if not (table["split"] == "train").any():
        where = data.folder if data.source == "folder" else data.dataset_name
        raise BioBlobsError(
            f"data: no training protein is left of {where} "
            f"(left out: {dropped or 'none'}); loosen data.max_length, data.min_class_size or data.subset"
        )
    return Selection(table.reset_index(drop=True), dropped)


def wanted(
    table: pd.DataFrame, task: Task, data: DataConfig, dropped: dict[str, int], has_splits: bool = True
) -> pd.DataFrame:
    """Keep rows by labels, split and length, without rare labels; count the others in ``dropped``."""
    table = _keep(table, table["labels"].map(len) > 0, "no label", dropped)
    if not task.multilabel:
        single = table["labels"].map(len) == 1
        table = _keep(table, single, "several labels in a single-label task", dropped)
    if has_splits:
        table = _keep(table, table["split"].isin(SPLITS), "no split", dropped)
    if data.max_length is not None:
        short = table["length"] <= data.max_length
        table = _keep(table, short, f"longer than {data.max_length} residues", dropped)
    least = data.min_class_size or task.min_class_size
    sizes = Counter(label for labels in table["labels"] for label in labels)
    frequent = {label for label, count in sizes.items() if count >= least}
    table = table.assign(labels=table["labels"].map(lambda ls: tuple(x for x in ls if x in frequent)))
    return _keep(table, table["labels"].map(len) > 0, f"class of fewer than {least} chains", dropped)


def _keep(table: pd.DataFrame, mask: pd.Series, reason: str, dropped: dict[str, int]) -> pd.DataFrame:
    if count := int((~mask).sum()):
        dropped[reason] = count
    return table[mask]


def _stratified(table: pd.DataFrame, size: int, task: Task, seed: int) -> pd.DataFrame:
    """Draw about ``size`` rows: the same share of every split and class, at least one of each."""
    keys = [table["split"]] if task.multilabel else [table["split"], table["labels"].map("".join)]
    rank = table.sample(frac=1, random_state=seed).groupby(keys).cumcount()
    group_size = table.groupby(keys)["id"].transform("size")
    quota = (group_size * size / len(table)).round().clip(lower=1)
    return table[rank.reindex(table.index) < quota]


def training_classes(table: pd.DataFrame) -> list[str]:
    """List the sorted classes of the training proteins, which define the label map."""
    return sorted({label for labels in table.loc[table["split"] == "train", "labels"] for label in labels})


def encode_labels(table: pd.DataFrame, classes: list[str], task: Task) -> NDArray[np.int64 | np.bool_]:
    """Encode labels: (P,) class index or :data:`UNSEEN`; (P, C) bool if multi-label."""
    index = {label: i for i, label in enumerate(classes)}
    if not task.multilabel:
        return np.array([index.get(labels[0], UNSEEN) for labels in table["labels"]], np.int64)
    encoded = np.zeros((len(table), len(classes)), np.bool_)
    for row, labels in enumerate(table["labels"]):
        encoded[row, [index[label] for label in labels if label in index]] = True
    return encoded
