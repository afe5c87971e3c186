"""The message is the plain one: three GVPs over the concatenation, then the mean, by autograd."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from bioblobs.models.gvp import Dims, Pair
from bioblobs.models.message import Message
from bioblobs.ops.message import compiled as compiled_message

RESIDUES, NEIGHBOURS = 23, 5
Case = tuple[Pair, Pair, Tensor]


def case(node: Dims, edge: Dims) -> Case:
    """Random float64 leaves for one message."""

    def pair(*shape: int, dims: Dims) -> Pair:
        s = torch.randn(*shape, dims[0], dtype=torch.float64, requires_grad=True)
        v = torch.randn(3, *shape, dims[1], dtype=torch.float64, requires_grad=True)
        return s, v

    neighbours = torch.randint(RESIDUES, (RESIDUES, NEIGHBOURS))
    return pair(RESIDUES, dims=node), pair(RESIDUES, NEIGHBOURS, dims=edge), neighbours


def weights_of_a_ragged_graph() -> Tensor:
    """1/degree where residue i has i mod (k + 1) edges: some have none."""
    degree = torch.arange(RESIDUES) % (NEIGHBOURS + 1)
    real = torch.arange(NEIGHBOURS) < degree[:, None]
    return real.double() / degree.clamp_min(1)[:, None]


def plain(message: Message, node: Pair, edge: Pair, neighbours: Tensor, weights: Tensor | None) -> Pair:
    """The equation of :class:`Message`, as the paper writes it."""
    target = torch.arange(RESIDUES)[:, None].expand_as(neighbours)
    s = torch.cat([node[0][neighbours], edge[0], node[0][target]], -1)
    v = torch.cat([node[1][:, neighbours], edge[1], node[1][:, target]], -1)
    s, v = message.third(*message.second(*message.first(s, v)))
    if weights is None:
        return s.mean(1), v.mean(2)
    return (s * weights[..., None]).sum(1), (v * weights[..., None]).sum(2)


def with_gradients(result: Pair, seeds: Pair, leaves: list[Tensor]) -> list[Tensor]:
    loss = sum((part * seed).sum() for part, seed in zip(result, seeds, strict=True))
    assert isinstance(loss, Tensor)
    return [*result, *torch.autograd.grad(loss, leaves)]


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("ragged", [True, False])
@pytest.mark.parametrize("edge", [(6, 1), (4, 3)])
def test_message_and_gradients_are_those_of_the_plain_one(keep: bool, ragged: bool, edge: Dims) -> None:
    message = Message((8, 4), edge).double()
    message.keep = keep
    node, edges, neighbours = case((8, 4), edge)
    weights = weights_of_a_ragged_graph() if ragged else None
    seeds = torch.randn(RESIDUES, 8).double(), torch.randn(3, RESIDUES, 4).double()
    leaves = [*node, *edges, *message.parameters()]
    found = with_gradients(message(node, edges, neighbours, weights), seeds, leaves)
    expected = with_gradients(plain(message, node, edges, neighbours, weights), seeds, leaves)
    torch.testing.assert_close(found, expected)
    assert all(gradient.abs().max() > 0 for gradient in found)


def test_residues_without_edges_get_no_message() -> None:
    message = Message((8, 4), (6, 1)).double()
    node, edge, neighbours = case((8, 4), (6, 1))
    s, v = message(node, edge, neighbours, weights_of_a_ragged_graph())
    assert not s[:: NEIGHBOURS + 1].any() and not v[:, :: NEIGHBOURS + 1].any()
    assert s[1].any() and v[:, 1].any()


def test_zero_vectors_have_finite_gradients() -> None:
    # Chain ends have zero vectors; sqrt would give an infinite gradient there.
    message = Message((8, 4), (6, 1)).double()
    node, edge, neighbours = case((8, 4), (6, 1))
    still = (node[0], torch.zeros_like(node[1], requires_grad=True))
    s, v = message(still, (edge[0], torch.zeros_like(edge[1])), neighbours, None)
    (s.square().sum() + v.square().sum()).backward()
    assert still[1].grad is not None and still[1].grad.isfinite().all()


def test_bf16_autocast_is_the_message_to_its_precision_and_sums_in_fp32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compiled_message, "suits", lambda *_: False)  # as on a GPU
    message = Message((16, 4), (6, 1))
    node, edge, neighbours = case((16, 4), (6, 1))
    node, edge = ((s.detach().float(), v.detach().float()) for s, v in (node, edge))
    exact = message(node, edge, neighbours, None)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = message(node, edge, neighbours, None)
    assert rounded[1].dtype == torch.float32
    for found, expected in zip(rounded, exact, strict=True):
        error = (found.float() - expected).norm() / expected.norm()
        assert 0 < error < 0.02


def test_recomputation_keeps_nothing_of_an_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    message = Message((8, 4), (6, 1)).double()
    node, edge, neighbours = case((8, 4), (6, 1))

    def kept(keep: bool) -> int:
        """Numbers held for the backward pass, beyond the inputs."""
        message.keep = keep
        held: dict[int, int] = {}
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t: held.setdefault(t.data_ptr(), t.numel()) and t, lambda t: t
        ):
            message(node, edge, neighbours, None)
        return sum(held.values())

    assert kept(True) - kept(False) > 10 * RESIDUES * NEIGHBOURS * 8  # activations of 8 scalars per edge


def test_zero_and_tiny_vectors_have_finite_gradients_in_fp16() -> None:
    # 1e-8, the smallest squared length elsewhere, is zero in fp16: lengths of zero would divide by it.
    message = Message((16, 4), (6, 1))
    node, edge, neighbours = case((16, 4), (6, 1))
    still = (
        node[0].detach().float().requires_grad_(),
        torch.full((3, RESIDUES, 4), 1e-5, requires_grad=True),
    )
    flat = (edge[0].detach().float(), torch.zeros(3, RESIDUES, NEIGHBOURS, 1))
    with torch.autocast("cpu", torch.float16):
        s, v = message(still, flat, neighbours, None)
    (s.square().sum() + v.square().sum()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in [*message.parameters(), *still])
