"""The compiled features of residues and edges are those in torch's operations, in float64."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bioblobs.graphs import compiled_features
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.graphs.residue_graph import ResidueGraph, build_graph
from bioblobs.kernels import build
from conftest import batch_of, needs_compiler, random_chain


def plain(batch: ProteinBatch, edge_scalars: int = 32) -> ResidueGraph:
    """The graph in torch's operations."""
    batch = replace(batch, coordinates=batch.coordinates.double())
    assert not compiled_features.suits(batch)
    return build_graph(batch, edge_scalars)


def compiled(batch: ProteinBatch, edge_scalars: int = 32) -> ResidueGraph:
    """The graph by the compiled functions."""
    assert compiled_features.suits(batch)
    return build_graph(batch, edge_scalars)


def assert_alike(found: ResidueGraph, expected: ResidueGraph) -> None:
    """Equal in all that they have, to the precision of float32."""
    for field in fields(ResidueGraph):
        a, b = getattr(found, field.name), getattr(expected, field.name)
        assert (a is None) == (b is None)
        if a is not None:
            assert a.shape == b.shape
            torch.testing.assert_close(a.double(), b.double(), atol=4e-6, rtol=0, msg=field.name)


@needs_compiler
def test_features_of_real_chains(real_batch: ProteinBatch) -> None:
    graph = compiled(real_batch)
    assert_alike(graph, plain(real_batch))
    assert all(each.abs().max() > 0.5 for each in (graph.node_s, graph.node_v, graph.radial, graph.edge_v))


@needs_compiler
@pytest.mark.parametrize("edge_scalars", [2, 10, 32, 40])  # 1, 5, 16 and 20 Gaussians
def test_any_number_of_gaussians(real_batch: ProteinBatch, edge_scalars: int) -> None:
    assert_alike(compiled(real_batch, edge_scalars), plain(real_batch, edge_scalars))


@needs_compiler
@pytest.mark.parametrize("lengths", [[1], [1, 1, 2], [63, 1], [64], [65, 64, 3], [200]], ids=str)
def test_chains_end_anywhere_in_a_block(lengths: list[int]) -> None:
    batch = batch_of([random_chain(length, seed) for seed, length in enumerate(lengths)], k=5)
    assert_alike(compiled(batch), plain(batch))


@needs_compiler
def test_a_break_in_a_chain_ends_its_angles() -> None:
    chain = random_chain(80, seed=1)
    chain[64:] += np.array([0, 0, 50], np.float32)  # between two blocks
    batch = batch_of([chain])
    graph = compiled(batch)
    assert_alike(graph, plain(batch))
    assert (graph.node_v[:, 63, 0] == 0).all() and (graph.node_v[:, 64, 1] == 0).all()


@needs_compiler
def test_atoms_in_one_place_have_no_direction() -> None:
    chain = random_chain(10, seed=2)
    chain[3:5] = chain[3:4, 1:2]
    batch = batch_of([chain])
    graph = compiled(batch)
    assert (graph.node_v[:, 3] == 0).all()
    assert_alike(graph, plain(batch))


@needs_compiler
@pytest.mark.parametrize("scale", [1, 1e-6, 1e-9])
def test_atoms_in_line_or_almost_in_one_place_stay_in_bounds(scale: float) -> None:
    chain = random_chain(10, seed=2)
    chain[6, :3] = np.arange(9, dtype=np.float32).reshape(3, 3)
    graph = compiled(batch_of([chain * np.float32(scale)]))
    assert graph.node_s.abs().max() <= 1 + 1e-5 and graph.node_v.isfinite().all()


@needs_compiler
def test_indices_may_be_of_any_integer_type(real_batch: ProteinBatch) -> None:
    other = replace(real_batch, batch=real_batch.batch.int(), positions=real_batch.positions.int())
    assert_alike(compiled(other), compiled(real_batch))


@needs_compiler
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_number_of_threads_changes_nothing(real_batch: ProteinBatch, threads: int) -> None:
    expected, before = compiled(real_batch), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = compiled(real_batch)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found.radial, expected.radial) and torch.equal(found.node_s, expected.node_s)


@needs_compiler
def test_arrays_may_lie_as_they_like(real_batch: ProteinBatch) -> None:
    turned = replace(
        real_batch,
        coordinates=real_batch.coordinates.transpose(0, 2).contiguous().transpose(0, 2),
        neighbours=real_batch.neighbours.long().t().contiguous().t(),
    )
    found, expected = compiled(turned), compiled(real_batch)
    for name in ("node_s", "node_v", "radial", "offsets", "edge_v"):
        assert torch.equal(getattr(found, name), getattr(expected, name)), name


@needs_compiler
@pytest.mark.usefixtures("older_processor")
def test_instructions_of_older_processors_give_the_same(real_batch: ProteinBatch) -> None:
    assert_alike(compiled(real_batch, 20), plain(real_batch, 20))


def test_without_a_compiler_they_go_through_torch(
    real_batch: ProteinBatch, compiled_afresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert build.library() is None and not compiled_features.suits(real_batch)
    assert_alike(build_graph(real_batch), plain(real_batch))


def test_coordinates_may_have_a_gradient(real_batch: ProteinBatch) -> None:
    batch = replace(real_batch, coordinates=real_batch.coordinates[:, :3].clone().requires_grad_())
    graph = build_graph(batch)
    (gradient,) = torch.autograd.grad(graph.radial.sum() + graph.node_s.sum(), batch.coordinates)
    assert gradient.isfinite().all() and gradient.abs().max() > 0
