"""A blob that is read alone has seen nothing but itself and the backbone of its chain neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from held import (
    each_way,
    held,
    held_in_context,
    members,
    one_blob,
    only,
    restricted,
    several,
    small_model,
    with_chain_neighbours,
)
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.nn import functional as F

from bioblobs.graphs.neighbours import mutual_edges, neighbour_lists
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.graphs.residue_graph import build_graph
from bioblobs.models.bioblobs import BioBlobs
from bioblobs.ops.growth import compiled as compiled_growth
from bioblobs.ops.message import compiled as compiled_message
from bioblobs.proteins.geometry import CA_ATOM
from bioblobs.store.batches import make_batch
from conftest import batch_of, needs_compiler, random_chain


@pytest.fixture(
    autouse=True, scope="module", params=[pytest.param("compiled", marks=needs_compiler), "torch"]
)
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """Everything here holds for the compiled functions and for torch's operations."""
    with each_way(request.param):
        yield request.param


def others_changed(batch: ProteinBatch, still: Tensor, typed: Tensor) -> ProteinBatch:
    """The batch with all but the ``still`` residues (N,) moved, and all but the ``typed`` ones retyped."""
    coordinates = batch.coordinates.clone()
    coordinates[~still] += 5 * torch.randn_like(coordinates[~still])
    types = torch.where(typed, batch.residue_types, (batch.residue_types + 3) % 20)
    return replace(batch, coordinates=coordinates, residue_types=types)


# Alone


@torch.no_grad()
def test_moving_and_retyping_everything_else_leaves_evidence_bit_for_bit(real_batch: ProteinBatch) -> None:
    model = small_model()
    whole = model(real_batch)
    assert torch.equal(held(model, real_batch, whole.blobs).evidence, whole.evidence)
    for protein, slot in several(whole.blobs):
        still = with_chain_neighbours(real_batch, members(real_batch, whole.blobs, protein, slot))
        changed = others_changed(real_batch, still, still)
        evidence = held(model, changed, whole.blobs).evidence
        assert torch.equal(evidence[protein, slot], whole.evidence[protein, slot]), (protein, slot)
        elsewhere = whole.blobs.mask.clone()
        elsewhere[protein, slot] = False
        assert (evidence - whole.evidence)[elsewhere].abs().max() > 1e-3  # and something did change


@torch.no_grad()
def test_of_chain_neighbours_only_the_backbone_counts(real_batch: ProteinBatch) -> None:
    model = small_model()
    whole = model(real_batch)
    backbone_counted = False
    for protein, slot in several(whole.blobs):
        member = members(real_batch, whole.blobs, protein, slot)
        still = with_chain_neighbours(real_batch, member)
        retyped = held(model, others_changed(real_batch, still, member), whole.blobs).evidence
        assert torch.equal(retyped[protein, slot], whole.evidence[protein, slot]), (protein, slot)
        moved = held(model, others_changed(real_batch, member, member), whole.blobs).evidence
        backbone_counted |= not torch.allclose(moved[protein, slot], whole.evidence[protein, slot])
    assert backbone_counted  # a residue keeps the angles that its neighbours take part in


@torch.no_grad()
def test_members_themselves_count(real_batch: ProteinBatch) -> None:
    model = small_model()
    whole = model(real_batch)
    for protein, slot in several(whole.blobs):
        member = members(real_batch, whole.blobs, protein, slot)
        every = torch.ones_like(member)
        for changed in (
            others_changed(real_batch, every, ~member),
            others_changed(real_batch, ~member, every),
        ):
            evidence = held(model, changed, whole.blobs).evidence
            assert not torch.allclose(evidence[protein, slot], whole.evidence[protein, slot])


@torch.no_grad()
def test_removing_everything_else_leaves_evidence_bit_for_bit(real_batch: ProteinBatch, way: str) -> None:
    # Bit for bit where no other blob is read in either case: products over another number of rows may be
    # rounded differently (by the BLAS library), so other blobs beside this one can move the last digit.
    model = small_model()
    whole = model(real_batch)
    for protein, slot in several(whole.blobs):
        member = members(real_batch, whole.blobs, protein, slot)
        still = with_chain_neighbours(real_batch, member)
        single = one_blob(whole.blobs, member)
        before = held(model, real_batch, single).evidence[protein, slot]
        left = only(real_batch, still, real_batch.edge_types)
        after = held(model, left, restricted(single, still, protein)).evidence[0, slot]
        assert torch.equal(after, before), (protein, slot)
        torch.testing.assert_close(after, before, atol=1e-6, rtol=0)
        torch.testing.assert_close(after, whole.evidence[protein, slot], atol=1e-6, rtol=0)


