"""The yardsticks: fitted on training proteins alone, and blind to structure."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bioblobs.config.schema import DataConfig
from bioblobs.evaluation.untrained_baselines import composition_regression, majority, sequence_features
from bioblobs.sources.preparation import prepare_store
from bioblobs.splits import SPLITS
from bioblobs.store.packed import Store
from conftest import ROOT

Baseline = Callable[[Store, np.ndarray], np.ndarray]
BASELINES: dict[str, Baseline] = {
    "majority": majority,
    "composition": lambda store, rows: composition_regression(store, rows, 0),
}


@pytest.fixture(scope="module")
def multilabel_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """About 60 short chains with their most frequent molecular functions."""
    path = tmp_path_factory.mktemp("functions") / "prepared"
    data = DataConfig(
        data_dir=str(ROOT / "data"),
        dataset_name="geneontology",
        split="random",
        subset=60,
        max_length=120,
        min_class_size=40,
        edge_types="knn_4",
    )
    prepare_store(data, path)
    return Store(path)


@pytest.fixture(params=["single label", "several labels"])
def store(request: pytest.FixtureRequest, sample_store: Store, multilabel_store: Store) -> Store:
    return sample_store if request.param == "single label" else multilabel_store


def with_changed_labels(store: Store, split: str) -> Store:
    """The same store, the labels of one split turned around."""
    changed = copy.copy(store)
    labels = np.array(store.labels)
    rows = store.rows(split)
    labels[rows] = ~labels[rows] if store.multilabel else (labels[rows] + 1) % len(store.classes)
    changed.labels = labels
    return changed


@pytest.mark.parametrize("baseline", BASELINES.values(), ids=list(BASELINES))
def test_probabilities_have_a_column_a_class(store: Store, baseline: Baseline) -> None:
    rows = store.rows("test")
    chance = baseline(store, rows)
    assert chance.shape == (len(rows), len(store.classes))
    assert np.all((chance >= 0) & (chance <= 1))
    if not store.multilabel:
        np.testing.assert_allclose(chance.sum(1), 1)


@pytest.mark.parametrize("baseline", BASELINES.values(), ids=list(BASELINES))
@pytest.mark.parametrize("split", ["test", "val"])
def test_labels_outside_training_change_nothing(store: Store, baseline: Baseline, split: str) -> None:
    rows = store.rows("test")
    np.testing.assert_array_equal(baseline(with_changed_labels(store, split), rows), baseline(store, rows))


@pytest.mark.parametrize("baseline", BASELINES.values(), ids=list(BASELINES))
def test_training_labels_do_change_it(store: Store, baseline: Baseline) -> None:
    rows = store.rows("test")
    assert not np.allclose(baseline(with_changed_labels(store, "train"), rows), baseline(store, rows))


@pytest.mark.parametrize("baseline", BASELINES.values(), ids=list(BASELINES))
def test_prediction_does_not_depend_on_the_other_test_proteins(store: Store, baseline: Baseline) -> None:
    """Were features standardised on what is predicted, one protein alone would come out otherwise."""
    rows = store.rows("test")
    together = baseline(store, rows)
    np.testing.assert_allclose(baseline(store, rows[2:3]), together[2:3], rtol=1e-9)


def test_majority_is_the_frequency_in_training(store: Store) -> None:
    labels = np.asarray(store.labels[store.rows("train")])
    wanted = [
        np.mean(labels[:, i]) if store.multilabel else np.mean(labels == i) for i in range(len(store.classes))
    ]
    for line in majority(store, store.rows("test")):
        np.testing.assert_allclose(line, wanted)


def test_features_are_shares_and_the_logarithm_of_the_length(store: Store) -> None:
    rows = store.rows("val")
    features = sequence_features(store, rows)
    assert features.shape == (len(rows), 22)
    np.testing.assert_allclose(features[:, :21].sum(1), 1)
    np.testing.assert_allclose(np.exp(features[:, 21]), store.lengths[rows])


def test_composition_learns_a_class_that_is_composition(tmp_path: Path) -> None:
    """Class 0 is made of alanine, class 1 of glycine: nothing else tells them apart."""
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    lengths = rng.integers(20, 40, 40)
    types = [
        rng.choice([5 * label, 7], length, p=[0.8, 0.2])
        for label, length in zip(labels, lengths, strict=True)
    ]
    split = np.repeat([0, 2], 20)
    made = SimpleNamespace(
        labels=labels,
        multilabel=False,
        classes=["a", "b"],
        offsets=np.cumsum([0, *lengths]),
        residue_types=np.concatenate(types).astype(np.uint8),
        rows=lambda name: np.flatnonzero(split == SPLITS.index(name)),
    )
    chance = composition_regression(made, made.rows("test"), 0)
    assert (chance.argmax(1) == labels[20:]).all()


def test_term_that_all_training_proteins_have_is_certain(multilabel_store: Store) -> None:
    """ProteinShake's gene ontology keeps the root term, which every protein has."""
    rooted = copy.copy(multilabel_store)
    rooted.labels = np.array(multilabel_store.labels)
    rooted.labels[:, 0] = True
    rows = rooted.rows("test")
    np.testing.assert_allclose(composition_regression(rooted, rows, 0)[:, 0], 1)
