"""Losses: each weight counts, each term has its gradient, the schedules are their formulas."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from bioblobs.checkpoints.build import build_model
from bioblobs.config.schema import ModelConfig
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.models.bioblobs import BioBlobs, Prediction
from bioblobs.training.losses import (
    LossWeights,
    cardinality_loss,
    classification_loss,
    loss_terms,
    ramp,
    temperature,
)
from conftest import batch_of, random_chain

PRIOR, SMOOTHING, CLASSES = 5.0, 0.1, 3


@pytest.fixture
def batch() -> ProteinBatch:
    return batch_of([random_chain(length, seed=length) for length in (30, 20, 12)], labels=[0, 2, 1])


@pytest.fixture
def model() -> BioBlobs:
    config = ModelConfig(node_h_dim=(16, 4), num_layers=1, max_clusters=4, codebook_size=8, drop_rate=0.0)
    return build_model(config, CLASSES, with_codebook=True).eval()


def terms_of(
    prediction: Prediction, labels: Tensor, weights: LossWeights, share: float = 1.0
) -> dict[str, Tensor]:
    return loss_terms(prediction, labels, weights, share, PRIOR, SMOOTHING)


# Schedules


def test_ramp_rises_linearly_to_one_and_stays() -> None:
    assert [ramp(epoch, True, 4) for epoch in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    assert [ramp(epoch, False, 4) for epoch in range(3)] == [1.0, 1.0, 1.0]
    assert ramp(0, True, 1) == 1.0


def test_temperature_decays_from_its_start_to_its_floor() -> None:
    taus = [temperature(epoch, 2.0, 0.3, 0.8) for epoch in range(30)]
    for epoch, tau in enumerate(taus):
        assert tau == pytest.approx(max(0.3, 2.0 * 0.8**epoch))
    assert taus[0] == 2.0 and taus[-1] == 0.3
    assert all(later <= earlier for earlier, later in pairwise(taus))


# The weighted sum


TERM_OF = {"card": "card", "vq": "commit", "psc": "psc", "ent": "ent"}


@pytest.mark.parametrize("weight", TERM_OF)
def test_each_lambda_changes_the_loss_by_its_own_term(
    batch: ProteinBatch, model: BioBlobs, weight: str
) -> None:
    # The trap: weights set and printed, never multiplied in.
    none, term = LossWeights(), TERM_OF[weight]
    prediction, share = model(batch), 0.5
    without = terms_of(prediction, batch.labels, none, share)
    with_it = terms_of(prediction, batch.labels, replace(none, **{weight: 0.7}), share)
    scale = {"card": 1.0, "vq": share * none.beta, "psc": share, "ent": share}[weight]
    assert without[term] > 0
    torch.testing.assert_close(with_it["loss"] - without["loss"], 0.7 * scale * without[term])
    torch.testing.assert_close(without["loss"], without["cls"])


def test_the_ramp_scales_the_vq_terms_and_nothing_else(batch: ProteinBatch, model: BioBlobs) -> None:
    weights = LossWeights(card=0.1, vq=1.0, psc=0.5, ent=0.3)
    prediction = model(batch)
    zero, half, full = (terms_of(prediction, batch.labels, weights, share) for share in (0.0, 0.5, 1.0))
    torch.testing.assert_close(zero["loss"], zero["cls"] + 0.1 * zero["card"])
    assert full["loss"] > zero["loss"]
    torch.testing.assert_close(half["loss"], (zero["loss"] + full["loss"]) / 2)


def test_every_weighted_term_reaches_the_encoder(batch: ProteinBatch, model: BioBlobs) -> None:
    for name in ("cls", "card", "commit", "psc", "ent"):
        model.zero_grad()
        terms_of(model(batch), batch.labels, LossWeights())[name].backward()
        gradient = model.encoder.node_in.w_s.weight.grad
        assert gradient is not None and gradient.isfinite().all() and gradient.abs().max() > 0, name


def test_without_a_codebook_there_are_no_vq_terms(batch: ProteinBatch, model: BioBlobs) -> None:
    model.codebook = None
    terms = terms_of(model(batch), batch.labels, LossWeights(card=0.2, vq=1.0, psc=1.0, ent=1.0))
    assert set(terms) == {"cls", "card", "loss"}
    torch.testing.assert_close(terms["loss"], terms["cls"] + 0.2 * terms["card"])


# Cardinality


@pytest.mark.parametrize(("size", "toward_prior"), [(2.0, 1), (9.0, -1)])
def test_cardinality_loss_pulls_real_blobs_toward_the_prior(size: float, toward_prior: int) -> None:
    expected = torch.full((2, 3), size, requires_grad=True)
    mask = torch.tensor([[True, True, False], [True, False, False]])
    cardinality_loss(expected, mask, PRIOR).backward()
    assert expected.grad is not None
    assert (-expected.grad[mask].sign() == toward_prior).all()  # where gradient descent goes
    assert (expected.grad[~mask] == 0).all()


def test_cardinality_loss_is_zero_at_the_prior_and_a_mean_over_blobs() -> None:
    mask = torch.tensor([[True, False], [True, True]])
    assert cardinality_loss(torch.full((2, 2), PRIOR), mask, PRIOR) == 0
    sizes = torch.tensor([[2 * PRIOR, 77.0], [PRIOR, 3 * PRIOR]])
    assert cardinality_loss(sizes, mask, PRIOR) == pytest.approx((1 + 0 + 4) / 3)


def test_a_single_blob_has_its_whole_cardinality_loss() -> None:
    mask = torch.tensor([[True, False]])
    assert cardinality_loss(torch.full((1, 2), 2 * PRIOR), mask, PRIOR) == pytest.approx(1)


def test_cardinality_gradient_reaches_the_partitioner(batch: ProteinBatch, model: BioBlobs) -> None:
    # The trap: built from detached values, it moves nothing.
    terms_of(model(batch), batch.labels, LossWeights())["card"].backward()
    heads = (model.partitioner.query, model.partitioner.key, model.partitioner.threshold[0])
    for head in heads:
        assert head.weight.grad is not None and head.weight.grad.abs().max() > 0


# Classification


def test_single_label_is_cross_entropy_and_unseen_classes_do_not_count() -> None:
    logits = torch.randn(5, CLASSES, requires_grad=True)
    labels = torch.tensor([0, -1, 2, -1, 1])
    seen = labels >= 0
    loss = classification_loss(logits, labels, SMOOTHING)
    expected = F.cross_entropy(logits[seen], labels[seen], label_smoothing=SMOOTHING)
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert logits.grad is not None and (logits.grad[~seen] == 0).all()


def test_a_batch_of_unseen_classes_alone_has_no_loss() -> None:
    assert classification_loss(torch.randn(2, CLASSES), torch.tensor([-1, -1]), SMOOTHING) == 0


def test_multi_label_is_binary_cross_entropy() -> None:
    # The trap: several classes through one softmax, as if they excluded each other.
    logits, labels = torch.randn(4, CLASSES), torch.rand(4, CLASSES) > 0.5
    p = logits.sigmoid()
    expected = -torch.where(labels, p.log(), (1 - p).log()).mean()
    torch.testing.assert_close(classification_loss(logits, labels, SMOOTHING), expected)
