"""Attention readout: it learns, its importance is a distribution, and blobs can carry the answer."""

from __future__ import annotations

import math
from typing import Literal

import pytest
import torch
from torch import Tensor

from bioblobs.models.readout import AttentionReadout

Head = Literal["full", "blobs"]
PROTEINS, SLOTS, WIDTH, CLASSES = 4, 6, 32, 5
REAL = (6, 4, 2, 1)
"""Blobs of each protein."""


def blobs_and_mask() -> tuple[Tensor, Tensor]:
    mask = torch.arange(SLOTS) < torch.tensor(REAL)[:, None]
    return torch.randn(PROTEINS, SLOTS, WIDTH) * mask[..., None], mask


def query_and_key_gradients(readout: AttentionReadout) -> tuple[Tensor, Tensor]:
    gradient = readout.attention.in_proj_weight.grad
    assert gradient is not None and gradient.isfinite().all()
    return gradient[:WIDTH], gradient[WIDTH : 2 * WIDTH]


@pytest.mark.parametrize("head", ["full", "blobs"])
def test_masking_leaves_query_and_key_their_gradient(head: Head) -> None:
    # The trap: scores masked outside autograd, so that importance stays a random projection for ever.
    readout = AttentionReadout(WIDTH, CLASSES, head=head).train()
    blobs, mask = blobs_and_mask()
    logits = readout(torch.randn(PROTEINS, WIDTH), blobs, mask).logits
    torch.nn.functional.cross_entropy(logits, torch.arange(PROTEINS)).backward()
    assert all(gradient.abs().max() > 1e-7 for gradient in query_and_key_gradients(readout))


def test_importance_itself_can_be_learned_through() -> None:
    readout = AttentionReadout(WIDTH, CLASSES).eval()
    blobs, mask = blobs_and_mask()
    readout(torch.randn(PROTEINS, WIDTH), blobs, mask).importance[:, 0].sum().backward()
    assert all(gradient.abs().max() > 1e-7 for gradient in query_and_key_gradients(readout))


def test_importance_sums_to_one_over_real_blobs_and_is_zero_elsewhere() -> None:
    blobs, mask = blobs_and_mask()
    importance = AttentionReadout(WIDTH, CLASSES).eval()(torch.randn(PROTEINS, WIDTH), blobs, mask).importance
    torch.testing.assert_close(importance.sum(1), torch.ones(PROTEINS))
    assert (importance[~mask] == 0).all() and (importance[mask] > 0).all()


def test_importance_is_the_attention_weight_averaged_over_heads() -> None:
    readout, heads = AttentionReadout(WIDTH, CLASSES, heads=4).eval(), 4
    blobs, mask = blobs_and_mask()
    pooled = torch.randn(PROTEINS, WIDTH)
    importance = readout(pooled, blobs, mask).importance
    weight, bias = readout.attention.in_proj_weight, readout.attention.in_proj_bias
    query = readout.query_norm(pooled) @ weight[:WIDTH].T + bias[:WIDTH]
    key = readout.blob_norm(blobs) @ weight[WIDTH : 2 * WIDTH].T + bias[WIDTH : 2 * WIDTH]
    query, key = query.view(PROTEINS, heads, -1), key.view(PROTEINS, SLOTS, heads, -1)
    scores = torch.einsum("bhd,bshd->bhs", query, key) / math.sqrt(WIDTH / heads)
    expected = scores.masked_fill(~mask[:, None], -math.inf).softmax(-1).mean(1)
    torch.testing.assert_close(importance, expected)


@pytest.mark.parametrize("norm", [1.0, 1000.0])
def test_importance_is_near_uniform_at_initialisation_whatever_the_norm_of_the_query(norm: float) -> None:
    # The trap: a sum over residues has a norm near 1000, and makes the softmax one-hot from the first step.
    slots, count = 10, 50
    pooled = torch.nn.functional.normalize(torch.randn(count, WIDTH), dim=-1) * norm
    mask = torch.ones(count, slots, dtype=torch.bool)
    readout = AttentionReadout(WIDTH, CLASSES).eval()
    importance = readout(pooled, norm * torch.randn(count, slots, WIDTH), mask).importance
    entropy = -(importance * importance.log()).sum(1)
    assert entropy.mean() > 0.9 * math.log(slots)


def test_blobs_head_sees_the_pooled_residues_only_through_the_weights_of_blobs() -> None:
    # With a single blob there is nothing to weigh, and the residues cannot carry the answer.
    blobs, mask = torch.randn(PROTEINS, 1, WIDTH), torch.ones(PROTEINS, 1, dtype=torch.bool)
    one, other = torch.randn(PROTEINS, WIDTH), torch.randn(PROTEINS, WIDTH)
    readout = AttentionReadout(WIDTH, CLASSES, head="blobs").eval()
    torch.testing.assert_close(readout(one, blobs, mask)[0], readout(other, blobs, mask)[0])
    full = AttentionReadout(WIDTH, CLASSES, head="full").eval()
    assert not torch.allclose(full(one, blobs, mask)[0], full(other, blobs, mask)[0])


@pytest.mark.parametrize("head", ["full", "blobs"])
def test_the_blobs_change_the_prediction(head: Head) -> None:
    # The trap: the pooled path carries the whole answer, and re-partitioning moves logits by 1e-5.
    readout, pooled = AttentionReadout(WIDTH, CLASSES, head=head).eval(), torch.randn(PROTEINS, WIDTH)
    blobs, mask = blobs_and_mask()
    moved = readout(pooled, blobs, mask)[0] - readout(pooled, blobs.roll(1, 0), mask.roll(1, 0))[0]
    assert (moved.abs().max(1).values > 1e-3).all()


def test_what_lies_in_an_empty_slot_has_no_influence() -> None:
    readout, pooled = AttentionReadout(WIDTH, CLASSES).eval(), torch.randn(PROTEINS, WIDTH)
    blobs, mask = blobs_and_mask()
    filled = torch.where(mask[..., None], blobs, 100.0)
    torch.testing.assert_close(readout(pooled, filled, mask)[:2], readout(pooled, blobs, mask)[:2])


def test_a_protein_does_not_see_the_rest_of_its_batch() -> None:
    readout, pooled = AttentionReadout(WIDTH, CLASSES).eval(), torch.randn(PROTEINS, WIDTH)
    blobs, mask = blobs_and_mask()
    logits, importance = readout(pooled, blobs, mask)[:2]
    for row in range(PROTEINS):
        alone = readout(pooled[row : row + 1], blobs[row : row + 1], mask[row : row + 1])[:2]
        torch.testing.assert_close(alone, (logits[row : row + 1], importance[row : row + 1]))


@pytest.mark.parametrize("head", ["full", "blobs"])
def test_a_protein_without_blobs_is_read_from_its_residues_alone(head: Head) -> None:
    # An all-masked softmax would be NaN, forward and backward.
    readout = AttentionReadout(WIDTH, CLASSES, head=head).eval()
    blobs, mask = blobs_and_mask()
    mask[0] = False
    pooled = torch.randn(PROTEINS, WIDTH)
    logits, importance = readout(pooled, blobs, mask)[:2]
    assert (importance[0] == 0).all()
    torch.testing.assert_close(readout(pooled, -blobs, mask)[0][0], logits[0])
    logits.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in readout.parameters())
