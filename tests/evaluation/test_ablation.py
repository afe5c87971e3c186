"""Blobs changed or taken away: only for the forward pass that asks for it, and with an effect."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from bioblobs.checkpoints.build import build_model
from bioblobs.config.schema import ModelConfig
from bioblobs.evaluation.ablation import blobs_of_another, random_partition, with_input, without_blobs
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.inference.predict import plain_forward
from bioblobs.models.bioblobs import BioBlobs
from conftest import batch_of, random_chain


@pytest.fixture
def batch() -> ProteinBatch:
    return batch_of([random_chain(length, length) for length in (50, 35, 42)])


def model_of(head: str = "additive", with_codebook: bool = True, blob_view: str = "alone") -> BioBlobs:
    torch.manual_seed(1)
    config = ModelConfig(
        node_h_dim=(16, 4),
        edge_h_dim=(8, 1),
        num_layers=1,
        max_clusters=4,
        codebook_size=16,
        head=head,
        blob_view=blob_view,
    )
    return build_model(config, 3, with_codebook).eval()


@pytest.fixture
def model() -> BioBlobs:
    return model_of()


def state(model: BioBlobs) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def assert_same_state(model: BioBlobs, before: dict[str, torch.Tensor]) -> None:
    after = model.state_dict()
    assert after.keys() == before.keys()
    assert [name for name, value in before.items() if not torch.equal(value, after[name])] == []


@torch.no_grad()
def test_random_partition_restores_the_weights(model: BioBlobs, batch: ProteinBatch) -> None:
    model.partitioner.tau.fill_(0.3)
    before, whole = state(model), model(batch)
    with random_partition(model, 0):
        other = model(batch)
        others_changed = [n for n, v in before.items() if not torch.equal(v, model.state_dict()[n])]
    assert_same_state(model, before)
    assert all(name.startswith("partitioner.") for name in others_changed)
    assert {name for name, _ in model.named_parameters() if name.startswith("partitioner.")} == set(
        others_changed
    )
    assert not torch.equal(
        other.blobs.assignment, whole.blobs.assignment
    )  # and there was something to restore
    torch.testing.assert_close(model(batch).logits, whole.logits, rtol=0, atol=0)


def test_random_partition_restores_the_weights_after_an_error(model: BioBlobs) -> None:
    before = state(model)
    with pytest.raises(KeyboardInterrupt), random_partition(model, 0):
        raise KeyboardInterrupt
    assert_same_state(model, before)
    assert all(parameter.requires_grad for parameter in model.parameters())


@torch.no_grad()
def test_random_partition_follows_its_seed_alone(model: BioBlobs, batch: ProteinBatch) -> None:
    def assignment(seed: int) -> list[int]:
        with random_partition(model, seed):
            return model(batch).blobs.assignment.tolist()

    first = assignment(0)
    torch.manual_seed(77)
    drawn = torch.rand(1)
    torch.manual_seed(77)
    assert assignment(0) == first
    assert torch.rand(1) == drawn, "the global generator was used"
    assert assignment(1) != first


@pytest.mark.parametrize("trained", ["raw", "quantised"])
@pytest.mark.parametrize("asked", ["raw", "quantised"])
@torch.no_grad()
def test_input_is_as_asked_and_restored(
    model: BioBlobs, batch: ProteinBatch, trained: str, asked: str
) -> None:
    model.blob_input = asked
    wanted = model(batch).logits
    model.blob_input = trained
    seen = with_input(asked)(model, batch).logits
    assert model.blob_input == trained
    torch.testing.assert_close(seen, wanted, rtol=0, atol=0)


@torch.no_grad()
def test_codes_and_embeddings_are_not_the_same_input(model: BioBlobs, batch: ProteinBatch) -> None:
    raw, quantised = with_input("raw")(model, batch), with_input("quantised")(model, batch)
    assert not torch.allclose(raw.logits, quantised.logits)
    assert torch.equal(raw.codes, quantised.codes)


def test_input_is_restored_after_an_error(model: BioBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("bioblobs.evaluation.ablation.plain_forward", fail)
    with pytest.raises(RuntimeError):
        with_input("raw")(model, None)
    assert model.blob_input == "quantised"


@torch.no_grad()
def test_without_blobs_nothing_of_them_is_seen(batch: ProteinBatch) -> None:
    model = model_of("full", blob_view="context")
    whole, bare = plain_forward(model, batch), without_blobs(model, batch)
    assert not bare.importance.any()
    assert not torch.allclose(whole.logits, bare.logits)
    with random_partition(model, 0):  # other blobs, the same pooled residues
        torch.testing.assert_close(without_blobs(model, batch).logits, bare.logits, rtol=0, atol=1e-6)


@pytest.mark.parametrize("blob_view", ["alone", "context"])
@pytest.mark.parametrize("head", ["additive", "blobs"])
@torch.no_grad()
def test_without_blobs_heads_of_blobs_alone_tell_no_proteins_apart(
    batch: ProteinBatch, head: str, blob_view: str
) -> None:
    logits = without_blobs(model_of(head, blob_view=blob_view), batch).logits
    torch.testing.assert_close(logits, logits[:1].expand_as(logits))


@pytest.mark.parametrize("head", ["additive", "full", "blobs"])
@torch.no_grad()
def test_blobs_of_another_protein_are_those_of_the_one_before(batch: ProteinBatch, head: str) -> None:
    model = model_of(head, with_codebook=False)
    swapped = blobs_of_another(model, batch)
    pooled, blobs = model.partition(batch)
    for protein, donor in ((0, 2), (1, 0), (2, 1)):
        logits, importance = model.readout(
            pooled[protein : protein + 1], blobs.embedding[donor : donor + 1], blobs.mask[donor : donor + 1]
        )[:2]
        torch.testing.assert_close(swapped.logits[protein], logits[0])
        torch.testing.assert_close(swapped.importance[protein], importance[0])


@pytest.mark.parametrize("forward", [plain_forward, without_blobs, blobs_of_another, with_input("raw")])
@torch.no_grad()
def test_no_variant_changes_the_model(
    model: BioBlobs, batch: ProteinBatch, forward: Callable[..., object]
) -> None:
    before, whole = state(model), model(batch).logits
    forward(model, batch)
    assert_same_state(model, before)
    assert not model.training
    torch.testing.assert_close(model(batch).logits, whole, rtol=0, atol=0)
