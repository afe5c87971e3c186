"""Embeddings that come with the residues: read by both encoders, and of a blob only its own rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from bioblobs.checkpoints.build import build_model
from bioblobs.checkpoints.file import FORMAT, load_model, write_checkpoint
from bioblobs.config.schema import ModelConfig
from bioblobs.errors import BioBlobsError
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.graphs.residue_graph import build_graph
from bioblobs.models.bioblobs import BioBlobs
from bioblobs.prediction.model import load

WIDTH, CLASSES = 6, 5
KEYS: dict[str, Any] = {"node_h_dim": (16, 4), "edge_h_dim": (8, 1), "num_layers": 2, "max_clusters": 4}


def model_of(width: int = WIDTH, **keys: Any) -> BioBlobs:
    torch.manual_seed(0)
    return build_model(ModelConfig(**{**KEYS, **keys}), CLASSES, False, embedding_dim=width).eval()


@pytest.fixture
def batch(real_batch: ProteinBatch) -> ProteinBatch:
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(len(real_batch.batch), WIDTH, generator=generator)
    return replace(real_batch, embeddings=values.half())


def held(model: BioBlobs, batch: ProteinBatch, like: ProteinBatch) -> Tensor:
    """Embeddings (B, S, D) of the blobs into which the model cuts ``like``, read from ``batch``."""
    assert model.blob_encoder is not None
    _, blobs = model.partition(like)
    graph = build_graph(batch, model.edge_scalars)
    return model.embed_alone(batch, graph, blobs, model.blob_encoder)[1].embedding


@torch.no_grad()
def test_a_blob_is_read_from_its_own_rows_alone(batch: ProteinBatch) -> None:
    model = model_of()
    _, blobs = model.partition(batch)
    before = held(model, batch, batch)
    for slot in (0, 1):
        inside = blobs.assignment == slot
        others = torch.where(inside[:, None], batch.embeddings, torch.full_like(batch.embeddings, 3.0))
        others[:, 0] = torch.where(inside, others[:, 0], -7.0)
        after = held(model, replace(batch, embeddings=others), batch)
        assert torch.equal(after[:, slot], before[:, slot])
        assert not torch.allclose(after[:, 1 - slot], before[:, 1 - slot])
        own = torch.where(inside[:, None], batch.embeddings.flip(1), batch.embeddings)
        changed = held(model, replace(batch, embeddings=own), batch)
        assert not torch.allclose(changed[:, slot], before[:, slot])


@torch.no_grad()
@pytest.mark.parametrize("seq_in", [True, False])
def test_they_are_read_beside_residue_identity_or_instead_of_it(batch: ProteinBatch, seq_in: bool) -> None:
    model = model_of(seq_in=seq_in)
    logits = model(batch).logits
    assert not torch.allclose(model(replace(batch, embeddings=batch.embeddings.flip(0))).logits, logits)
    other_types = replace(batch, residue_types=(batch.residue_types + 1) % 20)
    assert torch.equal(model(other_types).logits, logits) is not seq_in


@torch.no_grad()
def test_without_them_the_model_is_what_it_was(batch: ProteinBatch) -> None:
    plain = model_of(0)
    assert not any("embedding." in name for name in plain.state_dict())
    assert torch.equal(plain(batch).logits, plain(replace(batch, embeddings=None)).logits)


def test_every_weight_of_the_projection_learns(batch: ProteinBatch) -> None:
    model = model_of().train()
    torch.nn.functional.cross_entropy(model(batch).logits, batch.labels.clamp_min(0)).backward()
    for encoder in (model.encoder, model.blob_encoder):
        assert all(p.grad is not None and p.grad.any() for p in encoder.embedding.parameters())


@pytest.mark.parametrize(
    ("values", "said"), [(None, "come with none"), (torch.zeros(1, WIDTH + 1), f"come with {WIDTH + 1}")]
)
def test_chains_without_them_or_of_another_width_are_refused(
    batch: ProteinBatch, values: Tensor | None, said: str
) -> None:
    given = values if values is None else values.expand(len(batch.batch), -1)
    with pytest.raises(BioBlobsError, match=rf"^data.embeddings: the model reads {WIDTH} .*{said}$"):
        model_of()(replace(batch, embeddings=given))


def test_a_card_has_the_width_and_structures_alone_are_refused(tmp_path: Path, batch: ProteinBatch) -> None:
    from bioblobs.checkpoints.build import architecture

    model, path = model_of(), tmp_path / "m.ckpt"
    card = {
        **{"format": FORMAT, "stage": 0, "with_codebook": False, "task": "scop", "multilabel": False},
        **{"architecture": architecture(ModelConfig(**KEYS), False), "data": {"edge_types": "knn_8"}},
        **{"classes": list("abcde"), "class_names": list("abcde"), "embedding_dim": WIDTH},
    }
    write_checkpoint(path, model, card)
    again, _ = load_model(path)
    with torch.no_grad():
        assert torch.equal(again(batch).logits, model(batch).logits)
    with pytest.raises(BioBlobsError, match=f"{path}: reads embeddings of {WIDTH} numbers per residue"):
        load(path, "cpu")
    write_checkpoint(path, model, {**card, "embedding_dim": 10**9})
    with pytest.raises(BioBlobsError, match="claims a size of 1000000000"):
        load_model(path)
