"""The compiled message is the one in torch's operations, and the model does without it where it must."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest
import torch
from torch import Tensor

from bioblobs.ops import build
from bioblobs.ops.message import compiled as compiled_message
from bioblobs.ops.message import reference as mean_message
from bioblobs.ops.message.reference import Inputs, Weights
from conftest import needs_compiler

# residues, neighbours, scalars, vectors, edge scalars, edge vectors
SHAPES = [
    (50, 7, 10, 3, 5, 1),
    (130, 30, 100, 16, 32, 1),
    (70, 16, 32, 4, 16, 2),
    (3, 300, 8, 1, 4, 1),  # more neighbours than a tile has columns
    (1, 1, 1, 1, 2, 1),
    (64, 10, 33, 17, 40, 3),  # more edge scalars than anything else
    (40, 8, 5, 20, 6, 2),  # more vectors than scalars
]


def leaves(shape: tuple[int, ...]) -> tuple[list[Tensor], Tensor]:
    """Inputs and weights in float64, and the neighbours."""
    residues, k, n, v, e, w = shape
    h = 2 * v + w

    def some(*size: int) -> Tensor:
        return torch.randn(*size, dtype=torch.float64)

    def weight(rows: int, columns: int) -> Tensor:
        return some(rows, columns) / columns**0.5

    inputs = [some(residues, n), some(residues, n), some(3, residues, h), some(3, residues, h)]
    inputs += [some(residues, k, e), some(3, residues, k, w)]
    weights = [weight(h, w), weight(n, e + h), weight(v, h), weight(v, n), some(v), weight(v, v)]
    weights += [weight(n, n + v + 1), weight(v, v), weight(v, n), some(v), weight(v, v), weight(v, v)]
    weights += [weight(v, n + v + 1)]
    return [*inputs, *weights], torch.randint(residues, (residues, k))


def ragged(residues: int, k: int) -> Tensor:
    """Weights of edges where residues have from none to all of k edges."""
    degree = torch.arange(1, residues + 1) % (k + 1)
    return (torch.arange(k) < degree[:, None]).double() / degree.clamp_min(1)[:, None]


def computed(
    tensors: list[Tensor], neighbours: Tensor, weights: Tensor | None, dtype: torch.dtype
) -> list[Tensor]:
    """Both means and the gradient of every tensor, in torch's operations if ``dtype`` is float64."""
    given = [tensor.to(dtype).requires_grad_() for tensor in tensors]
    weights = None if weights is None else weights.to(dtype)
    compute = compiled_message.mean_message if compiled_message.suits(given[0]) else mean_message.mean_message
    means = compute(Inputs(*given[:6]), neighbours, weights, Weights(*given[6:]))
    generator = torch.Generator().manual_seed(1)
    seeds = [torch.randn(mean.shape, dtype=torch.float64, generator=generator).to(dtype) for mean in means]
    gradients = torch.autograd.grad(means, given, seeds)
    return [*(mean.detach() for mean in means), *gradients]


def error(found: list[Tensor], expected: list[Tensor]) -> float:
    """The largest of a tensor, relative to its norm; NaN where there is one."""
    pairs = zip(found, expected, strict=True)
    return float(torch.stack([(a.double() - b).norm() / b.norm().clamp_min(1e-12) for a, b in pairs]).max())


@needs_compiler
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("with_padding", [False, True])
def test_means_and_gradients_are_those_of_float64(shape: tuple[int, ...], with_padding: bool) -> None:
    tensors, neighbours = leaves(shape)
    weights = ragged(*shape[:2]) if with_padding else None
    expected = computed(tensors, neighbours, weights, torch.float64)
    found = computed(tensors, neighbours, weights, torch.float32)
    assert compiled_message.suits(tensors[0].float())
    assert error(found, expected) < 1e-5
    assert all(each.abs().max() > 0 for each in expected)


@needs_compiler
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_number_of_threads_changes_only_the_order_of_sums(threads: int) -> None:
    tensors, neighbours = leaves((3, 4, 9, 2, 4, 1))  # fewer residues than five threads
    expected = computed(tensors, neighbours, None, torch.float64)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found, again = (computed(tensors, neighbours, None, torch.float32) for _ in range(2))
    finally:
        torch.set_num_threads(before)
    assert error(found, expected) < 1e-5
    assert all(torch.equal(a, b) for a, b in zip(found, again, strict=True))


