"""Geometric vector perceptrons are their equations, and everything turns with the input."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from bioblobs.models.encoder import GVPLayer
from bioblobs.models.gvp import GVP, Pair, PairDropout, PairNorm
from bioblobs.ops.message.reference import lengths

NODE, EDGE = (8, 4), (6, 1)
RESIDUES, NEIGHBOURS = 12, 5


def rotation(seed: int) -> Tensor:
    return torch.from_numpy(Rotation.random(rng=np.random.default_rng(seed)).as_matrix())


def turn(vectors: Tensor, by: Tensor) -> Tensor:
    return torch.einsum("xy,y...->x...", by, vectors)


def pair(*shape: int, dims: tuple[int, int]) -> Pair:
    """Random scalars (*shape, n) and vectors (3, *shape, v), float64 leaves."""
    s = torch.randn(*shape, dims[0], dtype=torch.float64, requires_grad=True)
    v = torch.randn(3, *shape, dims[1], dtype=torch.float64, requires_grad=True)
    return s, v


def random_graph() -> tuple[Pair, Pair, Tensor]:
    node, edge = pair(RESIDUES, dims=NODE), pair(RESIDUES, NEIGHBOURS, dims=EDGE)
    return node, edge, torch.randint(RESIDUES, (RESIDUES, NEIGHBOURS))


def test_gvp_is_its_published_equations() -> None:
    gvp = GVP((5, 3), (4, 2)).double()
    s, v = pair(7, dims=(5, 3))
    # arXiv 2106.03843: one vector at a time, as rows of (v, 3), the layout of the paper.
    for row in range(7):
        hidden = gvp.w_h.weight @ v[:, row].T
        s_pre = gvp.w_s.weight @ torch.cat([s[row], hidden.norm(dim=1)]) + gvp.w_s.bias
        gates = torch.sigmoid(gvp.gate.weight @ s_pre + gvp.gate.bias)
        out_s, out_v = gvp(s, v)
        torch.testing.assert_close(out_s[row], s_pre.relu(), atol=1e-7, rtol=0)
        torch.testing.assert_close(out_v[:, row].T, gates[:, None] * (gvp.w_v.weight @ hidden))


@pytest.mark.parametrize("norm_first", [True, False])
def test_layer_scalars_are_invariant_and_vectors_equivariant(norm_first: bool) -> None:
    layer = GVPLayer(NODE, EDGE, drop_rate=0.0, norm_first=norm_first).double()
    (s, v), (edge_s, edge_v), neighbours = random_graph()
    for seed in range(3):
        by = rotation(seed)
        out_s, out_v = layer((s, v), (edge_s, edge_v), neighbours, None)
        turned_s, turned_v = layer((s, turn(v, by)), (edge_s, turn(edge_v, by)), neighbours, None)
        torch.testing.assert_close(out_s, turned_s)
        torch.testing.assert_close(turn(out_v, by), turned_v)
        assert not torch.allclose(out_v, turned_v)  # there are vectors to turn


def test_layer_depends_on_every_input() -> None:
    layer = GVPLayer(NODE, EDGE, drop_rate=0.0, norm_first=True).double()
    node, edge, neighbours = random_graph()
    out = layer(node, edge, neighbours, None)
    gradients = torch.autograd.grad(out[0].square().sum() + out[1].square().sum(), [*node, *edge])
    assert all(gradient.abs().max() > 0 for gradient in gradients)


def test_norm_sets_the_root_mean_square_length_of_a_residue_to_one() -> None:
    s, v = pair(9, dims=NODE)
    scalars, vectors = PairNorm(NODE).double()(3 + 5 * s, 7 * v)
    torch.testing.assert_close(vectors.square().sum(0).mean(-1), torch.ones(9, dtype=torch.float64))
    torch.testing.assert_close(scalars.mean(-1), torch.zeros(9, dtype=torch.float64))


def test_norms_of_zero_vectors_have_finite_gradients() -> None:
    # Chain ends have zero vectors; sqrt would give an infinite gradient there.
    zeros = torch.zeros(3, 4, 2, requires_grad=True)
    (lengths(zeros).sum() + PairNorm((1, 2))(torch.zeros(4, 1), zeros)[1].sum()).backward()
    assert zeros.grad is not None and zeros.grad.isfinite().all()


def test_dropout_drops_whole_vectors_and_keeps_the_mean() -> None:
    s, v = torch.ones(4000, 3), torch.ones(3, 4000, 3)
    dropped_s, dropped_v = PairDropout(0.25).train()(s, v)
    # All three components of a vector go or stay together: anything else would turn it.
    assert torch.equal(dropped_v[0], dropped_v[1]) and torch.equal(dropped_v[0], dropped_v[2])
    for values in (dropped_s, dropped_v[0]):
        gone = values == 0
        assert gone.float().mean() == pytest.approx(0.25, abs=0.02)
        torch.testing.assert_close(values[~gone], torch.full_like(values[~gone], 1 / 0.75))
    assert not torch.equal(dropped_s == 0, dropped_v[0] == 0)


def test_dropout_in_training_commutes_with_rotation() -> None:
    dropout, by = PairDropout(0.5).train(), rotation(0).float()
    s, v = torch.randn(10, 3), torch.randn(3, 10, 3)
    torch.manual_seed(1)
    after = turn(dropout(s, v)[1], by)
    torch.manual_seed(1)
    torch.testing.assert_close(after, dropout(s, turn(v, by))[1])


def test_dropout_is_the_identity_in_evaluation() -> None:
    s, v = torch.randn(10, 3), torch.randn(3, 10, 3)
    out = PairDropout(0.9).eval()(s, v)
    assert out[0] is s and out[1] is v
