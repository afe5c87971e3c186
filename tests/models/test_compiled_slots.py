"""The compiled slots leave behind what those in torch's operations do."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.models import compiled_slots, slots
from bioblobs.models.layout import Layout, Neighbourhoods
from bioblobs.models.slots import Inputs, Slots, Terms
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


def both(batch: ProteinBatch, terms: Terms, width: int, heads: int) -> tuple[Slots, Slots]:
    """Of the same inputs: compiled, and in torch's operations."""
    inputs = some_inputs(len(batch.batch), batch.num_proteins, width, heads)
    layout = Layout(batch.batch, batch.num_proteins, batch.longest)
    graph = Neighbourhoods(batch.edge_index, len(batch.batch))
    assert compiled_slots.suits(inputs)
    return compiled_slots.fill(inputs, terms, layout, graph), slots.fill(inputs, terms, layout, graph)


def members(filled: Slots, residues: int) -> list[list[int]]:
    """Of each slot and protein, in the order in which they joined."""
    return [[i for i in row if i < residues] for row in filled.rows.flatten(0, 1).tolist()]


def assert_alike(found: Slots, expected: Slots) -> None:
    """Equal members, and equal numbers wherever a protein was not done yet."""
    active, residues = expected.active, expected.p.shape[1]
    assert members(found, residues) == members(expected, residues)
    for name in ("active", "size", "blob", "choice", "p", "into"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name), msg=name)
    for name in ("query", "threshold_in", "threshold_hidden", "step"):
        a, b = (getattr(each, name)[active > 0] for each in (found, expected))
        torch.testing.assert_close(a, b, atol=2e-5, rtol=1e-4, msg=name)
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
    assert (found.active[-1] == 0).any() and (found.active[-1] == 1).any()
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
    inputs = some_inputs(len(real_batch.batch), real_batch.num_proteins, 8, 16)
    layout = Layout(real_batch.batch, real_batch.num_proteins, real_batch.longest)
    graph = Neighbourhoods(real_batch.edge_index, len(real_batch.batch))
    inputs.x[layout.starts[2] :][: int(layout.length[2])] = torch.nan
    filled = compiled_slots.fill(inputs, TERMS, layout, graph)
    others = torch.arange(real_batch.num_proteins) != 2
    assert filled.blob[:, 2].isnan().any() and filled.blob[:, others].isfinite().all()


def test_edges_out_of_a_protein_are_not_followed(real_batch: ProteinBatch) -> None:
    ends = torch.tensor([[0, len(real_batch.batch) - 1], [len(real_batch.batch) - 1, 0]])
    edges = torch.cat([real_batch.edge_index, ends], 1)
    batch = replace(real_batch, edge_index=edges[:, edges[1].argsort(stable=True)])
    inputs = some_inputs(len(batch.batch), batch.num_proteins, 8, 16)
    layout = Layout(batch.batch, batch.num_proteins, batch.longest)
    filled = compiled_slots.fill(inputs, TERMS, layout, Neighbourhoods(batch.edge_index, len(batch.batch)))
    for number, rows in enumerate(filled.rows.unbind(1)):
        assert (batch.batch[rows[rows < len(batch.batch)]] == number).all()
