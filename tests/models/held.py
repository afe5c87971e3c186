"""A small model with random weights, read again with its blobs held, as the laws of section 4a want it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch_geometric.utils import scatter

from bioblobs.checkpoints.build import build_model
from bioblobs.config.schema import ModelConfig
from bioblobs.graphs.neighbours import mutual_edges, neighbour_lists
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.graphs.residue_graph import build_graph
from bioblobs.models.bioblobs import BioBlobs, Prediction
from bioblobs.models.partitioner import Blobs
from bioblobs.ops import build
from bioblobs.ops.growth import compiled as compiled_growth
from bioblobs.ops.message import compiled as compiled_message
from bioblobs.proteins.geometry import CA_ATOM
from bioblobs.store.batches import make_batch

CLASSES = 5


def small_model(with_codebook: bool = False, multilabel: bool = False, **keys: Any) -> BioBlobs:
    """A model of five classes in evaluation mode; ``keys`` are of ``model``. Same keys, same weights."""
    torch.manual_seed(0)
    small: dict[str, Any] = {
        "node_h_dim": (16, 4),
        "edge_h_dim": (8, 1),
        "num_layers": 2,
        "max_clusters": 6,
        "cluster_size_max": 20,
        "codebook_size": 6,
    }
    config = ModelConfig(**{**small, **keys})
    return build_model(config, CLASSES, with_codebook, multilabel).eval()


@torch.no_grad()
def fill_codebook(model: BioBlobs, batch: ProteinBatch) -> None:
    """Make codes of the first blobs of the batch, so that several blobs share each code."""
    assert model.codebook is not None
    blobs = model.partition(batch)[1]
    found = blobs.embedding[blobs.mask][:: max(int(blobs.mask.sum()) // model.codebook.size, 1)]
    model.codebook.fill(found[: model.codebook.size], torch.ones(model.codebook.size))


def held(model: BioBlobs, batch: ProteinBatch, blobs: Blobs) -> Prediction:
    """The batch read alone, cut as in ``blobs``, whatever the partitioner would do."""
    assert model.blob_encoder is not None
    graph = build_graph(batch, model.edge_scalars)
    return model.read(*model.embed_alone(batch, graph, blobs, model.blob_encoder))


def held_in_context(model: BioBlobs, batch: ProteinBatch, blobs: Blobs) -> Prediction:
    """The same of a model that reads in context: a blob is the mean of what its encoder says of members."""
    x = model.encoder(build_graph(batch, model.edge_scalars), batch.residue_types)
    size, slots = blobs.mask.shape
    member = blobs.assignment >= 0
    cell = batch.batch[member] * slots + blobs.assignment[member]
    mean = scatter(x[member], cell, dim_size=size * slots, reduce="mean")
    return model.read(mean, replace(blobs, embedding=mean.view(size, slots, -1)))


def members(batch: ProteinBatch, blobs: Blobs, protein: int, slot: int) -> Tensor:
    """(N,) True on the residues of one blob."""
    return (batch.batch == protein) & (blobs.assignment == slot)


def with_chain_neighbours(batch: ProteinBatch, member: Tensor) -> Tensor:
    """(N,) True on members and on the residues directly before and after them in their chain."""
    kept = member.clone()
    same = batch.batch[1:] == batch.batch[:-1]
    kept[1:] |= member[:-1] & same
    kept[:-1] |= member[1:] & same
    return kept


def only(batch: ProteinBatch, kept: Tensor, edge_types: str) -> ProteinBatch:
    """The kept residues of a single protein as the whole batch, at their places in the chain."""
    rows = kept.nonzero().squeeze(-1)
    coordinates = batch.coordinates[rows]
    lists = neighbour_lists(coordinates[:, CA_ATOM].numpy(), edge_types)
    made = make_batch(
        coordinates=coordinates.numpy(),
        residue_types=batch.residue_types[rows].numpy().astype("uint8"),
        positions=batch.positions[rows].numpy(),
        neighbours=lists,
        mutual=mutual_edges(lists),
        lengths=torch.tensor([len(rows)]).numpy(),
        labels=batch.labels[:1],
        proteins=batch.proteins[:1],
        edge_types=edge_types,
    )
    return replace(made, reach=batch.reach)  # the table of offsets has as many rows as before


def one_blob(blobs: Blobs, member: Tensor) -> Blobs:
    """The same with all but one blob dissolved."""
    return replace(blobs, assignment=torch.where(member, blobs.assignment, -1))


def restricted(blobs: Blobs, kept: Tensor, protein: int) -> Blobs:
    """Blobs of one protein, of which only the kept residues (N,) are left."""
    place = slice(protein, protein + 1)
    return replace(
        blobs,
        **{name: getattr(blobs, name)[kept] for name in ("assignment", "membership", "soft", "seeds")},
        **{name: getattr(blobs, name)[place] for name in ("embedding", "mask", "size", "expected_size")},
    )


def several(blobs: Blobs) -> list[tuple[int, int]]:
    """Protein and slot of the first and the last blob of every protein, more than one residue each."""
    found = []
    for protein, sizes in enumerate(blobs.size.tolist()):
        large = [slot for slot, size in enumerate(sizes) if size > 1]
        found += [(protein, slot) for slot in sorted({large[0], large[-1]})]
    assert len(found) >= len(blobs.mask)
    return found


@contextmanager
def each_way(way: str) -> Iterator[None]:
    """Run "compiled", or in the operations of "torch"."""
    with pytest.MonkeyPatch.context() as patch:
        if way == "torch":
            for module in (compiled_message, compiled_growth):
                patch.setattr(module, "suits", lambda *_: False)
        else:
            assert build.library() is not None, build.reason()
        yield
