"""The partitioner: its invariants on random proteins, its equations against plain loops, its gradients."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components, shortest_path
from torch import Tensor
from torch_geometric.nn.pool.select import SelectOutput

from bioblobs.graphs.layout import Layout
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.models.partitioner import Blobs, Partitioner
from bioblobs.ops import build
from bioblobs.ops.growth import compiled as compiled_growth
from bioblobs.ops.growth.reference import best
from bioblobs.training.losses import cardinality_loss
from conftest import batch_of, needs_compiler, random_chain

WIDTH = 8
LENGTHS = (40, 25, 3, 1, 60)


@pytest.fixture(
    autouse=True, scope="module", params=[pytest.param("compiled", marks=needs_compiler), "torch"]
)
def _both_ways(request: pytest.FixtureRequest) -> Iterator[None]:
    """Everything here holds for the compiled growth and for the one in torch's operations."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "torch":
            patch.setattr(compiled_growth, "suits", lambda tensor: False)
        else:
            assert build.library() is not None, build.reason()
        yield


def proteins(*lengths: int, k: int = 6) -> ProteinBatch:
    return batch_of([random_chain(length, seed=length) for length in lengths], k=k)


def embeddings(batch: ProteinBatch, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(len(batch.batch), WIDTH)


def cut(partitioner: Partitioner, batch: ProteinBatch, x: Tensor) -> Blobs:
    return partitioner.partition(x, batch.edge_index, batch.batch, batch.num_proteins)


def adjacency(batch: ProteinBatch) -> csr_matrix:
    """Of the symmetrised graph."""
    ones, size = np.ones(batch.edge_index.shape[1]), len(batch.batch)
    return csr_matrix((ones, tuple(batch.edge_index.numpy())), (size, size))


def check_invariants(partitioner: Partitioner, batch: ProteinBatch, blobs: Blobs, x: Tensor) -> None:
    """Every invariant of section 3 of the method."""
    graph = adjacency(batch)
    counted = torch.zeros(batch.num_proteins, partitioner.max_clusters)
    assert ((blobs.assignment >= -1) & (blobs.assignment < partitioner.max_clusters)).all()
    for protein in range(batch.num_proteins):
        own = batch.batch == protein
        for slot in range(partitioner.max_clusters):
            # One slot a residue and slots of one protein: blobs are disjoint and cross no protein.
            members = (own & (blobs.assignment == slot)).nonzero()[:, 0].numpy()
            counted[protein, slot] = len(members)
            if not len(members):
                assert not blobs.embedding[protein, slot].any()
                assert blobs.expected_size[protein, slot] == 0
                continue
            assert len(members) <= partitioner.cluster_size_max
            assert connected_components(graph[members][:, members])[0] == 1
            (seed,) = (i for i in members if blobs.seeds[i])
            assert shortest_path(graph, unweighted=True, indices=seed)[members].max() <= partitioner.k_hop
            mean = x[members].mean(0)
            torch.testing.assert_close(blobs.embedding[protein, slot], mean, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(blobs.size, counted)
    assert torch.equal(blobs.mask, counted > 0)
    inside = blobs.assignment >= 0
    assert blobs.mask[:, 0].all()
    assert blobs.seeds.sum() == blobs.mask.sum() and inside[blobs.seeds].all()
    assert (blobs.membership[inside] >= 0.5).all() and (blobs.membership[~inside] == 0).all()
    assert (blobs.membership[blobs.seeds] == 1).all() and not blobs.soft.any()


@settings(max_examples=40, derandomize=True, database=None)
@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    k=st.integers(1, 8),
    max_clusters=st.integers(1, 6),
    cluster_size_max=st.integers(1, 12),
    k_hop=st.integers(1, 3),
    threshold=st.sampled_from([0.3, 0.95, 1.0]),
    scale=st.sampled_from([0.1, 1.0, 10.0]),
    tau=st.sampled_from([0.1, 1.0]),
    training=st.booleans(),
)
def test_invariants_hold_on_any_proteins(
    lengths: list[int], k: int, scale: float, tau: float, threshold: float, training: bool, **shape: int
) -> None:
    torch.manual_seed(sum(lengths))
    partitioner = Partitioner(WIDTH, termination_threshold=threshold, **shape).train(training)
    partitioner.tau.fill_(tau)
    batch = proteins(*lengths, k=k)
    x = embeddings(batch, scale)
    check_invariants(partitioner, batch, cut(partitioner, batch, x), x)


def seed_logits(partitioner: Partitioner, x: Tensor, context: Tensor) -> Tensor:
    hidden = torch.relu(partitioner.seed_residue(x) + partitioner.seed_context(context))
    return partitioner.seed_logit(hidden)[:, 0]


def hard_of(hard: Tensor, soft: Tensor) -> Tensor:
    """The value of one with the gradient of the other."""
    return hard.detach() + soft - soft.detach()


def reference(
    partitioner: Partitioner, x: Tensor, graph: csr_matrix, noise: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Section 3 for one protein, by plain loops and autograd.

    Assignment, embeddings, expected sizes, and (N,) zeros with the gradient of the members' soft weights.
    """
    neighbours = [set(graph[i].indices.tolist()) for i in range(len(x))]
    context, free = x.mean(0), set(range(len(x)))
    assignment, soft = torch.full((len(x),), -1), torch.zeros(len(x), dtype=x.dtype)
    embedding, expected = [], []
    for slot in range(partitioner.max_clusters):
        logits = seed_logits(partitioner, x, context)
        if noise is not None:
            logits = (logits + noise[slot]) / partitioner.tau
        seed = max(free, key=lambda i: float(logits.detach()[i]))
        allowed = torch.tensor([i in free for i in range(len(x))])
        choice = logits.masked_fill(~allowed, -torch.inf).softmax(0)
        seed_x = hard_of(x[seed], choice @ x)
        reached = {seed}
        for _ in range(partitioner.k_hop):
            reached |= {j for i in reached for j in neighbours[i] if j in free}
        candidates = reached - {seed}
        n = len(candidates)
        between = sum(len(neighbours[i] & candidates) for i in candidates)
        share = len(neighbours[seed] & candidates) / max(len(neighbours[seed]), 1)
        local = x.new_tensor([math.log(1 + n), share, between / max(n * (n - 1), 1)])
        theta = partitioner.threshold(torch.cat([seed_x, context, local]))[0]
        affinity = partitioner.key(x) @ partitioner.query(seed_x) / math.sqrt(partitioner.key.out_features)
        members, p = {seed}, {}
        for _ in range(partitioner.k_hop):
            scores = {
                i: affinity[i] + partitioner.alpha * len(neighbours[i] & members) / len(neighbours[i]) - theta
                for i in candidates - members
                if neighbours[i] & members
            }
            p |= {i: torch.sigmoid(score / partitioner.tau) for i, score in scores.items()}
            best = sorted((i for i in scores if scores[i] > 0), key=lambda i: -float(scores[i].detach()))
            members |= set(best[: partitioner.cluster_size_max - len(members)])
        joined = torch.stack([p.get(i, x.new_zeros(())) for i in range(len(x))])
        weight, inside = choice + joined, sorted(members)
        assignment[inside] = slot
        soft = soft + (weight - weight.detach()) * (assignment == slot)
        embedding.append(hard_of(x[inside].mean(0), weight @ x / weight.sum()))
        expected.append(1 + joined.sum())
        context = context + partitioner.context_step * torch.tanh(partitioner.update(embedding[-1]))
        free -= members
        if len(x) - len(free) >= partitioner.termination_threshold * len(x):
            break
    return assignment, torch.stack(embedding), torch.stack(expected), soft


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("k_hop", "cap", "tau"), [(1, 15, 1.0), (2, 15, 0.3), (3, 6, 0.1)])
def test_partition_and_its_gradients_are_the_written_method(
    k_hop: int, cap: int, tau: float, training: bool
) -> None:
    shape: dict[str, Any] = {"max_clusters": 5, "cluster_size_max": cap, "k_hop": k_hop}
    partitioner = Partitioner(WIDTH, **shape).train(training)
    partitioner.tau.fill_(tau)
    batch = proteins(*LENGTHS)
    x, exact = embeddings(batch).requires_grad_(), copy.deepcopy(partitioner).double()
    exact_x = x.detach().double().requires_grad_()
    noise = partitioner._noise(x)
    partitioner._noise = lambda _: noise  # type: ignore[method-assign]
    blobs, graph, total = cut(partitioner, batch, x), adjacency(batch), torch.zeros((), dtype=torch.double)
    with torch.no_grad():  # another way through the code
        again = cut(partitioner, batch, x)
    for name in ("assignment", "membership", "embedding", "expected_size"):
        assert torch.equal(getattr(again, name), getattr(blobs, name)), name
    directions = [torch.randn_like(part) for part in (blobs.embedding, blobs.expected_size, blobs.soft)]
    for protein in range(batch.num_proteins):
        own = (batch.batch == protein).numpy()
        given = None if noise is None else noise[:, own].double()
        assignment, embedding, expected, soft = reference(exact, exact_x[own], graph[own][:, own], given)
        assert torch.equal(blobs.assignment[own], assignment)
        made = len(embedding)
        assert blobs.mask[protein].tolist() == [True] * made + [False] * (partitioner.max_clusters - made)
        torch.testing.assert_close(blobs.embedding[protein, :made].double(), embedding, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(
            blobs.expected_size[protein, :made].double(), expected, atol=1e-4, rtol=1e-4
        )
        for part, direction in ((embedding, directions[0]), (expected, directions[1])):
            total = total + (part * direction[protein, :made]).sum()
        total = total + (soft * directions[2][own]).sum()
    total.backward()
    parts = zip((blobs.embedding, blobs.expected_size, blobs.soft), directions, strict=True)
    # Slots that were not filled: what is made of them must not matter.
    sum((part * direction).sum() for part, direction in parts).backward()  # type: ignore[union-attr]
    found = {name: weight.grad for name, weight in partitioner.named_parameters()} | {"x": x.grad}
    for name, weight in [*exact.named_parameters(), ("x", exact_x)]:
        assert weight.grad is not None and found[name] is not None
        scale = float(weight.grad.abs().max())
        assert scale > 0, name
        torch.testing.assert_close(
            found[name], weight.grad, atol=1e-5 * scale, rtol=1e-4, check_dtype=False, msg=name
        )


def test_permuting_proteins_permutes_the_result_and_no_protein_sees_another() -> None:
    partitioner = Partitioner(WIDTH).eval()
    order = (3, 0, 4, 2, 1)
    batch, other = proteins(*LENGTHS), proteins(*(LENGTHS[i] for i in order))
    x = embeddings(batch)
    own = [batch.batch == protein for protein in range(len(LENGTHS))]
    blobs = cut(partitioner, batch, x)
    permuted = cut(partitioner, other, torch.cat([x[own[i]] for i in order]))
    assert torch.equal(permuted.assignment, torch.cat([blobs.assignment[own[i]] for i in order]))
    torch.testing.assert_close(permuted.embedding, blobs.embedding[list(order)])
    for protein, length in enumerate(LENGTHS):
        alone = cut(partitioner, proteins(length), x[own[protein]])
        assert torch.equal(alone.assignment, blobs.assignment[own[protein]])
        torch.testing.assert_close(alone.embedding[0], blobs.embedding[protein])
        torch.testing.assert_close(alone.expected_size[0], blobs.expected_size[protein])


def test_evaluation_is_deterministic_and_training_is_not() -> None:
    partitioner, batch = Partitioner(WIDTH).eval(), proteins(*LENGTHS)
    x = embeddings(batch)
    first, second = (cut(partitioner, batch, x).embedding for _ in range(2))
    assert torch.equal(first, second)
    first, second = (cut(partitioner.train(), batch, x).seeds for _ in range(2))
    assert not torch.equal(first, second)


def test_noisy_seeds_are_drawn_from_the_softmax_of_the_logits() -> None:
    # Gumbel-max (Jang et al. 2017): arg max of logits + noise, whatever the temperature of the soft weights.
    partitioner, drawn, length = Partitioner(WIDTH, 1, cluster_size_max=1).train(), 3000, 4
    x = 5 * torch.randn(length, WIDTH)
    with torch.no_grad():
        partitioner.tau.fill_(0.2)
        expected = torch.softmax(seed_logits(partitioner, x, x.mean(0)), 0)
        batch, no_edges = torch.arange(drawn).repeat_interleave(length), torch.empty(2, 0, dtype=torch.long)
        seeds = partitioner.partition(x.repeat(drawn, 1), no_edges, batch, drawn).seeds
    assert expected.max() - expected.min() > 0.2
    torch.testing.assert_close(seeds.view(drawn, length).float().mean(0), expected, atol=0.03, rtol=0)


@pytest.mark.parametrize("training", [True, False])
def test_the_gradient_reaches_every_weight_and_the_embeddings(training: bool) -> None:
    partitioner, batch = Partitioner(WIDTH, max_clusters=4).train(training), proteins(40, 25)
    x = embeddings(batch).requires_grad_()
    blobs = cut(partitioner, batch, x)
    (blobs.embedding * torch.randn_like(blobs.embedding)).sum().backward()
    gradients = {name: weight.grad for name, weight in partitioner.named_parameters()} | {"x": x.grad}
    for name, gradient in gradients.items():
        assert gradient is not None and gradient.isfinite().all() and gradient.abs().max() > 0, name


@pytest.mark.parametrize("prior", [1.0, 40.0])
def test_the_cardinality_gradient_pulls_the_expected_size_toward_the_prior(prior: float) -> None:
    partitioner, batch = Partitioner(WIDTH, max_clusters=1).eval(), proteins(40, 30)
    x, losses, sizes = embeddings(batch), [], []
    optimizer = torch.optim.SGD(partitioner.parameters(), lr=0.01)
    for _ in range(2):
        blobs = cut(partitioner, batch, x)
        losses.append(cardinality_loss(blobs.expected_size, blobs.mask, prior))
        sizes.append(blobs.expected_size.mean().item())
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[1] < losses[0] and (sizes[1] > sizes[0]) == (prior > sizes[0])


@pytest.mark.parametrize("length", [1, 2, 3])
def test_the_shortest_proteins_pass(length: int) -> None:
    # Fewer residues than slots: later slots stay empty.
    partitioner, batch = Partitioner(WIDTH, max_clusters=10).train(), proteins(length)
    x = embeddings(batch).requires_grad_()
    blobs = cut(partitioner, batch, x)
    check_invariants(partitioner, batch, blobs, x.detach())
    (blobs.embedding.sum() + blobs.expected_size.sum()).backward()
    assert x.grad is not None and x.grad.isfinite().all()
    assert (blobs.assignment >= 0).all()


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.9])
def test_a_protein_stops_once_enough_is_covered(threshold: float) -> None:
    batch = proteins(40, 25, 10)
    x = embeddings(batch)
    blobs = cut(Partitioner(WIDTH, 40, 5, termination_threshold=threshold).eval(), batch, x)
    for protein, length in enumerate((40, 25, 10)):
        sizes = blobs.size[protein][blobs.mask[protein]]
        assert sizes.sum() >= threshold * length > sizes[:-1].sum()


def test_forward_is_pyg_select_on_directed_edges_of_one_graph() -> None:
    partitioner, batch = Partitioner(WIDTH).eval(), proteins(30)
    x = embeddings(batch).requires_grad_()
    one_way = batch.edge_index[:, batch.edge_index[0] < batch.edge_index[1]]
    selected, blobs = partitioner(x, one_way), cut(partitioner, batch, x)
    assert isinstance(selected, SelectOutput)
    assert torch.equal(selected.node_index, (blobs.assignment >= 0).nonzero()[:, 0])
    assert torch.equal(selected.cluster_index, blobs.assignment[selected.node_index])
    assert (selected.num_nodes, selected.num_clusters) == (30, partitioner.max_clusters)
    torch.testing.assert_close(selected.weight, torch.ones(len(selected.node_index)))
    (selected.weight * torch.randn_like(selected.weight)).sum().backward()
    assert x.grad is not None and x.grad.abs().max() > 0
    several = proteins(20, 2, 30)
    x = embeddings(several)
    selected = partitioner(x, several.edge_index, several.batch, undirected=True)
    sizes = torch.bincount(selected.cluster_index, minlength=selected.num_clusters)
    assert torch.equal(sizes, cut(partitioner, several, x).size.long().reshape(-1))


@pytest.mark.parametrize(
    ("edges", "batch", "said"),
    [
        ([[0], [9]], [0] * 4, "expected nodes 0..3; got 9"),
        ([[0], [-2]], [0] * 4, "expected nodes 0..3; got -2"),
        ([[0.0], [1.5]], [0] * 4, "edge_index: expected integers; got torch.float32"),
        ([[0, 1], [1, 2]], [0, 0, 1, 1], "both ends of every edge in the same graph"),
        ([[0], [2]], [0, 1, 0, 1], "sort the nodes by graph"),
        ([[0], [1]], [-1, -1, 0, 0], "expected graphs from 0 on"),
        ([[0], [1]], [0, 0, 2, 2], "batch_size: expected more than the last graph of batch, 2; got 2"),
        ([[0], [1]], [0, 0, 1], r"one integer per node, shape \(4,\); got torch.int64 \(3,\)"),
        ([[0], [1]], [0.0, 0.0, 1.0, 1.0], "one integer per node"),
        ([0, 1], [0, 0, 1, 1], r"expected shape \(2, E\); got \(2,\)"),
    ],
)
def test_graphs_that_are_none_are_refused(edges: list[Any], batch: list[Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Partitioner(WIDTH)(torch.randn(4, WIDTH), torch.tensor(edges), torch.tensor(batch), batch_size=2)


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (torch.zeros(4, WIDTH + 1), rf"x: expected shape \(N, {WIDTH}\); got \(4, {WIDTH + 1}\)"),
        (torch.zeros(WIDTH), rf"x: expected shape \(N, {WIDTH}\); got \({WIDTH},\)"),
        (
            torch.tensor([[0.0], [torch.inf], [0.0], [torch.nan]]).expand(4, WIDTH),
            "finite embeddings; node 1",
        ),
    ],
)
def test_nodes_that_are_none_are_refused(x: Tensor, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Partitioner(WIDTH)(x, torch.tensor([[0], [1]]))


@pytest.mark.parametrize("kind", [torch.int32, torch.int64])
@pytest.mark.parametrize("undirected", [False, True])
def test_graphs_without_nodes_have_empty_clusters(kind: torch.dtype, undirected: bool) -> None:
    """The same blobs as without the empty graphs, at the first, a middle and the last place."""
    partitioner, batch = Partitioner(WIDTH).eval(), proteins(20, 2, 30)
    x, slots = embeddings(batch), partitioner.max_clusters
    plain = partitioner(x, batch.edge_index.long(), batch.batch, undirected)
    moved = torch.tensor([1, 2, 4])  # of six graphs, 0, 3 and 5 are empty
    found = partitioner(x, batch.edge_index.to(kind), moved[batch.batch].to(kind), undirected, batch_size=6)
    assert found.num_clusters == 6 * slots
    assert torch.equal(found.node_index, plain.node_index)
    assert torch.equal(found.cluster_index % slots, plain.cluster_index % slots)
    assert torch.equal(found.cluster_index // slots, moved[plain.cluster_index // slots])
    assert partitioner(x, batch.edge_index, moved[batch.batch], undirected).num_clusters == 5 * slots


@pytest.mark.parametrize(("batch_size", "graphs"), [(None, 0), (3, 3)])
def test_no_nodes_at_all_are_no_blobs(batch_size: int | None, graphs: int) -> None:
    partitioner, none = Partitioner(WIDTH), torch.empty(0, dtype=torch.long)
    x = torch.empty(0, WIDTH, requires_grad=True)
    for batch in (None, none, none.int()):
        found = partitioner(x, torch.empty(2, 0, dtype=torch.long), batch, batch_size=batch_size)
        assert isinstance(found, SelectOutput)
        assert (found.num_nodes, found.num_clusters) == (0, graphs * partitioner.max_clusters)
        assert not len(found.node_index) and not len(found.cluster_index) and not len(found.weight)


def test_parameters_are_reset_to_those_of_a_new_layer() -> None:
    torch.manual_seed(3)
    new = Partitioner(WIDTH)
    used = Partitioner(WIDTH)
    with torch.no_grad():
        for value in used.state_dict().values():
            value.fill_(0.5)
    torch.manual_seed(3)
    used.reset_parameters()
    for name, value in new.state_dict().items():
        assert torch.equal(used.state_dict()[name], value), name


def test_a_layer_is_shown_in_one_line() -> None:
    assert repr(Partitioner(8, 5)) == "Partitioner(8, max_clusters=5, cluster_size_max=15, k_hop=2)"


@pytest.mark.parametrize("name", ["max_clusters", "cluster_size_max", "k_hop"])
def test_sizes_below_one_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: expected at least 1; got 0"):
        Partitioner(WIDTH, **{name: 0})


def test_shares_may_be_whole_numbers_and_autocast_changes_nothing() -> None:
    batch, exact = proteins(*LENGTHS), Partitioner(WIDTH, termination_threshold=1.0, context_step=1.0).eval()
    whole = Partitioner(WIDTH, termination_threshold=1, context_step=1).eval()
    whole.load_state_dict(exact.state_dict())
    x = embeddings(batch)
    expected = cut(exact, batch, x)
    with torch.autocast("cpu", torch.bfloat16):
        found = cut(whole, batch, x)
    assert torch.equal(found.embedding, expected.embedding)
    assert torch.equal(found.assignment, expected.assignment)


def test_members_are_ranked_where_probabilities_all_round_to_one() -> None:
    # At a low temperature sigmoid(score / tau) is 1.0 for scores that still differ.
    layout = Layout(torch.tensor([0, 0, 0, 0, 1, 1]), 2)
    scores = torch.tensor([2e3, 5e3, 3e3, 9e3, -1.0, 4e3])
    considered = torch.tensor([True, True, True, False, True, True])
    rows = best(scores, considered, torch.tensor([2, 2]), 15, layout)
    assert [[row for row in each if row < len(scores)] for each in rows.tolist()] == [[1, 2], [5]]