@torch.no_grad()
def test_in_context_the_same_changes_alter_the_evidence(real_batch: ProteinBatch) -> None:
    # Shows that the tests above can fail.
    model = small_model(blob_view="context")
    whole = model(real_batch)
    torch.testing.assert_close(held_in_context(model, real_batch, whole.blobs).evidence, whole.evidence)
    for protein, slot in several(whole.blobs):
        still = with_chain_neighbours(real_batch, members(real_batch, whole.blobs, protein, slot))
        moved = held_in_context(model, others_changed(real_batch, still, still), whole.blobs)
        assert (moved.evidence - whole.evidence)[protein, slot].abs().max() > 1e-4
        left = only(real_batch, still, real_batch.edge_types)
        removed = held_in_context(model, left, restricted(whole.blobs, still, protein))
        assert (removed.evidence[0, slot] - whole.evidence[protein, slot]).abs().max() > 1e-4


@torch.no_grad()
@pytest.mark.parametrize("seed", range(3))
def test_rigid_motion_leaves_evidence_unchanged(real_batch: ProteinBatch, seed: int) -> None:
    model = small_model()
    whole = model(real_batch)
    turn = torch.from_numpy(Rotation.random(rng=np.random.default_rng(seed)).as_matrix()).float()
    shift = 10 * torch.randn(3)
    turned = replace(real_batch, coordinates=real_batch.coordinates @ turn.T + shift)
    again = model(turned)
    assert torch.equal(again.blobs.assignment, whole.blobs.assignment)
    assert whole.evidence.abs().max() > 0.1
    for found in (held(model, turned, whole.blobs), again):
        torch.testing.assert_close(found.evidence, whole.evidence, atol=1e-4, rtol=0)


# Learning


@pytest.mark.parametrize("with_codebook", [False, True])
def test_one_backward_pass_reaches_every_head_and_both_encoders(
    real_batch: ProteinBatch, with_codebook: bool
) -> None:
    model = small_model(with_codebook).train()
    F.cross_entropy(model(real_batch).logits, real_batch.labels).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name
    partitioner = model.partitioner
    for head in (partitioner.seed_logit, partitioner.query, partitioner.key, partitioner.threshold[0]):
        assert head.weight.grad.abs().max() > 1e-9
    assert partitioner.alpha.grad.abs() > 1e-9


def test_the_embedding_is_the_mean_and_its_gradient_reaches_the_soft_membership(
    real_batch: ProteinBatch,
) -> None:
    # z = sum w y / sum w with w = 1 + (m - stop(m)): dz/dm_i = (y_i - z) / n.
    model = small_model()
    assert model.blob_encoder is not None
    kept: list[Tensor] = []
    model.blob_encoder.register_forward_hook(lambda _, __, out: kept.append(out.detach()))
    _, blobs = model.partition(real_batch)
    soft = torch.zeros_like(blobs.soft, requires_grad=True)
    graph = build_graph(real_batch, model.edge_scalars)
    again = model.embed_alone(real_batch, graph, replace(blobs, soft=soft), model.blob_encoder)[1]
    direction = torch.randn_like(again.embedding)
    (again.embedding * direction).sum().backward()
    start, gradient = 0, torch.zeros_like(soft)
    for protein, slot in blobs.mask.nonzero().tolist():  # in the order of their rows in the encoder's batch
        rows = members(real_batch, blobs, protein, slot).nonzero().squeeze(-1)
        y = kept[-1][start : start + len(rows)]
        torch.testing.assert_close(again.embedding[protein, slot], y.mean(0))
        gradient[rows] = (y - y.mean(0)) @ direction[protein, slot] / len(rows)
        start += len(rows)
    assert start == len(kept[-1]) and gradient.abs().max() > 1e-3
    torch.testing.assert_close(soft.grad, gradient, atol=1e-6, rtol=1e-4)


# Odd proteins


def coincident(length: int, atoms: slice) -> np.ndarray:
    chain = random_chain(length, seed=4)
    chain[:, atoms] = 0
    return chain


