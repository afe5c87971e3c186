"""Preparation of a source as a packed store and data report."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from bioblobs.config.schema import DataConfig
from bioblobs.errors import BioBlobsError
from bioblobs.io import write_json, write_table
from bioblobs.proteins.record import Protein, ProteinError
from bioblobs.sources.embeddings import KINDS, Embeddings, kind_of
from bioblobs.sources.parallel import ordered_map
from bioblobs.sources.selection import encode_labels, select, training_classes
from bioblobs.sources.source import Source, open_source
from bioblobs.sources.tasks import task_of
from bioblobs.splits import SPLITS
from bioblobs.store.blocks import Block, make_block
from bioblobs.store.writer import StoreWriter

REPORT = "report"
"""Folder of the data report in a store."""
CHUNK = 32
"""Items per task of a worker."""
NAMED = 3
"""Chains that a line about many names."""


@dataclasses.dataclass
class DataReport:
    """Report of the prepared data.

    Attributes:
        summary: counts for metrics/data.json.
        classes: one row per class and split: class, name, group (the split), order (of the split), proteins.
        lengths: one row per protein: split, length.
        dropped: one row per reason: reason, proteins.
        skipped: one row per protein that could not be used: id, where known file and chain, reason.
    """

    summary: dict[str, Any]
    classes: pd.DataFrame
    lengths: pd.DataFrame
    dropped: pd.DataFrame
    skipped: pd.DataFrame

    def skipped_lines(self) -> Iterator[str]:
        """One line per chain that could not be used; of those without a fitting embedding one per kind."""
        kinds = self.skipped["reason"].map(kind_of)
        for _, row in self.skipped[kinds.isna()].iterrows():
            yield f"skipped {row['id']}: {row['reason']}"
        for _, part in self.skipped.groupby(kinds):
            first = part.iloc[0]
            names = ", ".join(part["id"].head(NAMED)) + (", ..." if len(part) > NAMED else "")
            yield f"skipped {len(part)} for their embeddings ({names}); {first['id']}: {first['reason']}"

    def length_histogram(self, width: int = 50) -> pd.DataFrame:
        """Count proteins per split (``group``) and bin of ``width`` residues (``length``: its start)."""
        bins = self.lengths["length"] // width * width
        counts = self.lengths.assign(length=bins).value_counts(["split", "length"], sort=False)
        every = pd.MultiIndex.from_product([SPLITS, sorted(bins.unique())], names=["group", "length"])
        return counts.reindex(every, fill_value=0).rename("proteins").reset_index()

    def write(self, folder: Path) -> None:
        """Write one small file per part."""
        write_json(folder / "data.json", self.summary)
        write_table(folder / "data_classes.csv", self.classes)
        write_table(folder / "data_lengths.csv", self.length_histogram())
        write_table(folder / "data_dropped.csv", self.dropped)
        write_table(folder / "skipped.csv", self.skipped)


def prepare_store(
    data: DataConfig,
    path: Path,
    required_splits: Sequence[str] = (),
    source: Source | None = None,
) -> DataReport:
    """Read the source that ``data`` names, write the store at ``path``, and report.

    Args:
        required_splits: splits that must not be empty.
        source: read this one instead.

    Raises:
        BioBlobsError: the source is missing or damaged, or nothing is left to train on.
    """
    task, source = task_of(data), source or open_source(data)
    table, unread = _readable(source.table())
    if not len(table) and len(unread):
        example = unread.iloc[0]
        raise BioBlobsError(
            f"data: none of {len(unread)} chains can be read; the first, {example['id']}: {example['error']}"
        )
    selection = select(table, task, data)
    dropped = {**source.left_out(), **selection.dropped}
    embeddings = None if data.embeddings is None else Embeddings(data.embeddings)
    with StoreWriter(path, data.edge_types, 0 if embeddings is None else embeddings.width) as writer:
        make = partial(_read_block, source.read, data.edge_types, embeddings)
        outcomes, incomplete = _write_proteins(make, source, selection.table["row"].tolist(), data, writer)
        failed = [(place, reason) for place, reason in enumerate(outcomes) if reason is not None]
        unusable = selection.table.loc[[place for place, _ in failed]]
        skipped = _skipped([unread, unusable.assign(error=[reason for _, reason in failed])])
        dropped |= _counts(skipped)
        if outcomes and all(kind_of(reason or "") for reason in outcomes):
            raise BioBlobsError(
                f"data.embeddings: {data.embeddings} fits none of {len(outcomes)} chains; the first, "
                f"{selection.table['id'].iloc[0]}: {outcomes[0]}"
            )
        table = selection.table.drop([place for place, _ in failed]).reset_index(drop=True)
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
            "parameters": data.identity(),
        }
        report = _report(table, classes, meta, dropped, incomplete, skipped)
        report.write(writer.scratch / REPORT)  # part of the store, so that it is there with it or not at all
        writer.finish(labels, split, listed, meta)
    return report


def _readable(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Divide the rows into those without and those with an error; keep their index."""
    if "error" not in table:
        return table, table.iloc[:0].assign(error="")
    failed = table["error"].notna()
    return table[~failed], table[failed]


def _skipped(failed: list[pd.DataFrame]) -> pd.DataFrame:
    """Make the table of skipped proteins: id, file and chain where known, reason."""
    table = pd.concat(failed).rename(columns={"error": "reason"})
    return table[["id", *(name for name in ("file", "chain") if name in table), "reason"]]


def _counts(skipped: pd.DataFrame) -> dict[str, int]:
    """Chains that could not be used; those for their embeddings by kind."""
    kinds = Counter(kind_of(reason) or "not usable" for reason in skipped["reason"])
    return {kind: kinds[kind] for kind in ("not usable", *KINDS) if kinds[kind]}


def _write_proteins(
    make: Callable[[list[Any]], Block], source: Source, rows: list[int], data: DataConfig, writer: StoreWriter
) -> tuple[list[str | None], int]:
    """Append the proteins of ``rows``; return the outcome of each and the number of incomplete residues."""
    outcomes: list[str | None] = []
    incomplete = 0
    made = ordered_map(make, source.items(rows), len(rows), CHUNK, data.workers)
    progress = tqdm(desc="prepare", total=len(rows), unit="protein", mininterval=1)
    with closing(made) as blocks, progress:
        for block in blocks:
            writer.append(block)
            outcomes += block.outcomes
            incomplete += block.incomplete
            progress.update(len(block.outcomes))
    if len(outcomes) != len(rows):  # labels would go to the wrong proteins
        raise RuntimeError(f"the source gave {len(outcomes)} proteins for {len(rows)} rows")
    return outcomes, incomplete


def _read_block(
    read: Callable[[Any], list[Protein | ProteinError]],
    edge_types: str,
    embeddings: Embeddings | None,
    items: list[Any],
) -> Block:
    proteins = (protein for item in items for protein in read(item))
    if embeddings is not None:
        proteins = (embeddings.given(protein) for protein in proteins)
    return make_block(proteins, edge_types)


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
