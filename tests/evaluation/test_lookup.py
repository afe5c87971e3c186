"""Look-up baselines know training chains alone; scores by distance are those of the chains in each bin."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bioblobs.config.schema import EvaluationConfig
from bioblobs.evaluation.by_distance import by_distance
from bioblobs.evaluation.scores import single_label_scorer
from bioblobs.evaluation.trained_baselines import TRAINED
from bioblobs.evaluation.untrained_baselines import (
    FITTED,
    NEAREST,
    baseline_probabilities,
    kmer_counts,
    kmer_regression,
    left_out,
    nearest_chain,
)
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


def test_a_look_up_that_cannot_be_made_is_left_out_with_a_line(sample_store: Store) -> None:
    ids = sample_store.table()["id"].to_numpy(str)
    by_sequence = pd.DataFrame({"nearest_by_identity": ""}, index=ids)
    for nearest, missing in ((by_sequence, ["tm_score"]), (None, ["identity", "tm_score"])):
        names = [NEAREST[measure] for measure in NEAREST]
        made = baseline_probabilities(names, sample_store, sample_store.rows("test")[:3], 0, nearest)
        assert list(made) == [NEAREST[measure] for measure in NEAREST if measure not in missing]
        named = " and ".join(NEAREST[measure] for measure in missing)
        remedy = "leakage.structure_hits is 0" if missing == ["tm_score"] else "run the stage leakage first"
        assert left_out(names, made) == f"left out: {named} ({remedy})"
    assert left_out(["majority"], ["majority"]) is None  # nobody asked for one
    assert left_out(names, names) is None


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


def nearest_of(store: Store, *measures: str) -> pd.DataFrame:
    """nearest.csv that has the first training chain for every test chain."""
    ids = store.table()["id"].to_numpy(str)
    columns = {f"nearest_by_{measure}": ids[store.rows("train")[0]] for measure in measures}
    return pd.DataFrame(columns, index=ids[store.rows("test")])


def test_only_chosen_baselines_are_computed_and_the_key_names_them_all(sample_store: Store) -> None:
    names = EvaluationConfig().baselines
    simple = {*FITTED, *NEAREST.values()}
    assert set(names) == {*simple, *TRAINED}
    rows, nearest = sample_store.rows("test"), nearest_of(sample_store, "identity", "tm_score")
    assert set(baseline_probabilities(names, sample_store, rows, 0, nearest)) == simple
    for chosen in ([], ["kmers"], ["majority", "nearest_structure"]):
        found = baseline_probabilities(chosen, sample_store, rows, 0, nearest)
        assert set(found) == set(chosen)
        assert all(chance.shape == (len(rows), len(sample_store.classes)) for chance in found.values())


def test_lookups_that_were_not_made_are_left_out(sample_store: Store) -> None:
    rows, names = sample_store.rows("test"), list(NEAREST.values())
    assert baseline_probabilities(names, sample_store, rows, 0, None) == {}
    by_sequence = baseline_probabilities(names, sample_store, rows, 0, nearest_of(sample_store, "identity"))
    assert set(by_sequence) == {"nearest_sequence"}
