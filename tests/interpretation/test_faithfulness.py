"""Removing residues: nothing else about a protein changes, and a dependence that is there is found."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from bioblobs.datasets.batching import collate
from bioblobs.datasets.store import Store
from bioblobs.evaluation.predict import predictions
from bioblobs.graphs.residue_graph import ProteinBatch
from bioblobs.interpretation.faithfulness import deletion_test, without_residues
from bioblobs.interpretation.records import protein_records
from bioblobs.parameters.schema import ModelConfig
from bioblobs.training.build import build_model
from conftest import batch_of

SITE = [4, 5, 6, 11, 12]
"""Residues on which the stub's prediction depends, in every protein."""


def assert_same_batch(one: ProteinBatch, other: ProteinBatch) -> None:
    for name in ("coordinates", "residue_types", "positions", "batch", "labels", "proteins", "neighbours"):
        torch.testing.assert_close(getattr(one, name), getattr(other, name), rtol=0, atol=0, msg=name)
    pairs = [set(map(tuple, each.edge_index.T.tolist())) for each in (one, other)]
    assert pairs[0] == pairs[1]
    assert (one.edge_valid is None) == (other.edge_valid is None)


def test_removing_nothing_is_the_batch_itself(sample_store: Store) -> None:
    rows = sample_store.rows("test")[:5]
    assert_same_batch(without_residues(sample_store, rows, [[]] * 5), collate(sample_store, rows))


def test_the_others_keep_place_identity_and_coordinates(sample_store: Store) -> None:
    rows = sample_store.rows("test")[[4, 1]]
    removed = [[0, 7, 8, 30], list(range(10, 25))]
    whole, less = collate(sample_store, rows), without_residues(sample_store, rows, removed)
    gone = torch.zeros(len(whole.batch), dtype=torch.bool)
    for place, residues in enumerate(removed):
        gone[int((whole.batch == place).nonzero()[0]) + torch.tensor(residues)] = True
    for name in ("coordinates", "residue_types", "positions", "batch"):
        torch.testing.assert_close(getattr(less, name), getattr(whole, name)[~gone], rtol=0, atol=0)
    assert less.labels.tolist() == whole.labels.tolist()
    # positions jump where residues are missing: the gap stays visible
    assert less.positions[:4].tolist() == [1, 2, 3, 4]


def test_neighbours_are_found_anew(sample_store: Store) -> None:
    """As if the structure file had never had the residues."""
    rows = sample_store.rows("test")[:3]
    removed = [list(range(5, 15))] * 3
    less = without_residues(sample_store, rows, removed)
    chains = [less.coordinates[less.batch == place].numpy() for place in range(3)]
    afresh = batch_of(chains, k=8)
    torch.testing.assert_close(less.neighbours, afresh.neighbours, rtol=0, atol=0)
    pairs = [set(map(tuple, each.edge_index.T.tolist())) for each in (less, afresh)]
    assert pairs[0] == pairs[1]


def test_fewer_residues_than_neighbours_may_be_left(sample_store: Store) -> None:
    row = int(sample_store.rows("test")[0])
    length = int(sample_store.lengths[row])
    less = without_residues(sample_store, np.array([row]), [list(range(3, length))])
    assert less.positions.tolist() == [0, 1, 2]
    assert less.edge_valid is not None
    assert less.edge_valid.sum(1).tolist() == [2, 2, 2]
    assert less.edge_index.shape[1] == 6


class Stub:
    """Believes in class 1 the more, the more residues of ``site`` a protein has (by place in its chain)."""

    def __init__(self, site: list[int]) -> None:
        self.site = torch.tensor(site)

    def eval(self) -> Stub:
        return self

    def __call__(self, batch: ProteinBatch) -> SimpleNamespace:
        there = torch.isin(batch.positions, self.site).double()
        count = torch.zeros(batch.num_proteins, dtype=torch.double).index_add_(0, batch.batch, there)
        logit = 2 * count - 1
        return SimpleNamespace(logits=torch.stack([torch.zeros_like(logit), logit, logit - 9], 1))


def stub_records(store: Store, model: Stub, top: list[int]) -> tuple[np.ndarray, list[Any]]:
    """Records as they would be, with ``top`` as the most important blob."""
    rows = store.rows("test")
    logits = model(collate(store, rows)).logits
    chance = (logits.sigmoid() if store.multilabel else logits.softmax(-1)).numpy()
    blobs = [{"importance": 0.2, "residues": [0, 1]}, {"importance": 0.7, "residues": top}]
    return rows, [
        {"length": int(store.lengths[row]), "probabilities": dict(enumerate(p.tolist())), "blobs": blobs}
        for row, p in zip(rows, chance, strict=True)
    ]


