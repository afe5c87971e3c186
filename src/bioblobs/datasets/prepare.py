"""Source -> packed store and data report."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from bioblobs.datasets.selection import encode_labels, select, training_classes
from bioblobs.datasets.source import open_source
from bioblobs.datasets.store import SPLITS, Store, StoreWriter
from bioblobs.datasets.tasks import task_of
from bioblobs.errors import BioBlobsError
from bioblobs.parameters.parsing import plain
from bioblobs.parameters.schema import DataConfig
from bioblobs.proteins.record import ProteinError, usable


@dataclasses.dataclass
class DataReport:
    """What was prepared.

    Attributes:
        summary: counts for metrics/data.json.
        classes: one row a (class, split): class, name, group (the split), order (of the split), proteins.
        lengths: one row a protein: split, length.
        dropped: one row a reason: reason, proteins.
        skipped: one row a protein that could not be used: id, where known file and chain, reason.
    """

    summary: dict[str, Any]
    classes: pd.DataFrame
    lengths: pd.DataFrame
    dropped: pd.DataFrame
    skipped: pd.DataFrame

    def length_histogram(self, width: int = 50) -> pd.DataFrame:
        """One row a split (``group``) and bin of ``width`` residues (``length``, its start): proteins."""
        bins = self.lengths["length"] // width * width
        counts = self.lengths.assign(length=bins).value_counts(["split", "length"], sort=False)
        every = pd.MultiIndex.from_product([SPLITS, sorted(bins.unique())], names=["group", "length"])
        return counts.reindex(every, fill_value=0).rename("proteins").reset_index()


def identity(data: DataConfig, seed: int) -> dict[str, Any]:
    """Everything that shapes a store (where the files lie does not)."""
    shaping = {f.name: plain(getattr(data, f.name)) for f in dataclasses.fields(data) if f.name != "data_dir"}
    return {**shaping, "seed": plain(seed)}


def open_store(path: Path | str, data: DataConfig, seed: int) -> Store:
    """The store at ``path``, once it is sure that it was prepared with these keys.

    Raises:
        BioBlobsError: there is none, it is damaged, or it was prepared with other keys.
    """
    store = Store(path)
    store.require(identity(data, seed))
    return store


def prepare_store(data: DataConfig, seed: int, path: Path, required_splits: Sequence[str] = ()) -> DataReport:
    """Read the source that ``data`` names, write the store at ``path``, and report.

    Args:
        required_splits: splits that must not be empty.

    Raises:
        BioBlobsError: the source is missing or damaged, or nothing is left to train on.
    """
    task, source = task_of(data), open_source(data, seed)
    selection = select(source.table(), task, data, seed)
    dropped, skipped = {**source.left_out(), **selection.dropped}, []
    incomplete = 0
    kept: list[int] = []
    with StoreWriter(path, data.edge_types) as writer:
        rows = selection.table["row"].tolist()
        proteins = tqdm(source.proteins(rows), "prepare", len(rows), unit="protein", mininterval=1)
        for place, protein in enumerate(proteins):
            try:
                if isinstance(protein, ProteinError):
                    raise protein
                complete, missing = usable(protein)
            except ProteinError as error:
                skipped.append((selection.table["id"][place], str(error)))
                continue
            incomplete += missing
            writer.add(complete)
            kept.append(place)
        if skipped:
            dropped["not usable"] = len(skipped)
        table = selection.table.iloc[kept].reset_index(drop=True)
        table["length"] = writer.lengths
        classes = training_classes(table)
        if len(classes) < 2:
            raise BioBlobsError(f"data: only {len(classes)} class is left among training proteins")
        for name in required_splits:
            if name not in set(table["split"]):
                raise BioBlobsError(f"data: no {name} protein is left (left out: {dropped or 'none'})")
        labels = encode_labels(table, classes, task)
        names = source.class_names()
        split = np.array([SPLITS.index(name) for name in table["split"]], np.uint8)
        listed = table.assign(labels=table["labels"].map("|".join))[["id", "length", "split", "labels"]]
        meta = {
            "task": task.name,
            "multilabel": task.multilabel,
            "classes": classes,
            "class_names": [names.get(label, label) for label in classes],
            "split_column": source.split_name,
            "parameters": identity(data, seed),
        }
        writer.finish(labels, split, listed, meta)
    return _report(table, classes, meta, dropped, incomplete, _skipped(selection.table, skipped))


def _skipped(table: pd.DataFrame, skipped: list[tuple[str, str]]) -> pd.DataFrame:
    """One row a skipped protein: id, where the source says file and chain, reason."""
    where = [name for name in ("file", "chain") if name in table]
    found = pd.DataFrame(skipped, columns=["id", "reason"]).merge(table[["id", *where]], on="id", how="left")
    return found[["id", *where, "reason"]]


def _report(
    table: pd.DataFrame,
    classes: list[str],
    meta: dict[str, Any],
    dropped: dict[str, int],
    incomplete: int,
    skipped: pd.DataFrame,
) -> DataReport:
    names = dict(zip(classes, meta["class_names"], strict=True))
    per_split = {name: table[table["split"] == name] for name in SPLITS}
    counts = {
        name: Counter(label for labels in rows["labels"] for label in labels)
        for name, rows in per_split.items()
    }
    known = set(classes)
    summary = {
        "task": meta["task"],
        "split": meta["split_column"],
        "classes": len(classes),
        "residues": int(table["length"].sum()),
        "residues_without_backbone": incomplete,
        **{
            name: {
                "proteins": len(rows),
                "of_classes_unseen_in_training": sum(
                    not known.issuperset(labels) for labels in rows["labels"]
                ),
                "median_length": float(rows["length"].median()) if len(rows) else None,
            }
            for name, rows in per_split.items()
        },
        "dropped": dropped,
    }
    long = [
        (label, names.get(label, f"{label} (unseen in training)"), name, order, count)
        for order, name in enumerate(SPLITS)
        for label, count in counts[name].most_common()
    ]
    return DataReport(
        summary,
        pd.DataFrame(long, columns=["class", "name", "group", "order", "proteins"]),
        table[["split", "length"]],
        pd.DataFrame(list(dropped.items()), columns=["reason", "proteins"]),
        skipped,
    )
