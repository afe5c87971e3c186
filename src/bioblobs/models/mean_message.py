"""The message of three GVPs and its mean over neighbours, as one autograd function over chunks of edges.

Written out in separate operations, the activations of a message cost some 6 KiB an edge and layer, and most
of the time goes into moving them through memory. Here a chunk of edges that fits the processor's cache
passes through all three GVPs before the next chunk does, and the backward pass makes again what is cheap to
make: everything but two products, which ``keep`` holds (or those as well, for a few percent more time).
That is written here in torch's operations, for every device and type;
:mod:`bioblobs.models.compiled_message` does the same two to three times faster on a processor.

Two identities save arithmetic without changing the result. A linear map of a concatenation is a sum of
linear maps, so the parts that see only h_j or h_i are products over N residues, not N x k edges. And the
third GVP has no activation, so the mean over neighbours passes through its scalar map: :func:`mean_message`
returns the mean of that map's input.

Shapes: N residues, k neighbours, c edges a chunk, n and v scalar and vector channels of the residues, e and
w those of the edges, h hidden vector channels of the first GVP. Vectors are (3, ..., channels).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from bioblobs.models import compiled_message
from bioblobs.models.gvp import EPS
from bioblobs.models.products import RECURRING, product, weight_gradient

HALF_EPS = 1e-6
"""The same for fp16, in which 1e-8 is zero."""
CHUNK_FLOATS = {"cpu": 1 << 20, "cuda": 1 << 28}
"""Largest width of a message times edges a chunk, by kind of device; on the CPU measured (docs/speed.md)."""

_threshold_backward = torch.ops.aten.threshold_backward
_sigmoid_backward = torch.ops.aten.sigmoid_backward


class Inputs(NamedTuple):
    """What the chunks are cut from."""

    scalars_j: Tensor  # (N, n) part of the first GVP's scalars from the source residue
    scalars_i: Tensor  # (N, n) from the target residue
    vectors_j: Tensor  # (3, N, h) part of its hidden vectors from the source residue
    vectors_i: Tensor  # (3, N, h) from the target residue
    edge_s: Tensor  # (N, k, e)
    edge_v: Tensor  # (3, N, k, w)


class Weights(NamedTuple):
    """Weights of the edge-wise part, each (out, in) as ``torch.nn.Linear`` has it; digits count the GVPs."""

    hidden1: Tensor  # (h, w), of the edge vectors
    scalar1: Tensor  # (n, e + h), of [edge scalars, lengths]
    vector1: Tensor  # (v, h)
    gate1: Tensor  # (v, n)
    gate_bias1: Tensor
    hidden2: Tensor  # (v, v)
    scalar2: Tensor  # (n, n + v + 1), of [scalars, lengths, 1]
    vector2: Tensor  # (v, v)
    gate2: Tensor  # (v, n)
    gate_bias2: Tensor
    hidden3: Tensor  # (v, v)
    vector3: Tensor  # (v, v)
    gate3: Tensor  # (v, n + v + 1), of [scalars, lengths, 1]: through the third GVP's scalar map


_TENSORS = len(Inputs._fields) + len(Weights._fields)


class Gated(NamedTuple):
    """The vector side of one GVP for a chunk: ``flow * gate`` is what comes out."""

    hidden: Tensor  # (3, c, h)
    flow: Tensor  # (3, c, v)
    gate: Tensor  # (c, v)


class Chunk(NamedTuple):
    """All that the forward pass makes of a chunk."""

    x1: Tensor  # (c, e + h)
    pre1: Tensor  # (c, n) scalars before their activation
    vectors1: Gated
    out1: Tensor  # (3, c, v)
    x2: Tensor  # (c, n + v + 1)
    pre2: Tensor
    vectors2: Gated
    out2: Tensor
    x3: Tensor
    vectors3: Gated


def mean_message(
    inputs: Inputs, neighbours: Tensor, edge_weights: Tensor | None, weights: Weights, keep: bool = True
) -> tuple[Tensor, Tensor]:
    """Mean over the neighbours of each residue.

    Args:
        inputs: see there.
        neighbours: (N, k) source residue of each edge.
        edge_weights: (N, k), 1/degree on real edges and 0 on padding; None where all k edges are real.
        weights: see there.
        keep: hold two (N k, n) products for the backward pass, or make everything again; the compiled
            message, which an fp32 or bf16 model has on a processor, always makes everything again.

    Returns:
        (N, n + v + 1) mean of [scalars, lengths, 1], the input of the third GVP's scalar map, and (3, N, v)
        mean message vectors. Sums are taken in fp32 where the rest runs in a narrower type.
    """
    kind = inputs.scalars_j.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None
    if compiled_message.suits(inputs, dtype):
        return compiled_message.mean_message(inputs, neighbours, edge_weights, weights, dtype)
    if dtype is not None:
        inputs = Inputs(*(tensor.to(dtype) for tensor in inputs))
        weights = Weights(*(tensor.to(dtype) for tensor in weights))
    keep = keep and torch.is_grad_enabled()
    scalars, vectors = _MeanMessage.apply(neighbours, edge_weights, keep, *inputs, *weights)
    return scalars, vectors


class _MeanMessage(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, neighbours: Tensor, edge_weights: Tensor | None, keep: bool, *tensors: Tensor
    ) -> tuple[Tensor, Tensor]:
        inputs, w = Inputs(*tensors[: len(Inputs._fields)]), Weights(*tensors[len(Inputs._fields) :])
        residues = len(neighbours)
        n, v = inputs.scalars_i.shape[1], w.vector3.shape[0]
        wide = torch.promote_types(inputs.scalars_i.dtype, torch.float32)
        mean_s = inputs.scalars_i.new_empty(residues, n + v + 1, dtype=wide)
        mean_v = inputs.scalars_i.new_empty(3, residues, v, dtype=wide)
        kept: list[Tensor] = []
        for rows in _parts(neighbours, w):
            made = _forward(_cut(inputs, rows), neighbours[rows], w)
            if keep:
                kept += [made.pre1, made.pre2]
            _mean(made.x3, edge_weights, rows, mean_s)
            for axis, out in enumerate(made.vectors3.flow * made.vectors3.gate):
                _mean(out, edge_weights, rows, mean_v[axis])
        ctx.save_for_backward(neighbours, edge_weights, *tensors, *kept)
        return mean_s, mean_v

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_s: Tensor, grad_v: Tensor) -> tuple[Tensor | None, ...]:
        neighbours, edge_weights, *tensors = ctx.saved_tensors
        tensors, kept = tensors[:_TENSORS], tensors[_TENSORS:]
        inputs, w = Inputs(*tensors[: len(Inputs._fields)]), Weights(*tensors[len(Inputs._fields) :])
        k = neighbours.shape[1]
        d_inputs = Inputs(*(torch.empty_like(tensor, dtype=grad_s.dtype) for tensor in inputs))
        d_inputs.scalars_j.zero_()  # the others are written once, these are added to
        d_inputs.vectors_j.zero_()
        d_weights = Weights(*(torch.zeros_like(tensor, dtype=grad_s.dtype) for tensor in w))
        for place, rows in enumerate(_parts(neighbours, w)):
            cut = _cut(inputs, rows)
            made = _forward(cut, neighbours[rows], w, *kept[2 * place : 2 * place + 2])
            share = 1 / k if edge_weights is None else edge_weights[rows, :, None]
            dx3 = (grad_s[rows, None] * share).to(w.gate1.dtype)
            d_out = (grad_v[:, rows, None] * share).to(w.gate1.dtype)
            dx1, d_pre1, d_hidden1 = _backward(made, dx3, d_out, cut, w, d_weights)
            _spread(d_inputs, rows, neighbours[rows], dx1, d_pre1, d_hidden1, w)
        grads = [d.to(t.dtype) for d, t in zip((*d_inputs, *d_weights), tensors, strict=True)]
        return (None, None, None, *grads)


def _parts(neighbours: Tensor, w: Weights) -> list[slice]:
    """Residues of each chunk."""
    residues, k = neighbours.shape
    width = w.scalar1.shape[0] + 3 * w.vector1.shape[0]
    floats = CHUNK_FLOATS.get(neighbours.device.type, CHUNK_FLOATS["cuda"])
    size = max(1, floats // (k * width))
    size = size // RECURRING * RECURRING or size
    return [slice(start, min(start + size, residues)) for start in range(0, residues, size)]


def _cut(inputs: Inputs, rows: slice) -> Inputs:
    """Source parts whole, the rest of these residues: edge_s (c, e), edge_v (3, c, w)."""
    return Inputs(
        inputs.scalars_j,
        inputs.scalars_i[rows],
        inputs.vectors_j,
        inputs.vectors_i[:, rows],
        inputs.edge_s[rows].flatten(0, 1),
        inputs.edge_v[:, rows].flatten(1, 2),
    )


def _forward(
    cut: Inputs, neighbours: Tensor, w: Weights, pre1: Tensor | None = None, pre2: Tensor | None = None
) -> Chunk:
    """One chunk through the three GVPs; ``pre1`` and ``pre2`` where they were kept."""
    k, source = neighbours.shape[1], neighbours.flatten()
    c, n, e = len(source), cut.scalars_i.shape[1], cut.edge_s.shape[1]
    hidden1 = cut.vectors_j.index_select(1, source)
    hidden1.view(3, -1, k, hidden1.shape[-1]).add_(cut.vectors_i.unsqueeze(2))
    if cut.edge_v.shape[-1] == 1:
        hidden1.addcmul_(cut.edge_v, w.hidden1.t().contiguous())  # with gaps four times slower
    else:
        hidden1 += product(cut.edge_v, w.hidden1)
    x1 = hidden1.new_empty(c, w.scalar1.shape[1])
    x1[:, :e] = cut.edge_s
    _lengths(hidden1, out=x1[:, e:])
    if pre1 is None:
        pre1 = cut.scalars_j.index_select(0, source)
        pre1.view(-1, k, n).add_(cut.scalars_i.unsqueeze(1))
        pre1 = product(x1, w.scalar1, add=pre1)
    gate1 = product(pre1, w.gate1, w.gate_bias1).sigmoid_()
    vectors1 = Gated(hidden1, product(hidden1, w.vector1), gate1)
    out1 = vectors1.flow * vectors1.gate
    hidden2 = product(out1, w.hidden2)
    x2 = _scalars_and_lengths(pre1, hidden2)
    if pre2 is None:
        pre2 = product(x2, w.scalar2)
    gate2 = product(pre2, w.gate2, w.gate_bias2).sigmoid_()
    vectors2 = Gated(hidden2, product(hidden2, w.vector2), gate2)
    out2 = vectors2.flow * vectors2.gate
    hidden3 = product(out2, w.hidden3)
    x3 = _scalars_and_lengths(pre2, hidden3)
    vectors3 = Gated(hidden3, product(hidden3, w.vector3), product(x3, w.gate3).sigmoid_())
    return Chunk(x1, pre1, vectors1, out1, x2, pre2, vectors2, out2, x3, vectors3)


def _backward(
    made: Chunk, dx3: Tensor, d_out: Tensor, cut: Inputs, w: Weights, d: Weights
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of x1 (c, e + h), pre1 (c, n) and the first hidden vectors (3, c, h).

    Args:
        dx3, d_out: gradients of x3 and of the message vectors through their means, for r residues
            (r, k, n + v + 1) and (3, r, k, v), or (r, 1, ...) where those of a residue's edges are alike.
        d: gradients of the weights, added to.
    """
    n, e = made.pre1.shape[1], cut.edge_s.shape[1]
    edges = (len(dx3), -1)
    last = Gated(*(each.unflatten(-2, edges) for each in made.vectors3))
    d_gate = _gate_backward(d_out, last).flatten(0, 1)
    d.gate3.add_(weight_gradient(d_gate, made.x3))
    through_mean, dx3 = dx3, product(d_gate, w.gate3.t())
    dx3.unflatten(0, edges).add_(through_mean)
    d_flow = (d_out * last.gate).flatten(1, 2)
    d_hidden = _vector_backward(d_flow, made.vectors3, w.vector3, d.vector3, dx3[:, n:-1], made.x3[:, n:-1])
    d_out = _linear_backward(d_hidden, made.out2, w.hidden3, d.hidden3)

    d_gate = _gate_backward(d_out, made.vectors2)
    d.gate2.add_(weight_gradient(d_gate, made.pre2))
    d.gate_bias2.add_(d_gate.sum(0))
    d_pre = product(d_gate, w.gate2.t(), add=_threshold_backward(dx3[:, :n], made.pre2, 0))
    dx2 = _linear_backward(d_pre, made.x2, w.scalar2, d.scalar2)
    d_flow = d_out.mul_(made.vectors2.gate)
    d_hidden = _vector_backward(d_flow, made.vectors2, w.vector2, d.vector2, dx2[:, n:-1], made.x2[:, n:-1])
    d_out = _linear_backward(d_hidden, made.out1, w.hidden2, d.hidden2)

    d_gate = _gate_backward(d_out, made.vectors1)
    d.gate1.add_(weight_gradient(d_gate, made.pre1))
    d.gate_bias1.add_(d_gate.sum(0))
    d_pre = product(d_gate, w.gate1.t(), add=_threshold_backward(dx2[:, :n], made.pre1, 0))
    dx1 = _linear_backward(d_pre, made.x1, w.scalar1, d.scalar1)
    d_flow = d_out.mul_(made.vectors1.gate)
    d_hidden = _vector_backward(d_flow, made.vectors1, w.vector1, d.vector1, dx1[:, e:], made.x1[:, e:])
    d.hidden1.add_(weight_gradient(d_hidden, cut.edge_v))
    return dx1, d_pre, d_hidden


