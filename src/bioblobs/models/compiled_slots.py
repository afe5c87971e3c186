"""The slots of :mod:`bioblobs.models.slots` by ``kernels/grow_slots.cpp``, one protein at a time."""

from __future__ import annotations

import ctypes
import math

import torch
from torch import Tensor

from bioblobs.kernels.build import library
from bioblobs.kernels.call import call
from bioblobs.models.layout import Layout, Neighbourhoods
from bioblobs.models.slots import LOCAL_STATISTICS, Inputs, Slots, Terms


def suits(inputs: Inputs) -> bool:
    """Whether the compiled function takes these inputs: on a processor."""
    return inputs.x.device.type == "cpu" and library() is not None


def fill(inputs: Inputs, terms: Terms, layout: Layout, graph: Neighbourhoods) -> Slots:
    """See :func:`bioblobs.models.slots.fill`; members come in the order in which they joined."""
    heads = inputs.query.shape[0]
    given = inputs._replace(query=inputs.query / math.sqrt(heads))
    tensors: list[Tensor | None] = [tensor.float().contiguous() for tensor in given]
    noise = None if terms.noise is None else terms.noise.float().contiguous()
    tensors += [terms.tau.float(), noise, layout.starts, graph.pointer, graph.source]
    (residues, width), proteins, slots = inputs.x.shape, layout.size, terms.max_clusters
    most = terms.cluster_size_max

    def empty(*shape: int) -> Tensor:
        return inputs.x.new_empty(slots, *shape, dtype=torch.float32)

    made = Slots(
        rows=layout.starts.new_empty(slots, proteins, most),
        active=empty(proteins),
        size=empty(proteins),
        blob=empty(proteins, width),
        choice=empty(residues),
        p=empty(residues),
        into=empty(residues),
        hidden=empty(residues, heads),
        query=empty(proteins, heads),
        threshold_in=empty(proteins, 2 * width + LOCAL_STATISTICS),
        threshold_hidden=empty(proteins, heads),
        step=empty(proteins, width),
    )
    sizes = (ctypes.c_int64 * 7)(proteins, residues, width, heads, slots, most, terms.k_hop)
    shares = float(terms.termination_threshold), float(terms.context_step)
    call("grow_slots", sizes, tensors, *shares, torch.get_num_threads(), list(made))
    return made
