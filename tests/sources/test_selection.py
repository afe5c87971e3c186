"""From a table to a data set: nothing is left out uncounted, and only training proteins define classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bioblobs.config.schema import DataConfig
from bioblobs.errors import BioBlobsError
from bioblobs.proteins.alphabet import encode
from bioblobs.proteins.record import Protein, ProteinError
from bioblobs.sources.preparation import prepare_store
from bioblobs.sources.selection import UNSEEN, encode_labels, select, training_classes
from bioblobs.sources.source import check_split_column, open_source
from bioblobs.sources.tasks import split_column, task_of
from bioblobs.splits import SPLITS
from bioblobs.store.packed import Store
from conftest import ROOT, random_chain

Row = tuple[tuple[str, ...], str, int]


def table(rows: Sequence[Row]) -> pd.DataFrame:
    """(labels, split, length) a protein."""
    return pd.DataFrame(
        {
            "id": [f"p{i}" for i in range(len(rows))],
            "length": [length for *_, length in rows],
            "labels": [labels for labels, *_ in rows],
            "split": [split for _, split, _ in rows],
        }
    )


def config(dataset_name: str = "scop", **changes: object) -> DataConfig:
    return DataConfig(**{"dataset_name": dataset_name, "max_length": 100, "min_class_size": 2, **changes})


def chosen(rows: Sequence[Row], data: DataConfig) -> tuple[pd.DataFrame, dict[str, int]]:
    selection = select(table(rows), task_of(data), data)
    return selection.table, selection.dropped


MIXED: list[Row] = [
    (("a",), "train", 50),
    ((), "train", 50),  # no label
    (("a", "b"), "train", 50),  # two labels
    (("b",), "none", 50),  # no split
    (("b",), "train", 101),  # long
    (("a",), "test", 100),  # as long as is allowed
    (("c",), "train", 50),  # alone in its class
    (("b",), "val", 50),
    (("b",), "train", 50),
    ((), "none", 500),  # several reasons, counted once
]


def test_each_reason_is_counted_once() -> None:
    kept, dropped = chosen(MIXED, config())
    assert kept["id"].tolist() == ["p0", "p5", "p7", "p8"]
    assert kept["row"].tolist() == [0, 5, 7, 8]  # the place in the source, in the source's order
    assert dropped == {
        "no label": 2,
        "several labels in a single-label task": 1,
        "no split": 1,
        "longer than 100 residues": 1,
        "class of fewer than 2 chains": 1,
    }
    assert len(kept) + sum(dropped.values()) == len(MIXED)


def test_several_labels_are_no_fault_in_a_multilabel_task() -> None:
    kept, dropped = chosen(MIXED, config("geneontology"))
    assert kept["id"].tolist() == ["p0", "p2", "p5", "p7", "p8"]
    assert "several labels in a single-label task" not in dropped
    assert len(kept) + sum(dropped.values()) == len(MIXED)


def test_no_limit_of_length() -> None:
    kept, dropped = chosen(MIXED, config(max_length=None))
    assert "p4" in kept["id"].tolist()
    assert not any("longer" in reason for reason in dropped)


def test_rare_terms_go_and_their_protein_stays_for_the_others() -> None:
    rows: list[Row] = [(("rare", "x"), "train", 10), (("x", "y"), "train", 10), (("y",), "test", 10)]
    kept, dropped = chosen(rows, config("geneontology"))
    assert kept["labels"].tolist() == [("x",), ("x", "y"), ("y",)]
    assert dropped == {}


@pytest.mark.parametrize(("dataset_name", "least"), [("scop", 5), ("proteinfamily", 5), ("geneontology", 50)])
def test_default_least_class_size_is_that_of_the_task(dataset_name: str, least: int) -> None:
    rows: list[Row] = [(("big",), "train", 10)] * least + [(("small",), "train", 10)] * (least - 1)
    kept, dropped = chosen(rows, config(dataset_name, min_class_size=None))
    assert set(kept["labels"]) == {("big",)}
    assert dropped == {f"class of fewer than {least} chains": least - 1}


def test_class_size_counts_what_the_other_filters_leave() -> None:
    rows: list[Row] = [
        (("a",), "train", 10),
        (("a",), "train", 999),
        (("b",), "train", 10),
        (("b",), "val", 10),
    ]
    kept, _ = chosen(rows, config())
    assert set(kept["labels"]) == {("b",)}


def test_no_training_protein_is_an_error() -> None:
    rows: list[Row] = [(("a",), "val", 10), (("a",), "test", 10), (("a",), "train", 999)]
    with pytest.raises(BioBlobsError, match="no training protein") as error:
        chosen(rows, config())
    assert "longer than 100 residues" in str(error.value)  # the line says where they went


def test_empty_table_is_an_error() -> None:
    with pytest.raises(BioBlobsError, match="no training protein"):
        chosen([], config())


SHARES = {
    ("train", "a"): 400,
    ("train", "b"): 200,
    ("val", "a"): 80,
    ("val", "b"): 40,
    ("test", "a"): 60,
    ("test", "b"): 20,
}


def shuffled_rows() -> list[Row]:
    rows: list[Row] = [((label,), split, 10) for (split, label), n in SHARES.items() for _ in range(n)]
    return [rows[i] for i in np.random.default_rng(0).permutation(len(rows))]


@pytest.mark.parametrize("size", [80, 200, 799])
def test_subset_keeps_the_share_of_every_split_and_class(size: int) -> None:
    kept, dropped = chosen(shuffled_rows(), config(subset=size))
    got = Counter((split, labels[0]) for split, labels in zip(kept["split"], kept["labels"], strict=True))
    for group, count in SHARES.items():
        assert abs(got[group] - count * size / sum(SHARES.values())) <= 0.5
    assert len(kept) + dropped["outside data.subset"] == sum(SHARES.values())
    assert kept["row"].is_monotonic_increasing


def test_subset_of_a_multilabel_task_keeps_the_share_of_every_split() -> None:
    rows = [((*labels, "z"), split, length) for labels, split, length in shuffled_rows()]
    kept, _ = chosen(rows, config("geneontology", subset=80))
    assert Counter(kept["split"]) == {"train": 60, "val": 12, "test": 8}


def test_small_subset_still_has_every_split_and_class() -> None:
    kept, _ = chosen(shuffled_rows(), config(subset=6))
    assert {(split, labels[0]) for split, labels in zip(kept["split"], kept["labels"], strict=True)} == set(
        SHARES
    )


def test_subset_is_drawn_from_the_seed_alone() -> None:
    rows = shuffled_rows()
    first = chosen(rows, config(subset=80, seed=1))[0]
    np.random.seed(5)  # noqa: NPY002 - the global generator must not matter
    pd.testing.assert_frame_equal(chosen(rows, config(subset=80, seed=1))[0], first)
    other = chosen(rows, config(subset=80, seed=2))[0]
    assert set(other["id"]) != set(first["id"])


def test_subset_larger_than_the_data_takes_all() -> None:
    kept, dropped = chosen(shuffled_rows(), config(subset=10_000))
    assert (len(kept), dropped) == (800, {})


def test_classes_are_those_of_training_proteins() -> None:
    rows: list[Row] = [(("b",), "train", 9), (("a",), "train", 9), (("c",), "val", 9), (("d",), "test", 9)]
    assert training_classes(table(rows)) == ["a", "b"]
    reassigned = table([(("z",) if split != "train" else labels, split, n) for labels, split, n in rows])
    assert training_classes(reassigned) == ["a", "b"], "validation or test labels shaped the label map"
    labels = encode_labels(table(rows), ["a", "b"], task_of(config()))
    assert labels.tolist() == [1, 0, UNSEEN, UNSEEN]


def test_unseen_terms_of_a_multilabel_protein_are_left_out() -> None:
    rows: list[Row] = [(("a", "b"), "train", 9), (("b", "new"), "test", 9), (("new",), "test", 9)]
    labels = encode_labels(table(rows), ["a", "b"], task_of(config("geneontology")))
    assert labels.dtype == bool
    assert labels.tolist() == [[True, True], [False, True], [False, False]]


class Memory:
    """A source of synthetic proteins; the ones in ``broken`` have no backbone, in ``unread`` no file."""

    split_name = "random_split"

    def __init__(
        self, rows: Sequence[Row], broken: set[int] = frozenset(), unread: set[int] = frozenset()
    ) -> None:
        self.rows, self.broken, self.unread = rows, broken, unread

    def table(self) -> pd.DataFrame:
        return table(self.rows)

    def items(self, rows: Sequence[int]) -> Iterator[tuple[int, int, bool, bool]]:
        for row in rows:
            yield row, self.rows[row][2], row in self.broken, row in self.unread

    @staticmethod
    def read(item: tuple[int, int, bool, bool]) -> list[Protein | ProteinError]:
        row, length, broken, unread = item
        coordinates = random_chain(length, row)
        coordinates[: length if broken else 0] = np.nan
        numbers, none = np.arange(length, dtype=np.int32), np.full(length, b"", "S1")
        made = Protein(f"p{row}", encode("A" * length), numbers, none, none.astype("S4"), coordinates)
        return [ProteinError("cannot be read") if unread else made]

    def class_names(self) -> dict[str, str]:
        return {"a": "class A"}

    def left_out(self) -> dict[str, int]:
        return {}


def test_report_counts_unseen_classes_and_unusable_proteins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[Row] = [
        (("a",), "train", 11),
        (("b",), "train", 12),
        (("b",), "train", 13),  # broken
        (("c",), "val", 14),  # of a class that training never sees
        (("a",), "val", 15),  # unread
        (("b",), "test", 16),
        (("c",), "test", 17),
        (("d",), "train", 18),  # broken, the only one of its class in training
        (("d",), "test", 19),
    ]
    source = Memory(rows, broken={2, 7}, unread={4})
    monkeypatch.setattr("bioblobs.sources.preparation.open_source", lambda data: source)
    data = config(edge_types="knn_4", min_class_size=1)
    report = prepare_store(data, tmp_path / "store")
    store = Store(tmp_path / "store")
    assert store.classes == ["a", "b"]
    assert store.class_names == ["class A", "b"]
    assert store.lengths.tolist() == [11, 12, 14, 16, 17, 19]  # those left out shift no label
    assert store.labels.tolist() == [0, 1, UNSEEN, 1, UNSEEN, UNSEEN]
    assert [SPLITS[i] for i in store.split] == ["train", "train", "val", "test", "test", "test"]
    assert store.table()["id"].tolist() == ["p0", "p1", "p3", "p5", "p6", "p8"]
    assert {split: report.summary[split]["of_classes_unseen_in_training"] for split in SPLITS} == {
        "train": 0,
        "val": 1,
        "test": 2,
    }
    assert report.summary["dropped"] == {"not usable": 3}
    assert report.skipped["id"].tolist() == ["p2", "p4", "p7"]
    assert report.classes["proteins"].sum() == len(store)
    assert report.length_histogram()["proteins"].sum() == len(store)


def test_one_class_in_training_is_an_error_and_leaves_no_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Memory([(("a",), "train", 9), (("a",), "train", 9), (("b",), "val", 9), (("b",), "val", 9)])
    monkeypatch.setattr("bioblobs.sources.preparation.open_source", lambda data: source)
    with pytest.raises(BioBlobsError, match="only 1 class"):
        prepare_store(config(edge_types="knn_4"), tmp_path / "store")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("split", "threshold", "column"),
    [
        ("random", 0.7, "random_split"),
        ("structure", 0.7, "structure_split_0.7"),
        ("sequence", 0.3, "sequence_split_0.3"),
    ],
)
def test_split_column_is_named_as_proteinshake_names_it(split: str, threshold: float, column: str) -> None:
    assert split_column(config(split=split, split_similarity_threshold=threshold)) == column


@pytest.mark.parametrize(("split", "threshold"), [("structure", 0.35), ("sequence", 0.7), ("structure", 0.0)])
def test_unknown_threshold_is_an_error_that_names_the_key(
    tmp_path: Path, split: str, threshold: float
) -> None:
    data = config(split=split, split_similarity_threshold=threshold, data_dir=str(ROOT / "data"))
    with pytest.raises(BioBlobsError, match=r"data\.split_similarity_threshold") as error:
        open_source(data)
    assert "structure_split_0.7" in str(error.value)  # and says which there are
    with pytest.raises(BioBlobsError, match=r"data\.split_similarity_threshold"):
        prepare_store(data, tmp_path / "store")
    assert not list(tmp_path.iterdir())


def test_data_without_a_random_split_names_the_split_key() -> None:
    with pytest.raises(BioBlobsError, match=r"data\.split:"):
        check_split_column("random_split", ["id", "structure_split_0.7"], config(split="random"))


def test_an_empty_split_is_refused_where_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [(("a",), "train", 9), (("b",), "train", 9), (("a",), "val", 9), (("b",), "val", 9)]
    monkeypatch.setattr("bioblobs.sources.preparation.open_source", lambda data: Memory(rows))
    with pytest.raises(BioBlobsError, match="no test protein is left"):
        prepare_store(config(edge_types="knn_4"), tmp_path / "store", SPLITS)
    assert not list(tmp_path.iterdir())