def _spread(
    d: Inputs, rows: slice, neighbours: Tensor, dx1: Tensor, d_pre1: Tensor, d_hidden1: Tensor, w: Weights
) -> None:
    """Add a chunk's gradients to those of the inputs."""
    k, source, wide = neighbours.shape[1], neighbours.flatten(), d.scalars_i.dtype
    torch.sum(d_pre1.unflatten(0, (-1, k)), 1, dtype=wide, out=d.scalars_i[rows])
    d.vectors_i[:, rows] = torch.sum(d_hidden1.unflatten(1, (-1, k)), 2, dtype=wide)
    d.scalars_j.index_add_(0, source, d_pre1.to(wide))
    for axis in range(3):  # on the first dimension index_add_ is twice as fast
        d.vectors_j[axis].index_add_(0, source, d_hidden1[axis].to(wide))
    d.edge_s[rows] = dx1[:, : d.edge_s.shape[-1]].unflatten(0, (-1, k))
    d.edge_v[:, rows] = product(d_hidden1, w.hidden1.t()).unflatten(1, (-1, k))


def _mean(values: Tensor, edge_weights: Tensor | None, rows: slice, out: Tensor) -> None:
    """Mean over the edges of each residue of a chunk, (c, channels), into its rows of (N, channels)."""
    values = values.unflatten(0, (rows.stop - rows.start, -1))
    if edge_weights is None:
        torch.mean(values, 1, dtype=out.dtype, out=out[rows])
    else:
        torch.bmm(edge_weights[rows].unsqueeze(1).to(out.dtype), values.to(out.dtype), out=out[rows, None])


