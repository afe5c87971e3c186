"""A record of a protein comes from one forward pass, and names residues as their structure file does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
import torch

from bioblobs.checkpoints.build import build_model
from bioblobs.config.schema import ModelConfig
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.inference.chain import Blob, Chain, worth
from bioblobs.inference.predict import predictions, probabilities
from bioblobs.inference.records import author_labels, chain_records, explanation
from bioblobs.interpretation.report_file import schema
from bioblobs.models.bioblobs import BioBlobs, Prediction
from bioblobs.models.readout import AdditiveReadout
from bioblobs.proteins.alphabet import SYMBOLS
from bioblobs.proteins.record import Protein
from bioblobs.store.batches import collate
from bioblobs.store.packed import Store
from bioblobs.store.writer import StoreWriter
from conftest import random_chain

CLASSES = ["c0", "c1", "c2"]
LENGTHS = (24, 5, 1, 40)


def odd_protein(length: int, seed: int) -> Protein:
    """Numbers from -3 with a gap, every fifth residue inserted at the number before, two chains."""
    places = np.arange(length)
    inserted = places % 5 == 4
    return Protein(
        id=f"p{seed}",
        residue_types=(places % len(SYMBOLS)).astype(np.uint8),
        residue_numbers=(places - 3 - inserted + 100 * (places > length // 2)).astype(np.int32),
        insertion_codes=np.where(inserted, b"A", b"").astype("S1"),
        chain_ids=np.where(places < length - 6, b"L", b"H2").astype("S4"),
        coordinates=random_chain(length, seed),
    )


def make_store(path: Path, multilabel: bool) -> Store:
    proteins = [odd_protein(length, seed) for seed, length in enumerate(LENGTHS)]
    labels: Any = np.array([2, 0, -1, 1])
    if multilabel:
        labels = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]], bool)
    meta = {"multilabel": multilabel, "classes": CLASSES, "class_names": CLASSES, "task": "t"}
    with StoreWriter(path, "knn_6") as writer:
        for protein in proteins:
            writer.add(protein)
        table = pd.DataFrame({"id": [protein.id for protein in proteins]})
        writer.finish(
            labels,
            np.full(len(proteins), 2, np.uint8),
            table,
            {**meta, "parameters": {"edge_types": "knn_6"}},
        )
    return Store(path)


@pytest.fixture(params=[False, True], ids=["single label", "several labels"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return make_store(tmp_path / "store", request.param)


@pytest.fixture(params=["additive", "attention"])
def model(request: pytest.FixtureRequest, store: Store) -> BioBlobs:
    return make_model(store.multilabel, request.param == "additive")


def make_model(multilabel: bool, additive: bool, with_codebook: bool = True) -> BioBlobs:
    """Tiny and untrained; the additive one reads blobs alone and has a base."""
    torch.manual_seed(3)
    config = ModelConfig(
        node_h_dim=(16, 4),
        edge_h_dim=(8, 1),
        num_layers=1,
        max_clusters=4,
        codebook_size=12,
        head="additive" if additive else "full",
        blob_view="alone" if additive else "context",
    )
    model = build_model(config, len(CLASSES), with_codebook, multilabel).eval()
    if isinstance(model.readout, AdditiveReadout):  # it begins at zero
        with torch.no_grad():
            model.readout.bias.copy_(torch.tensor([0.5, -0.25, 0.1]))
    return model


def passed(store: Store, model: BioBlobs, rows: list[int]) -> tuple[ProteinBatch, Prediction, list[Chain]]:
    ids = store.table()["id"].tolist()
    [(batch, prediction)] = predictions(model, store, np.array(rows))
    return batch, prediction, chain_records(store, ids, batch, prediction)


def test_records_are_those_of_the_pass(store: Store, model: BioBlobs) -> None:
    rows = [3, 0, 2, 1]  # not in the store's order
    batch, prediction, records = passed(store, model, rows)
    assert [record.id for record in records] == [f"p{row}" for row in rows]
    for place, record in enumerate(records):
        slots = prediction.blobs.mask[place].nonzero().squeeze(-1).tolist()
        assert [blob.slot for blob in record.grown] == slots
        assert len(slots) >= 1  # even one residue makes a blob
        in_batch = (batch.batch == place).nonzero().squeeze(-1)
        for blob in record.blobs:
            slot = blob.slot
            assert blob.code == int(prediction.codes[place, slot])
            assert blob.importance == pytest.approx(float(prediction.importance[place, slot]), abs=1e-6)
            if prediction.contributions is None:
                assert blob.contributions is blob.contribution is None
            else:
                parts = prediction.contributions[place, slot].numpy()
                assert list(blob.contributions) == CLASSES
                np.testing.assert_allclose(list(blob.contributions.values()), parts, atol=1e-6)
                best = int(prediction.logits[place].argmax())
                assert blob.contribution == pytest.approx(float(parts[best]), abs=1e-6)
            members = (prediction.blobs.assignment[in_batch] == slot).nonzero().squeeze(-1).tolist()
            assert sorted(blob.residues) == members
            assert blob.size == len(members) == int(prediction.blobs.size[place, slot])
            chances = prediction.blobs.membership[in_batch][torch.tensor(blob.residues)]
            np.testing.assert_allclose(blob.membership, chances.numpy(), atol=1e-4)
            assert bool(prediction.blobs.seeds[in_batch][blob.seed])


def test_blobs_are_disjoint_parts_with_shares_of_one(store: Store, model: BioBlobs) -> None:
    for record in passed(store, model, [0, 1, 2, 3])[2]:
        residues = [residue for blob in record.blobs for residue in blob.residues]
        assert len(residues) == len(set(residues))
        assert set(residues) <= set(range(record.length))
        some = any(blob.contribution is None or blob.contribution > 0 for blob in record.blobs)
        assert sum(blob.importance for blob in record.blobs) == pytest.approx(float(some), abs=1e-5)
        for blob in record.blobs:
            assert blob.seed in blob.residues
            lists = (blob.residues, blob.author, blob.sequence, blob.membership)
            assert {len(each) for each in lists} == {blob.size}


def test_author_names_are_those_of_the_structure_file(store: Store, model: BioBlobs) -> None:
    for row, record in enumerate(passed(store, model, [0, 1, 2, 3])[2]):
        protein = odd_protein(LENGTHS[row], row)
        for blob in record.blobs:
            for residue, name, letter in zip(blob.residues, blob.author, blob.sequence, strict=True):
                chain = protein.chain_ids[residue].decode()
                code = protein.insertion_codes[residue].decode()
                assert name == f"{chain}/{protein.residue_numbers[residue]}{code}"
                assert letter == SYMBOLS[protein.residue_types[residue]]


def test_negative_numbers_insertions_and_chains_are_written_out(store: Store) -> None:
    assert author_labels(store, 0, np.arange(6)) == ["L/-3", "L/-2", "L/-1", "L/0", "L/0A", "L/2"]
    assert author_labels(store, 0, np.array([23, 0])) == ["H2/120", "L/-3"]  # in the order asked for
    assert author_labels(store, 1, np.array([4])) == ["H2/100A"]


def test_probabilities_are_those_of_the_task(store: Store, model: BioBlobs) -> None:
    _, prediction, records = passed(store, model, [0, 1, 2, 3])
    logits = prediction.logits.double()
    wanted = 1 / (1 + np.exp(-logits.numpy()))
    if not store.multilabel:
        powers = np.exp(logits.numpy())
        wanted = powers / powers.sum(1, keepdims=True)
    for record, chance in zip(records, wanted, strict=True):
        assert list(record.probabilities) == CLASSES
        np.testing.assert_allclose(list(record.probabilities.values()), chance, atol=1e-6)
        likely = [name for name, p in zip(CLASSES, chance, strict=True) if p >= 0.5]
        assert record.predicted == (likely if store.multilabel else [CLASSES[chance.argmax()]])


def test_logits_are_the_base_and_what_blobs_contribute(store: Store) -> None:
    model = make_model(store.multilabel, additive=True)
    about = explanation(model, {"head": "additive", "blob_view": "alone"}, CLASSES)
    _, prediction, records = passed(store, model, [0, 1, 2, 3])
    for record, logits in zip(records, prediction.logits.double().numpy(), strict=True):
        wanted = logits if store.multilabel else logits - logits.mean()
        np.testing.assert_allclose(list(record.logits.values()), wanted, atol=1e-6)
        assert record.explained == CLASSES[int(logits.argmax())]
        for label in CLASSES:
            parts = [blob.contributions[label] for blob in record.blobs]
            assert record.logits[label] == pytest.approx(about["base"][label] + sum(parts), abs=1e-5)
    assert any(abs(value) > 0.05 for value in about["base"].values())


def test_a_blob_contributes_its_codes_row_of_the_scorecard(store: Store) -> None:
    model = make_model(store.multilabel, additive=True)
    assert model.codebook is not None
    found = passed(store, model, [0, 1, 2, 3])[1].blobs
    embeddings = found.embedding[found.mask]
    size = model.codebook.size
    assert 1 < len(embeddings) <= size
    rest = torch.full((size - len(embeddings), embeddings.shape[1]), 100.0)
    model.codebook.fill(torch.cat([embeddings, rest]), torch.ones(size))  # a code per blob
    scorecard = model.scorecard()
    assert scorecard is not None
    blobs = [blob for record in passed(store, model, [0, 1, 2, 3])[2] for blob in record.blobs]
    assert len({blob.code for blob in blobs}) > 1
    for blob in blobs:
        row = scorecard[blob.code].tolist()
        assert list(blob.contributions.values()) == pytest.approx(row, abs=1e-5)


def test_an_attention_head_has_logits_but_no_base(store: Store) -> None:
    model = make_model(store.multilabel, additive=False)
    assert explanation(model, {"head": "full", "blob_view": "context"}, CLASSES)["base"] is None
    for record in passed(store, model, [0, 1, 2, 3])[2]:
        total = sum(record.logits.values())
        assert (total == pytest.approx(0, abs=1e-5)) != store.multilabel
        assert record.explained == max(record.logits, key=lambda label: record.logits[label])


def test_records_follow_the_schema(store: Store, model: BioBlobs) -> None:
    part = {"$defs": schema()["$defs"], "type": "array", "items": schema()["properties"]["proteins"]["items"]}
    records = json.loads(as_text(passed(store, model, [0, 1, 2, 3])[2]))
    jsonschema.Draft202012Validator(part).validate(records)


def test_several_likely_terms_are_all_predicted() -> None:
    """A softmax would share out one unit of probability."""
    logits = torch.tensor([[4.0, 3.0, -5.0]])
    assert (probabilities(logits, multilabel=True)[0] > 0.9).tolist() == [True, True, False]
    assert probabilities(logits, multilabel=False).sum() == pytest.approx(1)


def test_true_classes_are_those_of_the_store(store: Store, model: BioBlobs) -> None:
    true = [record.true for record in passed(store, model, [0, 1, 2, 3])[2]]
    single = [["c2"], ["c0"], [], ["c1"]]  # -1: a class that training never saw
    assert true == ([["c0", "c2"], [], ["c0", "c1", "c2"], ["c1"]] if store.multilabel else single)


def test_record_does_not_depend_on_the_batch(store: Store, model: BioBlobs) -> None:
    together = passed(store, model, [0, 1, 2, 3])[2]
    for row in range(4):
        [alone] = passed(store, model, [row])[2]
        assert [blob.residues for blob in alone.blobs] == [blob.residues for blob in together[row].blobs]
        assert [blob.code for blob in alone.blobs] == [blob.code for blob in together[row].blobs]
        for one, other in zip(alone.blobs, together[row].blobs, strict=True):
            assert one.importance == pytest.approx(other.importance, abs=1e-5)


def as_text(records: list[Chain]) -> str:
    return json.dumps([record.to_json() for record in records], allow_nan=False)


def test_two_passes_give_the_same_json(store: Store, model: BioBlobs) -> None:
    texts = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        texts.append(as_text(passed(store, model, [0, 1, 2, 3])[2]))
    assert texts[0] == texts[1]


def test_without_a_codebook_there_is_no_code(store: Store) -> None:
    records = passed(store, make_model(store.multilabel, True, with_codebook=False), [0, 3])[2]
    assert {blob.code for record in records for blob in record.blobs} == {None}


def test_records_match_a_batch_made_by_hand(store: Store, model: BioBlobs) -> None:
    with torch.inference_mode():
        batch = collate(store, np.array([0, 3]))
        by_hand = chain_records(store, store.table()["id"].tolist(), batch, model(batch))
    assert by_hand == passed(store, model, [0, 3])[2]


def test_blobs_are_ranked_by_contribution_or_by_weight(store: Store, model: BioBlobs) -> None:
    for record in passed(store, model, [0, 1, 2, 3])[2]:
        assert [blob.rank for blob in record.blobs] == list(range(1, len(record.blobs) + 1))
        keys = [(-worth(blob.importance, blob.contribution), blob.slot) for blob in record.blobs]
        assert keys == sorted(keys)  # equal ones in the order in which they were grown


def test_a_record_comes_back_from_its_json(store: Store, model: BioBlobs) -> None:
    records = passed(store, model, [0, 1, 2, 3])[2]
    assert [Chain.from_json(each) for each in json.loads(as_text(records))] == records
    unknown = replace(records[0], true=None)
    assert "true" not in unknown.to_json()
    assert Chain.from_json(unknown.to_json()) == unknown


def test_author_numbers_of_a_blob_leave_out_the_chain() -> None:
    blob = Blob(0, 1, 1.0, None, None, None, 0, [0, 1, 2], ["A/52A", "/-3", "H2/1"], "AAA", [1.0] * 3)
    assert (blob.numbers, blob.size) == (["52A", "-3", "1"], 3)


def ranked(importance: list[float], parts: list[float] | None, tmp_path: Path) -> list[int]:
    """Slots by rank of a protein whose blobs have these importances and contributions to its class."""
    store, model = make_store(tmp_path / "ranked", False), make_model(False, additive=parts is not None)
    batch, made, _ = passed(store, model, [3])
    first = torch.arange(len(made.blobs.assignment))
    assignment = torch.where(first < 4, first, -1)  # four blobs of one residue
    mask = torch.ones_like(made.blobs.mask)
    blobs = replace(made.blobs, assignment=assignment, seeds=assignment >= 0, mask=mask)
    every = None if parts is None else torch.tensor(parts)[None, :, None].repeat(1, 1, len(CLASSES))
    other = replace(made, blobs=blobs, importance=torch.tensor([importance]), contributions=every)
    [record] = chain_records(store, store.table()["id"].tolist(), batch, other)
    assert [blob.rank for blob in record.blobs] == [1, 2, 3, 4]
    return [blob.slot for blob in record.blobs]


def test_blobs_that_argue_against_the_class_come_last(tmp_path: Path) -> None:
    """All of them have importance 0."""
    assert ranked([0, 0.25, 0, 0.75], [-2.0, 1.0, -0.5, 3.0], tmp_path) == [3, 1, 2, 0]
    assert ranked([0, 0.25, 0, 0.75], None, tmp_path) == [3, 1, 0, 2]


def test_equal_blobs_keep_the_order_they_were_grown_in(tmp_path: Path) -> None:
    assert ranked([0.25] * 4, None, tmp_path) == [0, 1, 2, 3]
    assert ranked([0, 0.5, 0, 0.5], [-1.0, 2.0, -1.0, 2.0], tmp_path) == [1, 3, 0, 2]
