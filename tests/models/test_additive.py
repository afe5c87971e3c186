"""Evidence that adds up: the sum, what is taken out of it, and the importance made of it."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest
import torch
from held import CLASSES, fill_codebook, small_model
from torch import Tensor

from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.models.bioblobs import BioBlobs
from bioblobs.models.readout import AdditiveReadout

PROTEINS, SLOTS, WIDTH = 40, 6, 16
KINDS: dict[str, dict[str, Any]] = {
    "no codebook": {},
    "quantised": {"with_codebook": True, "blob_input": "quantised"},
    "raw": {"with_codebook": True, "blob_input": "raw"},
    "in context": {"blob_view": "context"},
    "several classes": {"multilabel": True},
    "several classes, quantised": {"multilabel": True, "with_codebook": True},
}


def model_of(kind: str, batch: ProteinBatch) -> BioBlobs:
    """A model of that kind, the bias not zero, and codes that several blobs share."""
    model = small_model(**KINDS[kind])
    assert isinstance(model.readout, AdditiveReadout)
    torch.nn.init.normal_(model.readout.bias)
    if model.codebook is not None:
        fill_codebook(model, batch)
    return model


# The sum


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_logits_are_bias_plus_evidence(real_batch: ProteinBatch, kind: str, precision: str) -> None:
    model = model_of(kind, real_batch)
    with torch.autocast("cpu", torch.bfloat16) if precision == "bf16" else nullcontext():
        made = model(real_batch)
    total = model.readout.bias.expand(real_batch.num_proteins, -1).clone()
    for slot in range(made.blobs.mask.shape[1]):
        total += made.evidence[:, slot].float() * made.blobs.mask[:, slot, None]
    torch.testing.assert_close(made.logits.float(), total, atol=1e-5, rtol=0)
    assert not made.evidence[~made.blobs.mask].any()
    assert made.evidence[made.blobs.mask].std(0).min() > 1e-4  # blobs differ


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_without_a_blob_logits_change_by_exactly_its_evidence(
    real_batch: ProteinBatch, kind: str, precision: str
) -> None:
    model = model_of(kind, real_batch)
    with torch.autocast("cpu", torch.bfloat16) if precision == "bf16" else nullcontext():
        pooled, blobs = model.partition(real_batch)
        whole = model.read(pooled, blobs)
        for slot in range(blobs.mask.shape[1]):
            mask = blobs.mask.clone()
            mask[:, slot] = False
            without = model.read(pooled, replace(blobs, mask=mask))
            change = whole.logits - without.logits
            torch.testing.assert_close(change, whole.evidence[:, slot], atol=1e-5, rtol=0)
            assert not without.importance[:, slot].any()
    assert whole.evidence[:, 0].abs().min(1).values.max() > 1e-3


@torch.no_grad()
def test_contributions_and_base_add_up_to_the_centred_logits(real_batch: ProteinBatch) -> None:
    for kind in ("no codebook", "several classes"):
        model = model_of(kind, real_batch)
        made, logits = model(real_batch), model(real_batch).logits
        if kind == "no codebook":
            logits = logits - logits.mean(1, keepdim=True)
        torch.testing.assert_close(model.base() + made.contributions.sum(1), logits, atol=1e-5, rtol=0)


# Codes


@pytest.mark.parametrize("kind", ["quantised", "several classes, quantised"])
@torch.no_grad()
def test_quantised_evidence_is_a_function_of_the_code(real_batch: ProteinBatch, kind: str) -> None:
    model = model_of(kind, real_batch)
    made, card = model(real_batch), model.scorecard()
    mask, codes = made.blobs.mask, made.codes[made.blobs.mask]
    used, counts = codes.unique(return_counts=True)
    assert len(used) > 2 and counts.max() > 1  # several codes, and one that blobs share
    for code in used:
        evidence = made.evidence[mask][codes == code]
        torch.testing.assert_close(evidence, evidence[:1].expand_as(evidence), atol=1e-5, rtol=0)
    assert card.shape == (model.codebook.size, CLASSES) and card[used].std(0).min() > 1e-4
    torch.testing.assert_close(made.contributions[mask], card[codes], atol=1e-5, rtol=0)
    contributions = model.readout.contributions(made.evidence)
    torch.testing.assert_close(contributions[mask], card[codes], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "keys",
    [{}, {"with_codebook": True, "blob_input": "raw"}, {"with_codebook": True, "head": "blobs"}],
    ids=str,
)
def test_without_a_sum_over_codes_there_is_no_scorecard(keys: dict[str, Any]) -> None:
    assert small_model(**keys).scorecard() is None


@pytest.mark.parametrize("head", ["full", "blobs"])
def test_attention_heads_have_no_evidence(real_batch: ProteinBatch, head: str) -> None:
    model = small_model(head=head)
    made = model(real_batch)
    assert made.evidence is None and made.contributions is None and model.base() is None
    torch.testing.assert_close(made.importance.sum(1), torch.ones(real_batch.num_proteins))


# Importance, and the readout by itself


def read(centred: bool, bias: Tensor | None = None) -> tuple[Any, Tensor, AdditiveReadout]:
    """Forty random proteins, some slots empty: the reading, the mask and the readout."""
    readout = AdditiveReadout(WIDTH, CLASSES, centred=centred).eval()
    torch.nn.init.normal_(readout.bias)
    if bias is not None:
        readout.bias.data.copy_(bias)
    mask = torch.rand(PROTEINS, SLOTS) < 0.7
    mask[0] = False
    with torch.no_grad():
        return readout(None, 2 * torch.randn(PROTEINS, SLOTS, WIDTH), mask), mask, readout


@pytest.mark.parametrize("centred", [True, False])
def test_importance_is_the_share_of_the_positive_contributions_to_the_predicted_class(centred: bool) -> None:
    reading, mask, _ = read(centred)
    arguing_against = 0
    for protein in range(PROTEINS):
        predicted = int(reading.logits[protein].argmax())
        each = []
        for slot in range(SLOTS):
            evidence = reading.evidence[protein, slot]
            contribution = float(evidence[predicted]) - (float(evidence.mean()) if centred else 0.0)
            each.append(contribution if mask[protein, slot] else 0.0)
        positive = [max(value, 0.0) for value in each]
        expected = [value / (sum(positive) or 1.0) for value in positive]
        assert reading.importance[protein].tolist() == pytest.approx(expected, abs=1e-5)
        assert float(reading.importance[protein].sum()) == pytest.approx(1.0 if any(positive) else 0.0)
        arguing_against += sum(value < 0 for value in each)
    assert arguing_against > 10
    assert not reading.importance[~mask].any()


def test_contributions_are_centred_for_one_class_and_the_evidence_for_several() -> None:
    single = read(True)[0]
    torch.testing.assert_close(single.contributions.mean(-1), torch.zeros(PROTEINS, SLOTS))
    centred = single.evidence - single.evidence.mean(-1, keepdim=True)
    torch.testing.assert_close(single.contributions, centred)
    assert not torch.allclose(single.contributions, single.evidence)
    several = read(False)[0]
    assert torch.equal(several.contributions, several.evidence)


def test_where_every_blob_argues_against_the_predicted_class_all_importance_is_zero() -> None:
    # The bias decides here; dividing by a sum of nothing would make NaN.
    reading, _, readout = read(True, bias=torch.tensor([1000.0, 0, 0, 0, 0]))
    assert (reading.logits.argmax(1) == 0).all()
    against = (reading.contributions[..., 0] <= 0).all(1)
    assert against[0] and against[1:].any()  # the first has no blob
    assert not reading.importance[against].any() and reading.importance.isfinite().all()
    assert torch.equal(reading.logits[0], readout.bias)


def test_what_lies_in_an_empty_slot_and_beside_the_blobs_has_no_influence() -> None:
    readout = AdditiveReadout(WIDTH, CLASSES).eval()
    blobs, mask = torch.randn(4, SLOTS, WIDTH), torch.rand(4, SLOTS) < 0.5
    assert mask.any() and not mask.all()
    expected = readout(None, blobs, mask)
    filled = torch.where(mask[..., None], blobs, 100.0)
    for pooled in (torch.randn(4, WIDTH), torch.zeros(4, WIDTH)):
        for found, wanted in zip(readout(pooled, filled, mask), expected, strict=True):
            assert torch.equal(found, wanted)


def test_a_blob_counts_the_same_in_any_slot_and_company() -> None:
    readout = AdditiveReadout(WIDTH, CLASSES).eval()
    blobs = torch.randn(1, SLOTS, WIDTH)
    every = torch.ones(1, SLOTS, dtype=torch.bool)
    order = torch.randperm(SLOTS)
    one, other = readout(None, blobs, every), readout(None, blobs[:, order], every)
    torch.testing.assert_close(other.evidence, one.evidence[:, order])
    torch.testing.assert_close(other.logits, one.logits)
    alone = readout(None, blobs[:, 2:3], every[:, :1])
    torch.testing.assert_close(alone.evidence[0, 0], one.evidence[0, 2])
