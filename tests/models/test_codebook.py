"""The codebook: moving averages against two independent ones, revival, freezing, losses, two processes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, multiprocessing
from torch import distributed as dist
from vector_quantize_pytorch import VectorQuantize

from bioblobs.models.codebook import (
    Codebook,
    Distance,
    coverage_loss,
    perplexity,
    presence,
    soft_assignment,
    usage_entropy_loss,
)

SIZE, WIDTH = 8, 6
BUFFERS = ("vectors", "counts", "sums")


def blobs(count: int = 64, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Blobs in clumps, and a mask that leaves about a quarter out."""
    rng = torch.Generator().manual_seed(seed)
    centres = 2 * torch.randn(5, WIDTH, generator=torch.Generator().manual_seed(99))
    z = centres[torch.randint(5, (count,), generator=rng)] + 0.3 * torch.randn(count, WIDTH, generator=rng)
    return z, torch.rand(count, generator=rng) > 0.25


def all_real(z: Tensor) -> Tensor:
    return torch.ones(len(z), dtype=torch.bool)


def without_revival(**changes: Any) -> Codebook:
    return Codebook(SIZE, WIDTH, revive_below=0.0, **changes).train()


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


# Moving averages


@pytest.mark.parametrize("distance", ["l2", "cos"])
def test_updates_are_the_written_equations(distance: Distance) -> None:
    decay, eps = 0.9, 1e-3
    codebook = without_revival(distance=distance, decay=decay, eps=eps)
    e, n, m = (getattr(codebook, name).double().numpy() for name in BUFFERS)
    for step in range(6):
        z, mask = blobs(seed=step)
        found = codebook(z, mask)
        rows = z.double().numpy()
        rows = unit(rows) if distance == "cos" else rows
        codes = np.linalg.norm(rows[:, None] - e[None], axis=-1).argmin(1)
        np.testing.assert_array_equal(found.codes[mask], codes[mask])
        np.testing.assert_allclose(found.vectors, e[codes], atol=1e-5)
        error = ((rows - e[codes]) ** 2).mean(1)[mask.numpy()].mean()
        assert found.commitment.item() == pytest.approx(error, rel=1e-4)
        for k in range(SIZE):
            mine = rows[mask.numpy() & (codes == k)]
            n[k] = decay * n[k] + (1 - decay) * len(mine)
            m[k] = decay * m[k] + (1 - decay) * mine.sum(0)
        e = m / ((n + eps) / (n.sum() + SIZE * eps) * n.sum())[:, None]
        e = unit(e) if distance == "cos" else e
        for name, expected in zip(BUFFERS, (e, n, m), strict=True):
            np.testing.assert_allclose(getattr(codebook, name), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("distance", ["l2", "cos"])
def test_codes_and_updates_agree_with_a_known_library(distance: Distance) -> None:
    ours = without_revival(distance=distance, decay=0.8, eps=1e-4)
    theirs = VectorQuantize(
        WIDTH, SIZE, decay=0.8, eps=1e-4, use_cosine_sim=distance == "cos", rotation_trick=False
    ).train()
    inner = theirs._codebook
    inner.embed.copy_(ours.vectors[None])
    inner.embed_avg.copy_(ours.sums[None])
    for step in range(5):
        z, mask = blobs(seed=step)
        found = ours(z, mask)
        vectors, codes, _ = theirs(z[None], mask=mask[None])
        assert torch.equal(found.codes[mask], codes[0, mask])
        torch.testing.assert_close(found.vectors[mask], vectors[0, mask], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(ours.vectors, inner.embed[0], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(ours.counts, inner.cluster_size[0], atol=1e-5, rtol=1e-4)


def test_masked_blobs_do_not_count() -> None:
    z, mask = blobs()
    wild = torch.where(mask[:, None], z, 1e3)
    one, other = without_revival(), without_revival()
    other.load_state_dict(one.state_dict())
    first, second = one(z, mask), other(wild, mask)
    assert torch.equal(first.commitment, second.commitment)
    assert all(torch.equal(getattr(one, name), getattr(other, name)) for name in BUFFERS)
    # A revived code comes from a real blob as well.
    alone = torch.arange(len(z)) == 5
    reviving = Codebook(SIZE, WIDTH, decay=0.0).train()
    reviving(torch.where(alone[:, None], z, 1e3), alone)
    assert (reviving.vectors - z[5]).abs().max() < 0.1


def test_the_gradient_passes_straight_through_to_the_blobs() -> None:
    z, mask = blobs()
    direction = torch.randn_like(z)
    z.requires_grad_()
    (without_revival()(z, mask).vectors * direction).sum().backward()
    torch.testing.assert_close(z.grad, direction)


def test_commitment_pulls_blobs_toward_their_codes_and_skips_masked_ones() -> None:
    z, mask = blobs()
    z.requires_grad_()
    codebook = Codebook(SIZE, WIDTH).eval()
    found = codebook(z, mask)
    found.commitment.backward()
    expected = 2 * (z.detach() - codebook.vectors[found.codes]) * mask[:, None] / (WIDTH * mask.sum())
    torch.testing.assert_close(z.grad, expected)


def test_cosine_codes_ignore_length_and_stay_on_the_unit_sphere() -> None:
    z, mask = blobs()
    codebook = Codebook(SIZE, WIDTH, distance="cos").eval()
    assert torch.equal(codebook(z, mask).codes, codebook(7 * z, mask).codes)
    expected = 1 - torch.cosine_similarity(z[:, None], codebook.vectors[None], dim=-1)
    torch.testing.assert_close(codebook(z, mask).distances, expected, atol=1e-6, rtol=1e-5)
    codebook.train()
    for step in range(3):
        codebook(*blobs(seed=step))
    torch.testing.assert_close(codebook.vectors.norm(dim=1), torch.ones(SIZE))


# Freezing, revival, filling


@pytest.mark.parametrize("still", ["frozen", "evaluation"])
def test_a_frozen_codebook_is_bit_identical_after_steps(still: str) -> None:
    codebook = Codebook(SIZE, WIDTH).train(still == "frozen")
    codebook.frozen = still == "frozen"
    before = {name: getattr(codebook, name).clone() for name in BUFFERS}
    for step in range(5):
        codebook(*blobs(seed=step))
    assert all(torch.equal(getattr(codebook, name), value) for name, value in before.items())


def test_dead_codes_restart_at_blobs_with_fresh_statistics() -> None:
    # All blobs near one code: the others fall out of use and come back where the blobs are.
    codebook = Codebook(SIZE, WIDTH, decay=0.5).train()
    codebook.vectors[1:] += 50
    codebook.sums.copy_(codebook.vectors)
    z, mask = blobs()
    for _ in range(6):
        codebook(z, mask)
    assert (torch.cdist(codebook.vectors, z).min(1).values < 2).all()
    assert (codebook.counts >= 0.05 * codebook.counts.mean()).all()
    assert (codebook.sums.norm(dim=1) > 0).all()
    used = torch.bincount(codebook.eval()(z, mask).codes[mask], minlength=SIZE)
    assert (used > 0).sum() >= 4


def test_codes_that_nothing_is_near_never_collapse_to_zero() -> None:
    # The trap: counts that start at zero and no revival send every unused code to the zero vector.
    codebook = Codebook(SIZE, WIDTH, decay=0.9).train()
    z, mask = blobs()
    z = z + 20 * torch.ones(WIDTH)
    for _ in range(300):
        codebook(z, mask)
        assert codebook.vectors.norm(dim=1).min() > 0.5
    assert codebook.vectors.norm(dim=1).min() > 0.5 * z.norm(dim=1).min()


def test_filled_centres_survive_the_first_update() -> None:
    # Counts and sums must come with the centres, or the first update throws the centres away.
    codebook, centres = Codebook(SIZE, WIDTH, eps=1e-8).train(), 3 * torch.randn(SIZE, WIDTH)
    counts = torch.arange(10.0, 10.0 + SIZE)
    codebook.fill(centres, counts)
    torch.testing.assert_close(codebook.sums, centres * counts[:, None])
    codebook(centres, all_real(centres))  # each centre is its own nearest blob
    torch.testing.assert_close(codebook.vectors, centres)
    z, mask = blobs()
    codebook.fill(centres, counts)
    codebook(z, mask)
    used = torch.bincount(torch.cdist(z[mask], centres).argmin(1), minlength=SIZE) > 0
    assert used.any() and not used.all()
    torch.testing.assert_close(codebook.vectors[~used], centres[~used])
    moved = (codebook.vectors - centres)[used].norm(dim=1)  # at most 0.01 x 64 of 10 blobs' weight
    assert (moved > 0).all() and moved.max() < 0.1 * torch.cdist(z, centres).max()


def test_a_training_batch_without_a_real_blob_is_refused_and_leaves_the_codes() -> None:
    codebook = Codebook(SIZE, WIDTH).train()
    before = {name: value.clone() for name, value in codebook.state_dict().items()}
    z, nothing = torch.randn(5, WIDTH), torch.zeros(5, dtype=torch.bool)
    for given in (z, z[:0]):
        with pytest.raises(ValueError, match="codebook: expected a real blob in a training batch"):
            codebook(given, nothing[: len(given)])
    assert all(torch.equal(value, before[name]) for name, value in codebook.state_dict().items())
    assert codebook.eval()(z, nothing).commitment == 0  # nothing is learnt: nothing is missing
    assert len(codebook(z[:0], nothing[:0]).codes) == 0


def test_fewer_blobs_than_codes_are_enough() -> None:
    codebook = Codebook(SIZE, WIDTH).train()
    z = torch.randn(2, WIDTH)
    for _ in range(3):
        codebook(z, all_real(z))
    assert codebook.vectors.isfinite().all()


@pytest.mark.parametrize(("blobs", "mask"), [((5, WIDTH + 1), (5,)), ((5, WIDTH), (4,)), ((WIDTH,), (1,))])
def test_blobs_of_another_shape_are_refused(blobs: tuple[int, ...], mask: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=rf"codebook: expected blobs \(M, {WIDTH}\)"):
        Codebook(SIZE, WIDTH)(torch.zeros(blobs), torch.ones(mask, dtype=torch.bool))


def test_state_goes_with_the_checkpoint() -> None:
    assert set(Codebook(SIZE, WIDTH).state_dict()) == set(BUFFERS)


# Presence and losses


def assignments(proteins: int = 3, slots: int = 4) -> tuple[Tensor, Tensor]:
    mask = torch.arange(slots) < torch.tensor([4, 2, 1])[:proteins, None]
    return torch.softmax(2 * torch.randn(proteins, slots, SIZE), -1), mask


def test_presence_is_the_direct_product() -> None:
    assignment, mask = assignments()
    direct = 1 - torch.where(mask[..., None], 1 - assignment.double(), 1.0).prod(1)
    torch.testing.assert_close(presence(assignment, mask).double(), direct, atol=1e-6, rtol=1e-5)


def test_presence_of_tiny_and_certain_assignments_is_finite_with_finite_gradient() -> None:
    # By the product, 1 - (1 - 1e-12) is zero in float32; and log(1 - 1) is infinite.
    assignment = torch.tensor([[[1.0, 0.0, 1e-12], [1.0, 0.0, 1e-12]]], requires_grad=True)
    found = presence(assignment, torch.ones(1, 2, dtype=torch.bool))
    torch.testing.assert_close(found[0], torch.tensor([1.0, 0.0, 2e-12]), atol=1e-13, rtol=1e-5)
    found.sum().backward()
    assert assignment.grad is not None and assignment.grad.isfinite().all()


def test_coverage_loss_is_zero_for_codes_apart_and_rises_as_blobs_share_them() -> None:
    mask = torch.ones(1, 4, dtype=torch.bool)
    apart, shared = torch.eye(SIZE)[None, :4], torch.eye(SIZE)[None, [0, 0, 0, 0]]
    assert coverage_loss(apart, mask) == pytest.approx(0, abs=1e-5)
    assert coverage_loss(shared, mask) == pytest.approx(3 / 4, abs=1e-5)
    assert 0 < coverage_loss(*assignments()) < 1
    assert coverage_loss(shared, mask & (torch.arange(4) < 1)) == pytest.approx(0, abs=1e-5)


def test_usage_entropy_loss_runs_from_even_use_to_a_single_code() -> None:
    mask = torch.ones(2, 4, dtype=torch.bool)
    even, single = torch.eye(8).view(2, 4, 8), torch.eye(8)[torch.zeros(2, 4, dtype=torch.long)]
    assert usage_entropy_loss(even, mask) == pytest.approx(0, abs=1e-6)
    assert usage_entropy_loss(single, mask) == pytest.approx(1, abs=1e-6)
    assert 0 < usage_entropy_loss(*assignments()) < 1
    assert usage_entropy_loss(even, mask & (torch.arange(4) < 1)) == pytest.approx(
        1 - math.log(2) / math.log(8)
    )


def test_soft_assignment_sharpens_to_the_nearest_code() -> None:
    distances = torch.rand(5, SIZE)
    warm, cold = soft_assignment(distances, 1.0), soft_assignment(distances, 1e-4)
    torch.testing.assert_close(warm, torch.exp(-distances) / torch.exp(-distances).sum(-1, keepdim=True))
    assert torch.equal(cold.argmax(-1), distances.argmin(-1)) and (cold.max(-1).values > 0.9).all()


def test_perplexity_counts_codes_in_even_use() -> None:
    assert perplexity(torch.tensor([5.0, 5, 5, 0])) == pytest.approx(3)
    assert perplexity(torch.tensor([9.0, 0, 0, 0])) == pytest.approx(1)
    assert 1 < perplexity(torch.tensor([9.0, 1, 0, 0])) < 2


# Two processes


REVIVE_BELOW = (0.0, 0.3)


def _train_one_rank(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
    torch.manual_seed(rank)  # each process draws its own noise
    for revive_below in REVIVE_BELOW:
        codebook = Codebook(SIZE, WIDTH, decay=0.7, revive_below=revive_below).train()
        codebook.load_state_dict(torch.load(f"{folder}/start.pt"))
        for step in range(4):
            z, mask = blobs(seed=step)
            codebook(z[rank::2], mask[rank::2])
        torch.save(codebook.state_dict(), f"{folder}/{revive_below}-{rank}.pt")
    dist.destroy_process_group()


def test_every_process_holds_the_codebook_of_the_joint_batch(tmp_path: Path) -> None:
    joint = Codebook(SIZE, WIDTH, decay=0.7, revive_below=0.0).train()
    torch.save(joint.state_dict(), tmp_path / "start.pt")
    multiprocessing.spawn(_train_one_rank, (str(tmp_path),), nprocs=2)
    for step in range(4):
        joint(*blobs(seed=step))
    for revive_below in REVIVE_BELOW:
        first, second = (torch.load(tmp_path / f"{revive_below}-{rank}.pt") for rank in range(2))
        for name in BUFFERS:
            assert torch.equal(first[name], second[name])
            # Revived codes are drawn, and one process would draw from other blobs: compare without.
            if revive_below == 0:
                torch.testing.assert_close(first[name], getattr(joint, name), atol=1e-5, rtol=1e-5)
