"""The store that the other trainings see: the same proteins, and labels that mean nothing if wanted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from stub import made_model

from bioblobs.config.schema import DataConfig
from bioblobs.faithfulness.chains import Chains, chosen_rows
from bioblobs.faithfulness.other_models import compare_models, copy_with_permuted_labels
from bioblobs.store.packed import Store, open_store
from conftest import ROOT


def test_copied_store(sample_store: Store, tmp_path: Path) -> None:
    copy_with_permuted_labels(sample_store, tmp_path / "copy", 7)
    data = DataConfig(data_dir=str(ROOT / "data"), subset=120, max_length=100, edge_types="knn_8")
    copy = open_store(tmp_path / "copy", data.identity())
    copy.verify()
    assert np.array_equal(copy.coordinates, sample_store.coordinates)
    assert np.array_equal(copy.split, sample_store.split)
    for split in ("train", "val", "test"):
        rows = copy.rows(split)
        same = np.array_equal(copy.labels[rows], sample_store.labels[rows])
        assert same == (split == "test")
        assert sorted(copy.labels[rows]) == sorted(sample_store.labels[rows])


def test_the_model_itself_agrees_and_gains_nothing_over_itself(chains: Chains) -> None:
    model = made_model(chains.store, seed=1)
    made = compare_models(model, {"itself": model, "other": made_model(chains.store, seed=2)}, chains, 0)
    assert made["agreement"]["itself"]["blobs"]["value"] == 1
    assert made["deletion_gain"]["itself"] == {"value": 0, "low": 0, "high": 0}
    assert made["agreement"]["other"]["blobs"]["value"] < 0.3
    assert set(made["masking_correlation"]) == {"itself", "other"}


def test_rows_are_drawn_by_the_seed(sample_store: Store) -> None:
    rows = sample_store.rows("test")
    assert np.array_equal(chosen_rows(sample_store, "test", None, 0), rows)
    assert np.array_equal(chosen_rows(sample_store, "test", len(rows), 0), rows)
    some = chosen_rows(sample_store, "test", 5, 0)
    assert len(set(some)) == 5 and set(some) <= set(rows) and (np.diff(some) > 0).all()
    assert np.array_equal(some, chosen_rows(sample_store, "test", 5, 0))
    assert not np.array_equal(some, chosen_rows(sample_store, "test", 5, 1))
