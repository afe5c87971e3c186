"""Keys of the model: those that have no effect in some combinations say so, and have none."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import Tensor

from bioblobs.checkpoints.build import build_model
from bioblobs.config.schema import ModelConfig
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.models.bioblobs import BioBlobs

WITHOUT_EFFECT: dict[str, tuple[dict[str, Any], dict[str, list[Any]]]] = {
    "context": (
        {"head": "additive", "blob_view": "context"},
        {"cut_h_dim": [None, (8, 2), (32, 8)], "cut_layers": [None, 1, 3]},
    ),
    "context, attention": (
        {"head": "full", "blob_view": "context"},
        {"cut_h_dim": [None, (8, 2)], "cut_layers": [None, 1]},
    ),
    "additive": ({"head": "additive"}, {"pooling": ["mean", "sum", "max"]}),
    "additive, context": (
        {"head": "additive", "blob_view": "context"},
        {"pooling": ["mean", "sum", "max"]},
    ),
}
"""Keys that are set, and the values of others that then change nothing."""


def made(batch: ProteinBatch, with_codebook: bool = False, **keys: Any) -> tuple[BioBlobs, Tensor]:
    torch.manual_seed(0)
    small: dict[str, Any] = {"node_h_dim": (16, 4), "edge_h_dim": (8, 1), "num_layers": 2, "max_clusters": 4}
    model = build_model(ModelConfig(**{**small, **keys}), 5, with_codebook).eval()
    with torch.no_grad():
        return model, model(batch).logits


@pytest.mark.parametrize("kind", WITHOUT_EFFECT)
def test_keys_without_effect_change_neither_weights_nor_logits(real_batch: ProteinBatch, kind: str) -> None:
    given, others = WITHOUT_EFFECT[kind]
    for key, values in others.items():
        first, logits = made(real_batch, **given, **{key: values[0]})
        for value in values[1:]:
            model, found = made(real_batch, **given, **{key: value})
            assert torch.equal(found, logits), (key, value)
            state = model.state_dict()
            assert state.keys() == first.state_dict().keys()
            assert all(torch.equal(state[name], weight) for name, weight in first.state_dict().items())


@pytest.mark.parametrize(
    ("given", "key", "value"),
    [
        ({"blob_view": "alone"}, "cut_h_dim", (8, 2)),
        ({"blob_view": "alone"}, "cut_layers", 1),
        ({"head": "full"}, "pooling", "max"),
        ({"head": "blobs", "blob_view": "context"}, "pooling", "max"),
    ],
)
def test_elsewhere_they_have_one(
    real_batch: ProteinBatch, given: dict[str, Any], key: str, value: Any
) -> None:
    assert not torch.allclose(made(real_batch, **given)[1], made(real_batch, **given, **{key: value})[1])


def test_the_schema_says_where_keys_have_no_effect() -> None:
    for key, said in (("pooling", "no effect with additive"), ("cut_h_dim", "no effect with context")):
        found = re.search(rf"\s{key}:(.*?)\n\s+\w+: ", ModelConfig.__doc__ or "", re.DOTALL)
        assert found is not None and said in " ".join(found[1].split()), key


@pytest.mark.parametrize("blob_view", ["alone", "context"])
@pytest.mark.parametrize("head", ["additive", "full", "blobs"])
@pytest.mark.parametrize("with_codebook", [False, True])
def test_every_head_goes_with_every_view(
    real_batch: ProteinBatch, head: str, blob_view: str, with_codebook: bool
) -> None:
    keys = {"head": head, "blob_view": blob_view, "cut_h_dim": (12, 2), "cut_layers": 1}
    model, logits = made(real_batch, with_codebook, **keys)
    assert logits.isfinite().all() and logits.std(0).min() > 1e-5
    assert (model.blob_encoder is None) == (blob_view == "context")


def test_the_width_of_an_attention_head_is_the_blob_encoders_alone(real_batch: ProteinBatch) -> None:
    made(real_batch, head="full", cut_h_dim=(10, 2))  # 4 heads need not divide what only cuts
    with pytest.raises(Exception, match="4 attention heads"):
        ModelConfig(head="full", node_h_dim=(10, 2))
    ModelConfig(head="additive", node_h_dim=(10, 2))
