"""The compiled growth gives what the one in torch's operations gives, gradients included."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from bioblobs.graphs.layout import Layout, Neighbourhoods
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.ops.growth import compiled, reference
from bioblobs.ops.growth.reference import Growth, Inputs, Terms
from conftest import batch_of, needs_compiler, random_chain

pytestmark = needs_compiler
TERMS = Terms(5, 15, 0.95, 2, 0.1, torch.tensor(0.7), None)


def some_inputs(residues: int, proteins: int, width: int, heads: int) -> Inputs:
    """Inputs of the scale that trained ones have."""

    def some(*shape: int) -> Tensor:
        return torch.randn(*shape) / shape[-1] ** 0.5

    return Inputs(
        x=torch.randn(residues, width),
        projected=torch.randn(residues, heads),
        keys=torch.randn(residues, heads),
        context=some(proteins, width),
        seed_context=some(heads, width),
        seed_logit=some(1, heads),
        query=some(heads, width),
        alpha=torch.tensor(0.8),
        threshold=some(heads, 2 * width + 3),
        threshold_bias=some(heads),
        theta=some(1, heads),
        theta_bias=torch.tensor([-0.2]),
        update=some(width, width),
        update_bias=some(width),
    )


Case = tuple[Inputs, Terms, Layout, Neighbourhoods]


def case(batch: ProteinBatch, terms: Terms, width: int, heads: int) -> Case:
    """Arguments of the growth on a batch."""
    inputs = some_inputs(len(batch.batch), batch.num_proteins, width, heads)
    layout = Layout(batch.batch, batch.num_proteins, batch.longest)
    assert compiled.suits(inputs.x)
    return inputs, terms, layout, Neighbourhoods(batch.edge_index, len(batch.batch))


def both(batch: ProteinBatch, terms: Terms, width: int, heads: int) -> tuple[Growth, Growth]:
    """Of the same inputs: compiled, and in torch's operations."""
    given = case(batch, terms, width, heads)
    return compiled.grow(*given), reference.grow(*given)


def gradients(made: Growth, inputs: Inputs) -> tuple[Tensor, ...]:
    """Of every input, of a sum with fixed random weights over all that has a gradient."""
    generator = torch.Generator().manual_seed(1)
    outputs = [made.embedding, made.expected_size, made.soft]
    seeds = [torch.randn(each.shape, generator=generator) for each in outputs]
    return torch.autograd.grad(outputs, list(inputs), seeds)


def members(made: Growth, residues: int) -> list[list[int]]:
    """Of each slot and protein, in the order in which they joined."""
    return [[i for i in row if i < residues] for row in made.rows.flatten(0, 1).tolist()]


def assert_alike(found: Growth, expected: Growth) -> None:
    """Equal members and numbers."""
    residues = expected.p.shape[1]
    assert members(found, residues) == members(expected, residues)
    for name in ("embedding", "expected_size", "soft", "size", "p"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name), msg=name)
    assert all(each.isfinite().all() for each in found)


@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize(
    ("k_hop", "most", "covered", "width", "heads"),
    [
        (1, 15, 0.95, 100, 64),
        (2, 15, 0.95, 8, 64),
        (3, 40, 1.0, 33, 7),
        (2, 1, 0.5, 16, 16),
        (2, 200, 0.3, 5, 1),
    ],
)
def test_real_chains(
    real_batch: ProteinBatch, k_hop: int, most: int, covered: float, width: int, heads: int, noisy: bool
) -> None:
    noise = torch.randn(TERMS.max_clusters, len(real_batch.batch)) if noisy else None
    terms = replace(TERMS, k_hop=k_hop, cluster_size_max=most, termination_threshold=covered, noise=noise)
    found, expected = both(real_batch, terms, width, heads)
    assert_alike(found, expected)
    assert most == 1 or found.size.max() > 3


def test_chains_of_every_length_and_residues_without_edges() -> None:
    batch = batch_of([random_chain(length, seed=length) for length in (1, 2, 3, 40, 17)], k=4)
    found, expected = both(batch, TERMS, 8, 16)
    assert_alike(found, expected)
    assert (found.size[-1] == 0).any() and (found.size[-1] > 0).any()
    alone = replace(batch, edge_index=batch.edge_index[:, :0])
    assert_alike(*both(alone, TERMS, 8, 16))


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_number_of_threads_changes_nothing(real_batch: ProteinBatch, threads: int) -> None:
    torch.manual_seed(3)
    expected, before = both(real_batch, TERMS, 8, 16)[0], torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        torch.manual_seed(3)
        found = both(real_batch, TERMS, 8, 16)[0]
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.usefixtures("older_processor")
def test_instructions_of_older_processors_give_the_same(real_batch: ProteinBatch) -> None:
    assert_alike(*both(real_batch, TERMS, 33, 20))


def test_what_is_no_number_stays_with_its_protein(real_batch: ProteinBatch) -> None:
    inputs, terms, layout, graph = case(real_batch, TERMS, 8, 16)
    inputs.x[layout.starts[2] :][: int(layout.length[2])] = torch.nan
    made = compiled.grow(inputs, terms, layout, graph)
    others = torch.arange(real_batch.num_proteins) != 2
    assert made.embedding[2].isnan().any() and made.embedding[others].isfinite().all()


def test_edges_out_of_a_protein_are_not_followed(real_batch: ProteinBatch) -> None:
    ends = torch.tensor([[0, len(real_batch.batch) - 1], [len(real_batch.batch) - 1, 0]])
    edges = torch.cat([real_batch.edge_index, ends], 1)
    batch = replace(real_batch, edge_index=edges[:, edges[1].argsort(stable=True)])
    made = compiled.grow(*case(batch, TERMS, 8, 16))
    for number, rows in enumerate(made.rows.unbind(1)):
        assert (batch.batch[rows[rows < len(batch.batch)]] == number).all()


@pytest.mark.parametrize("noisy", [False, True])
def test_gradients_are_those_of_autograd(real_batch: ProteinBatch, noisy: bool) -> None:
    noise = torch.randn(TERMS.max_clusters, len(real_batch.batch)) if noisy else None
    inputs, terms, layout, graph = case(real_batch, replace(TERMS, noise=noise), 8, 16)
    inputs = Inputs(*(tensor.requires_grad_() for tensor in inputs))
    found = gradients(compiled.grow(inputs, terms, layout, graph), inputs)
    for name, one, other in zip(
        Inputs._fields, found, gradients(reference.grow(inputs, terms, layout, graph), inputs), strict=True
    ):
        scale = float(other.abs().max())
        assert scale > 0, name
        torch.testing.assert_close(one / scale, other / scale, atol=2e-5, rtol=1e-3, msg=name)


def test_the_operator_keeps_torchs_rules(real_batch: ProteinBatch) -> None:
    inputs, terms, layout, graph = case(real_batch, TERMS, 8, 16)
    given = [tensor.requires_grad_() for tensor in inputs]
    edges = layout.batch, layout.longest, graph.pointer, graph.source
    torch.library.opcheck(compiled._grow, (given, *edges, terms.tau, None, [5, 15, 2], [0.95, 0.1]))