@needs_compiler
@pytest.mark.usefixtures("older_processor")
def test_instructions_of_older_processors_give_the_same() -> None:
    tensors, neighbours = leaves(SHAPES[1])
    expected = computed(tensors, neighbours, None, torch.float64)
    found = computed(tensors, neighbours, None, torch.float32)
    assert isinstance(build.library(), ctypes.CDLL) and build.library().wide() == 8
    assert error(found, expected) < 1e-5


@needs_compiler
@pytest.mark.skipif(not build.has_bf16(), reason="this processor has no bf16")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("with_padding", [False, True])
def test_bf16_is_the_message_to_its_precision(shape: tuple[int, ...], with_padding: bool) -> None:
    tensors, neighbours = leaves(shape)
    weights = ragged(*shape[:2]) if with_padding else None
    expected = computed(tensors, neighbours, weights, torch.float64)
    with torch.autocast("cpu", torch.bfloat16):
        found = computed(tensors, neighbours, weights, torch.float32)
    assert found[0].dtype == torch.float32
    assert 1e-4 < error(found[:2], expected[:2]) < 0.02
    gradients = [torch.cat([each.double().flatten() for each in some[2:]]) for some in (found, expected)]
    assert error(gradients[:1], gradients[1:]) < 0.1  # together: one near zero has a large error of its own


@needs_compiler
def test_nothing_of_an_edge_is_kept_for_the_backward_pass() -> None:
    tensors, neighbours = leaves((50, 7, 10, 3, 5, 1))
    given = [tensor.float().requires_grad_() for tensor in tensors]
    held: dict[int, int] = {}
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: held.setdefault(t.data_ptr(), t.numel()) and t, lambda t: t
    ):
        compiled_message.mean_message(Inputs(*given[:6]), neighbours, None, Weights(*given[6:]))
    assert sum(held.values()) == sum(tensor.numel() for tensor in [*given, neighbours])


@needs_compiler
@pytest.mark.parametrize("with_padding", [False, True])
def test_the_operator_keeps_torchs_rules(with_padding: bool) -> None:
    tensors, neighbours = leaves((13, 4, 5, 3, 4, 1))
    given = [tensor.float().requires_grad_() for tensor in tensors]
    weights = ragged(13, 4).float() if with_padding else None
    torch.library.opcheck(compiled_message._message, (neighbours.int(), weights, given, False))


@needs_compiler
def test_what_is_no_number_stays_with_its_residue() -> None:
    tensors, neighbours = leaves((50, 7, 10, 3, 5, 1))
    tensors[4][20, 3] = torch.nan  # an edge of residue 20, among others of its tile
    found = computed(tensors, neighbours, None, torch.float32)
    others = torch.arange(50) != 20
    for by_target in (found[0], found[1].movedim(1, 0), found[3]):  # means, and the gradient of scalars_i
        assert by_target[20].isnan().any() and not by_target[others].isnan().any()


@needs_compiler
def test_tensors_may_lie_and_be_typed_as_they_like() -> None:
    tensors, neighbours = leaves((50, 7, 10, 3, 5, 1))
    weights = torch.full((50, 1), 1 / 7, dtype=torch.float64).expand(50, 7)
    expected = computed(tensors, neighbours, None, torch.float64)
    given = [tensor.float() for tensor in tensors]
    turned = [tensor.mT.contiguous().mT if tensor.dim() > 1 else tensor for tensor in given]
    other = neighbours.int().t().contiguous().t()
    found = compiled_message.mean_message(Inputs(*turned[:6]), other, weights, Weights(*turned[6:]))
    assert error([mean.detach() for mean in found], expected[:2]) < 1e-5


@pytest.mark.parametrize(
    ("compiler", "said"),
    [("no-such-compiler", "there is no C++ compiler"), ("false", "could not compile the kernels")],
)
def test_without_a_compiler_the_message_goes_through_torch(
    compiler: str, said: str, compiled_afresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", compiler)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    tensors, neighbours = leaves((50, 7, 10, 3, 5, 1))
    found = computed(tensors, neighbours, None, torch.float32)
    assert build.library() is None and said in str(build.reason())
    assert error(found, computed(tensors, neighbours, None, torch.float64)) < 1e-5
