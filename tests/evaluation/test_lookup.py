"""Look-up baselines know training chains alone; scores by distance are those of the chains in each bin."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bioblobs.evaluation.by_distance import by_distance
from bioblobs.evaluation.lookup import kmer_counts, kmer_regression, nearest_chain
from bioblobs.evaluation.scores import single_label_scorer
from bioblobs.proteins.alphabet import SYMBOLS, decode
from bioblobs.store.packed import Store


def test_the_nearest_chains_class_is_predicted_and_frequencies_where_there_is_none(
    sample_store: Store,
) -> None:
    ids = sample_store.table()["id"].to_numpy(str)
    test, train = sample_store.rows("test")[:3], sample_store.rows("train")[:2]
    nearest = pd.Series({ids[test[0]]: ids[train[0]], ids[test[1]]: ids[train[1]], ids[test[2]]: ""})
    chance = nearest_chain(sample_store, test, nearest)
    assert chance[:2].argmax(1).tolist() == sample_store.labels[train].tolist()
    assert (chance[:2].max(1) == 1).all() and chance[2].max() < 1
    assert np.allclose(chance.sum(1), 1)


def test_kmers_are_counted_as_the_sequence_has_them(sample_store: Store) -> None:
    rows = sample_store.rows("val")[:4]
    counts = kmer_counts(sample_store, rows)
    for at, row in enumerate(rows):
        text = decode(sample_store.residue_types[sample_store.offsets[row] : sample_store.offsets[row + 1]])
        a, b, c = (SYMBOLS.index(letter) for letter in text[:3])
        word = a + len(SYMBOLS) * b + len(SYMBOLS) ** 2 * c
        expected = sum(text[i : i + 3] == text[:3] for i in range(len(text) - 2))
        assert counts[[at]].toarray()[0, word] == expected
        assert counts[[at]].sum() == len(text) - 2


def test_the_kmer_regression_learns_from_training_chains(sample_store: Store) -> None:
    train = sample_store.rows("train")
    chance = kmer_regression(sample_store, train, 0)
    assert chance.shape == (len(train), len(sample_store.classes))
    assert (chance.argmax(1) == sample_store.labels[train]).mean() > 0.9


def test_scores_by_distance_are_those_of_the_chains_in_each_bin() -> None:
    truth = np.array([0, 1, 0, 1])
    chance = np.eye(2)[[0, 1, 1, 0]]  # the first two are right
    scorers = {"model": lambda at: {"accuracy": single_label_scorer(truth, chance)(at)["accuracy"]}}
    found = by_distance(scorers, {"identity": np.array([0.95, 1.0, 0.1, 0.0])}, 50, 0)
    assert found["bin"].tolist() == ["0 to 0.3", "0.9 to 1"]
    assert found["chains"].tolist() == [2, 2]
    assert found["value"].tolist() == pytest.approx([0, 1])
