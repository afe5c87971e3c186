"""Layers against their equations written out, and at the edges of their ranges (mutants that lived once)."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from bioblobs.models.codebook import Codebook, coverage_loss, perplexity, usage_entropy_loss
from bioblobs.models.partitioner import Partitioner
from bioblobs.models.readout import AdditiveReadout, AttentionReadout
from conftest import batch_of, random_chain

PROTEINS, SLOTS, WIDTH, CLASSES = 4, 6, 16, 5


def blobs_and_mask() -> tuple[Tensor, Tensor]:
    mask = torch.arange(SLOTS) < torch.tensor((6, 4, 2, 1))[:, None]
    return torch.randn(PROTEINS, SLOTS, WIDTH) * mask[..., None], mask


def linear_layers(layers: nn.Module) -> list[nn.Linear]:
    return [layer for layer in layers.modules() if isinstance(layer, nn.Linear)]


# Readouts


def test_evidence_is_an_mlp_of_the_normalised_blob() -> None:
    readout = AdditiveReadout(WIDTH, CLASSES).eval()
    blobs, mask = blobs_and_mask()
    first, second = linear_layers(readout.evidence)
    expected = second(first(nn.functional.layer_norm(blobs, (WIDTH,))).relu())
    evidence = readout(None, blobs, mask).evidence
    torch.testing.assert_close(evidence, expected * mask[..., None])


@pytest.mark.parametrize("centred", [None, True, False])
def test_contributions_are_centred_unless_it_is_said_otherwise(centred: bool | None) -> None:
    readout = AdditiveReadout(WIDTH, CLASSES, **({} if centred is None else {"centred": centred})).eval()
    evidence = torch.randn(PROTEINS, SLOTS, CLASSES)
    expected = evidence if centred is False else evidence - evidence.mean(-1, keepdim=True)
    torch.testing.assert_close(readout.contributions(evidence), expected)


@pytest.mark.parametrize("readout", [AdditiveReadout, AttentionReadout])
def test_dropout_acts_in_training_alone(readout: type[AdditiveReadout] | type[AttentionReadout]) -> None:
    module = readout(WIDTH, CLASSES, drop_rate=0.5)
    rates = [layer.p for layer in module.modules() if isinstance(layer, nn.Dropout)]
    assert rates == [0.5] * (1 if readout is AdditiveReadout else 2)
    (blobs, mask), pooled = blobs_and_mask(), torch.randn(PROTEINS, WIDTH)
    assert not torch.equal(module(pooled, blobs, mask).logits, module(pooled, blobs, mask).logits)
    module.eval()
    assert torch.equal(module(pooled, blobs, mask).logits, module(pooled, blobs, mask).logits)


@pytest.mark.parametrize("head", [None, "full", "blobs"])
def test_attention_logits_are_the_written_equations(head: str | None) -> None:
    readout = AttentionReadout(WIDTH, CLASSES, **({} if head is None else {"head": head})).eval()
    (blobs, mask), pooled = blobs_and_mask(), torch.randn(PROTEINS, WIDTH)
    query, keys = readout.query_norm(pooled), readout.blob_norm(blobs)
    hidden = readout.attention(query[:, None], keys, keys, key_padding_mask=~mask)[0][:, 0]
    if head != "blobs":
        first, second = linear_layers(readout.gate)
        hidden = query + second(first(torch.cat([query, hidden], -1)).relu()).sigmoid() * hidden
    first, second, third = linear_layers(readout.classifier)
    hidden = nn.functional.layer_norm(hidden, (WIDTH,))
    expected = third(second(first(hidden).relu()).relu())
    torch.testing.assert_close(readout(pooled, blobs, mask).logits, expected)


# Codebook


def test_distances_are_the_mean_squares_also_of_blobs_near_their_code() -> None:
    codebook = Codebook(8, WIDTH).eval()
    z = codebook.vectors[:3] + 0.01 * torch.randn(3, WIDTH)
    expected = (z[:, None] - codebook.vectors).square().mean(-1)
    found = codebook(z, torch.ones(3, dtype=torch.bool)).distances
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-4)


def test_cosines_take_each_vector_by_itself_whatever_leads_its_shape() -> None:
    vectors = torch.randn(2, 3, WIDTH)
    expected = vectors / vectors.norm(dim=-1, keepdim=True)
    torch.testing.assert_close(Codebook(8, WIDTH, distance="cos")._unit(vectors), expected)


def test_a_single_blob_counts_in_full() -> None:
    codebook, z = Codebook(8, WIDTH).eval(), torch.randn(2, WIDTH)
    found = codebook(z, torch.tensor([True, False]))
    assert found.commitment.item() == pytest.approx(float((z[0] - found.vectors[0]).square().mean()))
    certain = torch.eye(4)[:1, None]  # (1, 1, 4)
    assert usage_entropy_loss(certain, torch.ones(1, 1, dtype=torch.bool)).item() == pytest.approx(
        1, abs=1e-6
    )


def test_a_code_at_the_bound_is_not_dead() -> None:
    codebook = Codebook(4, WIDTH, revive_below=0.0, decay=0.5).train()
    codebook.fill(torch.eye(4, WIDTH), torch.tensor([1.0, 1.0, 1.0, 0.0]))
    codebook(torch.eye(4, WIDTH)[:3], torch.ones(3, dtype=torch.bool))
    assert codebook.counts.tolist() == [1.0, 1.0, 1.0, 0.0]


def test_usage_is_measured_against_two_codes_and_a_single_count() -> None:
    even = torch.eye(2)[None]  # (1, 2, 2): a blob per code
    assert usage_entropy_loss(even, torch.ones(1, 2, dtype=torch.bool)).item() == pytest.approx(0, abs=1e-6)
    assert perplexity(torch.tensor([0.5, 0.5])).item() == pytest.approx(2)


def test_coverage_divides_by_the_blobs_of_each_protein() -> None:
    assignment = torch.tensor([[[0.9, 0.1], [0.2, 0.8]], [[0.6, 0.4], [0.5, 0.5]]])  # (B, S, K)
    mask = torch.tensor([[True, True], [True, False]])
    two = 1 - (2 - 0.1 * 0.8 - 0.9 * 0.2) / 2
    one = 1 - (0.6 + 0.4) / 1
    assert coverage_loss(assignment, mask).item() == pytest.approx((two + one) / 2, abs=1e-5)


# Partitioner


def test_the_weight_of_a_member_has_the_gradient_of_its_soft_weight() -> None:
    batch = batch_of([random_chain(length, seed=length) for length in (30, 12)], k=6)
    partitioner, x = Partitioner(WIDTH).eval(), torch.randn(42, WIDTH, requires_grad=True)
    selected = partitioner(x, batch.edge_index, batch.batch, undirected=True)
    blobs = partitioner.partition(x, batch.edge_index, batch.batch, 2)
    scale = torch.randn(len(selected.node_index))
    assert selected.weight is not None
    (found,) = torch.autograd.grad((selected.weight * scale).sum(), x)
    (expected,) = torch.autograd.grad((blobs.soft[blobs.assignment >= 0] * scale).sum(), x)
    assert expected.abs().max() > 1e-6
    torch.testing.assert_close(found, expected)


def test_the_first_node_that_is_not_there_is_refused() -> None:
    edges = torch.tensor([[0, 1], [1, 3]])
    with pytest.raises(ValueError, match=r"^edge_index: expected nodes 0\.\.2; got 3$"):
        Partitioner(WIDTH)(torch.randn(3, WIDTH), edges)


def test_a_graph_of_one_node_at_the_end_is_a_graph() -> None:
    x, edges, batch = torch.randn(3, WIDTH), torch.tensor([[0, 1], [1, 0]]), torch.tensor([0, 0, 1])
    partitioner = Partitioner(WIDTH).eval()
    assert partitioner(x, edges, batch).num_clusters == 2 * partitioner.max_clusters
    with pytest.raises(ValueError, match=r"^batch_size: expected more than the last graph .*, 1; got 1$"):
        partitioner(x, edges, batch, batch_size=1)


def test_scores_have_no_bias_that_their_argmax_could_not_see() -> None:
    """Parameters without an effect on seeds or joins would drift under weight decay."""
    partitioner = Partitioner(WIDTH)
    for layer in (partitioner.query, partitioner.key, partitioner.seed_context, partitioner.seed_logit):
        assert layer.bias is None


def test_a_new_partitioner_is_the_documented_one() -> None:
    partitioner = Partitioner(WIDTH)
    assert (partitioner.max_clusters, partitioner.cluster_size_max, partitioner.k_hop) == (10, 15, 2)
    assert (partitioner.termination_threshold, partitioner.context_step) == (0.95, 0.1)