def test_fall_is_found_where_the_prediction_rests_on_the_top_blob(sample_store: Store) -> None:
    model = Stub(SITE)
    rows, records = stub_records(sample_store, model, SITE)
    summary, falls = deletion_test(model, sample_store, rows, records, repeats=4, seed=0)
    assert summary["proteins"] == len(rows) == len(falls)
    # by hand: from softmax(0, 9, 0) to softmax(0, -1, -10) in class 1
    before = np.exp(9) / (np.exp(9) + 2)
    after = np.exp(-1) / (1 + np.exp(-1) + np.exp(-10))
    np.testing.assert_allclose(falls[:, 0], before - after, rtol=1e-6)
    assert summary["fall_top_blob"]["value"] == pytest.approx(before - after, abs=1e-5)
    assert summary["fall_random_residues"]["value"] < 0.1
    assert summary["difference"]["low"] > 0.5
    assert summary["share_top_blob_falls_more"] == 1
    assert summary["wilcoxon_p"] < 0.01


def test_no_fall_where_the_top_blob_does_not_matter(sample_store: Store) -> None:
    model = Stub(SITE)
    rows, records = stub_records(sample_store, model, [20, 21, 22])
    summary, falls = deletion_test(model, sample_store, rows, records, repeats=4, seed=0)
    np.testing.assert_allclose(falls[:, 0], 0, atol=1e-9)
    assert summary["share_top_blob_falls_more"] == 0
    assert summary["wilcoxon_p"] > 0.5


def test_prediction_that_rests_on_nothing_does_not_fall(sample_store: Store) -> None:
    model = Stub([])
    rows, records = stub_records(sample_store, model, SITE)
    summary, falls = deletion_test(model, sample_store, rows, records, repeats=2, seed=0)
    np.testing.assert_allclose(falls, 0, atol=1e-9)
    assert summary["wilcoxon_p"] == 1


def test_random_residues_are_as_many_and_different(
    sample_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[Any]] = []

    def watched(store: Store, rows: np.ndarray, removed: list[Any]) -> ProteinBatch:
        seen.append([list(each) for each in removed])
        return without_residues(store, rows, removed)

    monkeypatch.setattr("bioblobs.interpretation.faithfulness.without_residues", watched)
    model = Stub(SITE)
    rows, records = stub_records(sample_store, model, SITE)
    deletion_test(model, sample_store, rows, records, repeats=3, seed=0)
    assert len(seen) == 1 + 3
    assert all(sorted(each) == SITE for each in seen[0])
    for draw in seen[1:]:
        for row, residues in zip(rows, draw, strict=True):
            assert len(residues) == len(set(residues)) == len(SITE)
            assert all(0 <= residue < sample_store.lengths[row] for residue in residues)
    assert len({json.dumps(draw, default=int) for draw in seen[1:]}) == 3


def test_protein_that_is_one_blob_is_left_out(sample_store: Store) -> None:
    """Without any residue there is nothing to predict."""
    model = Stub(SITE)
    rows, records = stub_records(sample_store, model, SITE)
    records[0]["blobs"] = [{"importance": 1.0, "residues": list(range(records[0]["length"]))}]
    summary, falls = deletion_test(model, sample_store, rows, records, repeats=1, seed=0)
    assert summary["proteins"] == len(falls) == len(rows) - 1


def test_two_runs_give_the_same_json(sample_store: Store) -> None:
    """With a real model, from the pass that makes the records on."""
    torch.manual_seed(0)
    config = ModelConfig(node_h_dim=(16, 2), edge_h_dim=(8, 1), num_layers=1, codebook_size=8)
    model = build_model(config, len(sample_store.classes), with_codebook=True).eval()
    rows = sample_store.rows("test")[:8]
    ids = sample_store.table()["id"].tolist()

    def run(global_seed: int, seed: int = 0) -> str:
        torch.manual_seed(global_seed)
        np.random.seed(global_seed)  # noqa: NPY002 - the global generators must not matter
        records = [
            record
            for batch, prediction in predictions(model, sample_store, rows)
            for record in protein_records(sample_store, ids, batch, prediction)
        ]
        summary, falls = deletion_test(model, sample_store, rows, records, 2, seed)
        return json.dumps([summary, falls.tolist()], allow_nan=False)

    assert run(1) == run(2)
    assert run(1, seed=1) != run(1, seed=0)
