"""Scores by length and class, and the surest mistakes, against plain counting."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pytest

from bioblobs.evaluation.by_group import by_class, by_length
from bioblobs.evaluation.by_task import headline_scorer
from bioblobs.evaluation.mistakes import UNSEEN, WORST, worst_mistakes
from bioblobs.store.packed import Store


def guesses(store: Store, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """True classes, and probabilities that know something of them."""
    rng = np.random.default_rng(0)
    truth = np.asarray(store.labels[rows])
    chance = rng.dirichlet(np.ones(len(store.classes)), len(rows)) + 0.3 * np.eye(len(store.classes))[truth]
    return truth, chance / chance.sum(1, keepdims=True)


def with_labels(store: Store, labels: np.ndarray, multilabel: bool = False) -> Store:
    changed = copy.copy(store)
    changed.labels = labels
    changed.meta = {**store.meta, "multilabel": multilabel}
    return changed


def test_each_length_has_the_score_of_its_chains() -> None:
    truth, chance = np.array([0, 1, 0, 1, 1]), np.eye(2)[[0, 1, 1, 0, 1]]
    right = chance.argmax(1) == truth
    lengths = np.array([100, 101, 150, 513, 9])
    found = by_length(lambda at: {"accuracy": float(right[at].mean())}, lengths, 20, 0)
    assert found["length"].tolist() == ["1 to 100", "101 to 200", "513 and more"]
    assert found["chains"].tolist() == [2, 2, 1]
    assert found["value"].tolist() == pytest.approx([1, 0.5, 0])
    assert found["low"].isna().tolist() == [False, False, True]  # one chain has no interval


def test_recall_and_precision_of_each_class_are_counted(sample_store: Store) -> None:
    rows = sample_store.rows("train")
    truth, chance = guesses(sample_store, rows)
    said = chance.argmax(1)
    found = by_class(sample_store, truth, chance).set_index(["class", "score"])
    for number, name in enumerate(sample_store.classes):
        recall, precision = found.loc[(name, "recall")], found.loc[(name, "precision")]
        assert recall["value"] == pytest.approx((said[truth == number] == number).mean(), abs=1e-6)
        assert precision["value"] == pytest.approx((truth[said == number] == number).mean(), abs=1e-6)
        assert recall["chains"] == recall["training"] == (truth == number).sum()
        assert recall["low"] <= recall["value"] <= recall["high"]


def test_a_class_without_test_chains_has_no_recall(sample_store: Store) -> None:
    rows = sample_store.rows("test")
    truth, chance = guesses(sample_store, rows)
    kept = truth != truth[0]
    found = by_class(sample_store, truth[kept], chance[kept])
    assert sample_store.classes[truth[0]] not in set(found.loc[found["score"] == "recall", "class"])


def test_of_several_terms_each_is_counted(sample_store: Store) -> None:
    rows, rng = sample_store.rows("test"), np.random.default_rng(0)
    labels = rng.random((len(sample_store), len(sample_store.classes))) < 0.4
    store, chance = (
        with_labels(sample_store, labels, True),
        rng.random((len(rows), len(sample_store.classes))),
    )
    found = by_class(store, labels[rows], chance).set_index(["class", "score"])
    said = chance[:, 1] >= 0.5
    assert found.loc[(store.classes[1], "recall"), "value"] == pytest.approx(
        said[labels[rows, 1]].mean(), abs=1e-6
    )
    mistakes = worst_mistakes(store, rows, chance, None)
    wrong = np.where(labels[rows], 0, chance)
    assert mistakes["probability"].tolist() == pytest.approx(np.sort(wrong.ravel())[::-1][:WORST], abs=1e-6)
    assert not any(m["predicted"] in m["actual"].split("; ") for m in mistakes.to_dict("records"))


def test_the_surest_mistakes_come_first_with_their_nearest_chain(sample_store: Store) -> None:
    rows = sample_store.rows("train")
    truth, chance = guesses(sample_store, rows)
    ids = sample_store.table()["id"].to_numpy(str)[rows]
    nearest = pd.DataFrame({"nearest_by_identity": "other", "identity": 0.25, "split": "test"}, index=ids)
    found = worst_mistakes(sample_store, rows, chance, nearest)
    wrong = chance.argmax(1) != truth
    order = np.flatnonzero(wrong)[np.argsort(-chance.max(1)[wrong])][:WORST]
    assert found["id"].tolist() == ids[order].tolist()
    assert found["probability"].tolist() == pytest.approx(chance.max(1)[order], abs=1e-6)
    assert found["probability_of_actual"].tolist() == pytest.approx(chance[order, truth[order]], abs=1e-6)
    assert (found["predicted"] != found["actual"]).all()
    assert set(found["nearest_by_identity"]) == {"other"} and "split" not in found


def test_a_class_that_training_never_saw_is_named_so(sample_store: Store) -> None:
    rows = sample_store.rows("test")[:1]
    labels = np.array(sample_store.labels)
    labels[rows] = -1
    found = worst_mistakes(
        with_labels(sample_store, labels), rows, np.eye(len(sample_store.classes))[:1], None
    )
    assert found["actual"].tolist() == [UNSEEN] and found["probability_of_actual"].isna().all()


def test_without_mistakes_the_table_is_empty(sample_store: Store) -> None:
    rows = sample_store.rows("test")
    right = np.eye(len(sample_store.classes))[sample_store.labels[rows]]
    assert len(worst_mistakes(sample_store, rows, right, None)) == 0
    assert headline_scorer(sample_store, sample_store.labels[rows], right)(np.arange(3)) == {"accuracy": 1.0}