def _lengths(vectors: Tensor, out: Tensor) -> None:
    """(3, c, h) -> (c, h)."""
    x, y, z = vectors
    eps = x.new_full((), HALF_EPS if x.dtype == torch.float16 else EPS)
    square = torch.addcmul(eps, x, x).addcmul_(y, y).addcmul_(z, z)
    torch.mul(square, square.rsqrt(), out=out)  # sqrt goes through a library that is slow on rows with gaps


def _scalars_and_lengths(pre: Tensor, hidden: Tensor) -> Tensor:
    """[relu(pre), lengths of hidden, 1]: (c, n), (3, c, v) -> (c, n + v + 1).

    The column of ones carries the bias through the next product, which would cost a pass of its own.
    """
    n = pre.shape[1]
    x = pre.new_empty(len(pre), n + hidden.shape[-1] + 1)
    torch.clamp_min(pre, 0, out=x[:, :n])
    _lengths(hidden, out=x[:, n:-1])
    x[:, -1] = 1
    return x


def _gate_backward(d_out: Tensor, made: Gated) -> Tensor:
    """Gradient of the gate before its sigmoid, (c, v)."""
    (x, y, z), (fx, fy, fz) = d_out, made.flow
    grad = torch.addcmul(x * fx, y, fy).addcmul_(z, fz)
    return _sigmoid_backward(grad, made.gate)


def _vector_backward(
    d_flow: Tensor, made: Gated, vector: Tensor, d_vector: Tensor, d_length: Tensor, length: Tensor
) -> Tensor:
    """Gradient of the hidden vectors (3, c, h), through the map and through their lengths."""
    d_hidden = _linear_backward(d_flow, made.hidden, vector, d_vector)
    return d_hidden.addcmul_(made.hidden, d_length / length)


def _linear_backward(d_out: Tensor, x: Tensor, weight: Tensor, d_weight: Tensor) -> Tensor:
    """Gradient of x, where out = x @ weight.t(); that of the weight is added."""
    d_weight.add_(weight_gradient(d_out, x))
    return product(d_out, weight.t())