ODD: dict[str, tuple[list[np.ndarray], str, dict[str, Any]]] = {
    "a blob of one residue": ([random_chain(30, 1), random_chain(12, 2)], "knn_8", {"cluster_size_max": 1}),
    "a chain of one residue": ([random_chain(1, 1)], "knn_8", {}),
    "a chain of one residue among others": ([random_chain(n, n) for n in (30, 1, 12)], "knn_8", {}),
    "coincident C-alphas": ([coincident(20, slice(1, 2)), random_chain(12, 2)], "knn_8", {}),
    "coincident atoms": ([coincident(20, slice(None)), random_chain(12, 2)], "knn_8", {}),
    "coincident atoms within a radius": ([coincident(20, slice(None))], "eps_8", {}),
    "more neighbours than residues": ([random_chain(30, 1)], "knn_50", {"cluster_size_max": 6}),
    "neighbours within a radius": ([random_chain(30, 1), random_chain(12, 2)], "eps_7.5", {}),
    "nobody within the radius": ([10 * random_chain(30, 1)], "eps_1", {}),
}


@pytest.mark.parametrize("with_codebook", [False, True])
@pytest.mark.parametrize("kind", ODD)
def test_odd_proteins_pass_with_finite_logits_and_gradients(kind: str, with_codebook: bool) -> None:
    chains, edge_types, keys = ODD[kind]
    batch = batch_of(chains, edge_types=edge_types)
    model = small_model(with_codebook, **keys)
    for training in (False, True):
        model.zero_grad()
        made = model.train(training)(batch)
        assert made.blobs.mask[:, 0].all()
        assert made.evidence is not None and made.evidence.abs().max() > 0
        F.cross_entropy(made.logits, batch.labels).backward()
        assert made.logits.isfinite().all() and made.importance.isfinite().all()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name
    if kind == "a blob of one residue":
        assert made.blobs.size.max() == 1 and made.blobs.mask.sum() == 2 * model.partitioner.max_clusters


# Two ways to the same


def each_by_itself(model: BioBlobs, batch: ProteinBatch, assignment: Tensor, slots: int) -> Tensor:
    """(B, S, D) embeddings: each blob as a batch of its own, its neighbour lists those of scipy."""
    assert model.blob_encoder is not None
    nodes = build_graph(batch, model.edge_scalars)
    embedding = torch.zeros(batch.num_proteins, slots, model.blob_encoder.out.w_s.out_features)
    for protein in range(batch.num_proteins):
        for slot in range(slots):
            rows = ((batch.batch == protein) & (assignment == slot)).nonzero().squeeze(-1)
            if not len(rows):
                continue
            coordinates = batch.coordinates[rows]
            lists = neighbour_lists(coordinates[:, CA_ATOM].numpy(), batch.edge_types)
            blob = make_batch(
                coordinates=coordinates.numpy(),
                residue_types=batch.residue_types[rows].numpy().astype(np.uint8),
                positions=batch.positions[rows].numpy(),
                neighbours=lists,
                mutual=mutual_edges(lists),
                lengths=np.array([len(rows)]),
                labels=batch.labels[:1],
                proteins=batch.proteins[:1],
                edge_types=batch.edge_types,
            )
            own = nodes.node_s[rows], nodes.node_v[:, rows]
            y = model.blob_encoder(build_graph(blob, model.edge_scalars, own), blob.residue_types)
            embedding[protein, slot] = y.mean(0)
    return embedding


@torch.no_grad()
@pytest.mark.parametrize("edge_types", ["knn_4", "knn_30", "eps_8"])
def test_embeddings_are_those_of_each_blob_in_a_batch_of_its_own(edge_types: str) -> None:
    batch = batch_of([random_chain(length, length) for length in (60, 1, 25, 40)], edge_types=edge_types)
    model = small_model(k_hop=3)
    torch.nn.init.constant_(model.partitioner.threshold[2].bias, -3.0)  # untrained blobs grow
    _, blobs = model.partition(batch)
    assert blobs.size.max() > 5
    expected = each_by_itself(model, batch, blobs.assignment, blobs.mask.shape[1])
    torch.testing.assert_close(blobs.embedding, expected, atol=2e-5, rtol=1e-4)


@needs_compiler
def test_compiled_functions_and_torch_read_the_same(
    real_batch: ProteinBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def evidence_and_gradients() -> list[Tensor]:
        model = small_model()
        made = held(model, real_batch, blobs)
        assert made.evidence is not None
        made.evidence.square().sum().backward()
        assert model.blob_encoder is not None
        return [made.evidence.detach(), *(p.grad for p in model.blob_encoder.parameters())]

    with torch.no_grad():
        blobs = small_model()(real_batch).blobs
    found = evidence_and_gradients()
    for module in (compiled_message, compiled_growth):
        monkeypatch.setattr(module, "suits", lambda *_: False)
    for one, other in zip(found, evidence_and_gradients(), strict=True):
        scale = float(other.abs().max())
        assert scale > 0
        torch.testing.assert_close(one, other, atol=1e-5 * max(scale, 1), rtol=1e-3)
