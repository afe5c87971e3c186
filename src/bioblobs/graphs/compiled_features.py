"""The features of residues and edges compiled for the processor: one pass over each instead of dozens."""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from bioblobs.graphs.protein_batch import CA_ATOM, ProteinBatch
from bioblobs.kernels.build import library
from bioblobs.kernels.call import call


def suits(batch: ProteinBatch) -> bool:
    """Whether they take this batch: fp32 on a processor, and nobody asks for the gradient of coordinates."""
    given = batch.coordinates
    here = given.device.type == "cpu" and given.dtype == torch.float32 and not given.requires_grad
    return here and library() is not None


def node_features(batch: ProteinBatch, longest_bond: float) -> tuple[Tensor, Tensor]:
    """As :func:`bioblobs.graphs.backbone.node_features`.

    Args:
        longest_bond: C-N distance in angstrom beyond which a chain is broken.
    """
    coordinates = batch.coordinates.contiguous()
    residues, atoms = coordinates.shape[:2]
    scalars, vectors = coordinates.new_empty(residues, 6), coordinates.new_empty(3, residues, 3)
    sizes = (ctypes.c_int64 * 2)(residues, atoms)
    given = coordinates, batch.batch.long().contiguous()
    call("node_features", sizes, *given, float(longest_bond), torch.get_num_threads(), scalars, vectors)
    return scalars, vectors


def edge_features(batch: ProteinBatch, count: int, longest: float) -> tuple[Tensor, Tensor, Tensor]:
    """As :func:`bioblobs.graphs.residue_graph.edge_features`.

    Args:
        count: Gaussians of the radial basis.
        longest: centre of the last one, angstrom.
    """
    coordinates, neighbours = batch.coordinates.contiguous(), batch.neighbours.int().contiguous()
    shape = neighbours.shape
    radial, directions = coordinates.new_empty(*shape, count), coordinates.new_empty(3, *shape, 1)
    offsets = torch.empty_like(neighbours)
    sizes = (ctypes.c_int64 * 6)(*shape, coordinates.shape[1], CA_ATOM, count, batch.reach)
    given = coordinates, batch.positions.long().contiguous(), neighbours
    made = radial, directions, offsets
    call("edge_features", sizes, *given, float(longest), torch.get_num_threads(), *made)
    return made
