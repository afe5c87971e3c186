"""Balanced class weights: whose they are, what they weigh, and where they have no effect."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import f1_score, recall_score
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor
from torch.nn import functional as F

from bioblobs.checkpoints.file import load_model
from bioblobs.config.schema import Config, ModelConfig, MultistageConfig, Stage0Config, TrainConfig
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.inference.predict import class_probabilities
from bioblobs.store.batches import collate
from bioblobs.store.packed import Store
from bioblobs.training.datamodule import ProteinDataModule
from bioblobs.training.losses import classification_loss
from bioblobs.training.module import BlobModule
from conftest import ROOT
from runs import run_stage_0

DATA = {"data_dir": str(ROOT / "data"), "subset": 120, "max_length": 100, "edge_types": "knn_8"}
NETWORK: dict[str, Any] = {"node_h_dim": (8, 2), "edge_h_dim": (4, 1), "num_layers": 1, "max_clusters": 4}
CLASSES, SMOOTHING = 4, 0.1


@pytest.fixture
def data(sample_store: Store) -> ProteinDataModule:
    return ProteinDataModule(str(sample_store.path), **DATA)


def weighted_by_hand(logits: Tensor, labels: Tensor, weights: Tensor, smoothing: float) -> float:
    """sum of w[y] CE / sum of w[y] over proteins of a known class, one protein after another."""
    total = mass = 0.0
    for row, label in zip(logits, labels.tolist(), strict=True):
        if label < 0:
            continue
        loss = F.cross_entropy(row[None], torch.tensor([label]), label_smoothing=smoothing)
        total, mass = total + float(weights[label] * loss), mass + float(weights[label])
    return total / mass


# The weights


def test_they_are_inverse_to_the_training_proteins_of_each_class(
    data: ProteinDataModule, sample_store: Store
) -> None:
    labels = np.asarray(sample_store.labels)[sample_store.rows("train")]
    weights, classes = data.balanced_weights(), np.arange(len(sample_store.classes))
    np.testing.assert_allclose(weights, compute_class_weight("balanced", classes=classes, y=labels))
    counts = np.bincount(labels, minlength=len(classes))
    assert counts.min() < counts.max()
    np.testing.assert_allclose(weights * counts, len(labels) / len(classes))  # classes count alike
    assert weights[labels].mean() == pytest.approx(1)  # and the rate of learning stays


# The loss


@pytest.mark.parametrize("smoothing", [0.0, SMOOTHING])
def test_the_loss_is_the_mean_weighted_by_class(smoothing: float) -> None:
    logits, weights = torch.randn(6, CLASSES), torch.tensor([0.5, 1.0, 4.0, 2.0])
    labels = torch.tensor([0, 2, 1, -1, 3, 0])
    found = float(classification_loss(logits, labels, smoothing, weights))
    assert found == pytest.approx(weighted_by_hand(logits, labels, weights, smoothing), rel=1e-5)
    if not smoothing:
        known = labels >= 0
        assert found == pytest.approx(float(F.cross_entropy(logits[known], labels[known], weights)))
    even = classification_loss(logits, labels, smoothing, torch.full((CLASSES,), 3.0))
    torch.testing.assert_close(even, classification_loss(logits, labels, smoothing))
    assert found != pytest.approx(float(even), rel=1e-3)


def test_weights_have_no_effect_where_a_protein_may_have_several_classes() -> None:
    logits, labels = torch.randn(6, CLASSES), torch.rand(6, CLASSES) > 0.5
    without = classification_loss(logits, labels, SMOOTHING)
    weighted = classification_loss(logits, labels, SMOOTHING, torch.tensor([0.5, 1.0, 4.0, 2.0]))
    assert torch.equal(weighted, without)


def test_a_batch_of_unseen_classes_alone_has_no_loss() -> None:
    logits, weights = torch.randn(2, CLASSES), torch.ones(CLASSES)
    assert classification_loss(logits, torch.tensor([-1, -1]), SMOOTHING, weights) == 0


# The module


def module_and_trainer(data: ProteinDataModule, **keys: Any) -> tuple[BlobModule, Any]:
    """A module that is about to train, without dropout; the caller holds on to the trainer."""
    torch.manual_seed(0)
    multilabel, num_classes = keys.pop("multilabel", False), keys.pop("num_classes", data.num_classes)
    config = Config(
        model=ModelConfig(**NETWORK),
        train=TrainConfig(**keys),
        multistage=MultistageConfig(Stage0Config(lambda_card=0.0)),
    )
    module = BlobModule(config, 0, num_classes, multilabel).eval()
    optimizer = SimpleNamespace(param_groups=[{"lr": 1.0}])
    trainer = SimpleNamespace(datamodule=data, optimizers=[optimizer], current_epoch=0, world_size=1)
    module.trainer = trainer  # type: ignore[assignment]
    module.on_fit_start()
    return module, trainer


def of_class(batch: ProteinBatch, module: BlobModule, split: str) -> tuple[Tensor, float]:
    """Logits, and the loss (which here is the classification alone)."""
    with torch.no_grad():
        prediction, loss = module._step(batch, split)
    return prediction.logits, float(loss)


def test_training_is_weighted_and_validation_is_not(data: ProteinDataModule, sample_store: Store) -> None:
    batch = collate(sample_store, sample_store.rows("train")[:20])
    assert len(batch.labels.unique()) > 2
    weights = torch.from_numpy(data.balanced_weights())
    module, _trainer = module_and_trainer(data, class_weights="balanced")
    logits, weighted = of_class(batch, module, "train")
    _, plain = of_class(batch, module, "val")
    assert weighted == pytest.approx(weighted_by_hand(logits, batch.labels, weights, SMOOTHING), rel=1e-5)
    assert plain == pytest.approx(float(F.cross_entropy(logits, batch.labels, label_smoothing=SMOOTHING)))
    assert weighted != pytest.approx(plain, rel=1e-4)
    module, _trainer = module_and_trainer(data)  # none is the default
    assert of_class(batch, module, "train")[1] == pytest.approx(plain)


def test_balanced_asks_for_no_weights_where_there_are_several_classes(data: ProteinDataModule) -> None:
    module, _trainer = module_and_trainer(data, class_weights="balanced", multilabel=True)
    assert module._class_weights is None


# The command line


@pytest.mark.filterwarnings("ignore")  # of the command line's libraries, about each other
def test_the_key_reaches_training_and_macro_scores_are_in_the_curve(
    sample_store: Store, tmp_path: Path
) -> None:
    curves = {}
    for kind in ("none", "balanced"):
        folder = run_stage_0(sample_store, tmp_path / kind, f"--train.class_weights={kind}")
        curves[kind] = pd.read_csv(folder / "metrics.csv").iloc[-1]
    assert curves["none"]["train_cls"] != pytest.approx(curves["balanced"]["train_cls"], rel=1e-4)
    model, _ = load_model(folder / "stage_0_final.ckpt")
    rows = sample_store.rows("val")
    predicted = class_probabilities(model, sample_store, rows).argmax(1)
    truth = np.asarray(sample_store.labels)[rows]
    occurring = np.unique(truth[truth >= 0])
    for name, score in (("val_macro_recall", recall_score), ("val_macro_f1", f1_score)):
        expected = score(truth, predicted, labels=occurring, average="macro", zero_division=0)
        assert curves["balanced"][name] == pytest.approx(expected, abs=1e-6), name
    picture = (tmp_path / "balanced/plots").rglob("*")
    assert any("val_macro_recall" in path.read_text(errors="ignore") for path in picture if path.is_file())
