"""The encoder: invariant, the same in any batch, blind to padding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from bioblobs.checkpoints.build import build_model
from bioblobs.config.schema import ModelConfig
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.graphs.residue_graph import build_graph
from bioblobs.models.encoder import Encoder
from conftest import batch_of, random_chain


def small(**changes: Any) -> Encoder:
    return Encoder(node_h_dim=(16, 4), num_layers=2, **changes).eval()


def embed(encoder: Encoder, batch: ProteinBatch) -> Tensor:
    return encoder(build_graph(batch), batch.residue_types)


@pytest.mark.parametrize("norm_first", [True, False])
def test_embeddings_are_invariant_under_rigid_motion(real_batch: ProteinBatch, norm_first: bool) -> None:
    encoder = small(norm_first=norm_first).double()
    batch = replace(real_batch, coordinates=real_batch.coordinates.double())
    still = embed(encoder, batch)
    for seed in range(3):
        by = torch.from_numpy(Rotation.random(rng=np.random.default_rng(seed)).as_matrix())
        moved = replace(
            batch, coordinates=batch.coordinates @ by.T + 10 * torch.randn(3, dtype=torch.float64)
        )
        torch.testing.assert_close(embed(encoder, moved), still, atol=1e-8, rtol=0)


def test_edges_are_one_gvp_over_radial_basis_and_waves(real_batch: ProteinBatch) -> None:
    encoder = small().double()
    graph = build_graph(replace(real_batch, coordinates=real_batch.coordinates.double()))
    plain = encoder.edge_in(torch.cat([graph.radial, graph.waves[graph.offsets]], -1), graph.edge_v)
    torch.testing.assert_close(encoder._edges(graph), plain)


def test_embeddings_tell_mirror_images_apart(real_batch: ProteinBatch) -> None:
    mirrored = replace(real_batch, coordinates=real_batch.coordinates * torch.tensor([-1.0, 1, 1]))
    encoder = small()
    assert (embed(encoder, real_batch) - embed(encoder, mirrored)).abs().max() > 1e-3


def test_a_protein_does_not_see_the_rest_of_its_batch() -> None:
    # A short protein brings padding into the batch, and with it the weighted mean.
    chains = [random_chain(length, seed=length) for length in (30, 3, 1, 17)]
    types = torch.randint(20, (51,))
    encoder = small()
    together = embed(encoder, replace(batch_of(chains), residue_types=types))
    start = 0
    for chain in chains:
        own = types[start : start + len(chain)]
        alone = embed(encoder, replace(batch_of([chain]), residue_types=own))
        torch.testing.assert_close(together[start : start + len(chain)], alone, atol=1e-5, rtol=1e-5)
        start += len(chain)


def test_padding_edges_have_no_influence() -> None:
    chain, encoder = random_chain(5, seed=1), small()
    padded, full = batch_of([chain], k=8), batch_of([chain], k=4)
    assert padded.edge_valid is not None and full.edge_valid is None
    torch.testing.assert_close(embed(encoder, padded), embed(encoder, full), atol=1e-6, rtol=1e-5)


def test_a_lone_residue_has_a_finite_embedding_and_gradient() -> None:
    # All its edges are padding: a mean over none of them.
    encoder = small().train()
    embed(encoder, batch_of([random_chain(1, seed=2)])).sum().backward()
    gradients = [p.grad for p in encoder.parameters() if p.grad is not None]
    assert gradients and all(gradient.isfinite().all() for gradient in gradients)


def test_residue_identity_is_seen_only_when_asked_for(real_batch: ProteinBatch) -> None:
    changed = replace(real_batch, residue_types=(real_batch.residue_types + 1) % 20)
    with_sequence, without = small(), small(residue_symbols=0)
    assert not torch.equal(embed(with_sequence, real_batch), embed(with_sequence, changed))
    assert torch.equal(embed(without, real_batch), embed(without, changed))
    assert not any("identity" in name for name, _ in without.named_parameters())


def test_the_gradient_reaches_every_parameter(real_batch: ProteinBatch) -> None:
    encoder = small().train()
    (embed(encoder, real_batch) * torch.randn(16)).sum().backward()
    without = {name for name, p in encoder.named_parameters() if p.grad is None or not p.grad.abs().max() > 0}
    assert without == set()


@pytest.mark.parametrize("norm_first", [True, False])
def test_recomputing_keeps_less_and_changes_nothing(real_batch: ProteinBatch, norm_first: bool) -> None:
    encoder, graph = small(norm_first=norm_first).train(), build_graph(real_batch)

    def made() -> tuple[list[Tensor], int]:
        kept = 0

        def keep(tensor: Tensor) -> Tensor:
            nonlocal kept
            kept += tensor.numel()
            return tensor

        encoder.zero_grad()
        torch.manual_seed(0)  # dropout
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            out = encoder(graph, real_batch.residue_types)
            in_forward = kept
            out.square().sum().backward()
        return [out, *(parameter.grad.clone() for parameter in encoder.parameters())], in_forward

    plain, much = made()
    encoder.keep_activations(False)
    again, less = made()
    assert less < 0.8 * much
    for value, expected in zip(again, plain, strict=True):
        assert torch.equal(value, expected)


def test_dropout_acts_in_training_only(real_batch: ProteinBatch) -> None:
    encoder = small(drop_rate=0.5)
    assert torch.equal(embed(encoder, real_batch), embed(encoder, real_batch))
    encoder.train()
    assert not torch.equal(embed(encoder, real_batch), embed(encoder, real_batch))


class Operations(TorchDispatchMode):
    """Counts the torch operations that run."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("training", [True, False])
def test_a_step_of_the_whole_model_is_batched_not_looped(training: bool) -> None:
    # A Python loop over proteins, residues or blobs would show as more operations on a larger batch.
    config = ModelConfig(node_h_dim=(16, 4), num_layers=1, codebook_size=8)
    model, counts = build_model(config, num_classes=3, with_codebook=True).train(training), []
    for lengths in ((12, 21), (60, 30, 11, 9, 40, 25)):  # neither has a number of edges for oneDNN
        batch = batch_of([random_chain(length, seed=length) for length in lengths])
        model.zero_grad()
        with Operations() as operations:
            model(batch).logits.sum().backward()
        counts.append(operations.count)
    assert counts[0] == counts[1] > 0
