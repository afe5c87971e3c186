"""Two processes (gloo) against one on the same joint batch: loss, gradient, codebook, scores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, multiprocessing
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel

from bioblobs.checkpoints.build import build_model
from bioblobs.checkpoints.file import load_model
from bioblobs.config.schema import ModelConfig
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.inference.predict import class_probabilities, predictions
from bioblobs.models.bioblobs import BioBlobs
from bioblobs.models.processes import joint_mean
from bioblobs.store.batches import collate
from bioblobs.store.packed import Store
from bioblobs.training.datamodule import ProteinDataModule
from bioblobs.training.losses import LossWeights, loss_terms
from conftest import ROOT
from runs import ok, run

BUFFERS = ("vectors", "counts", "sums")
SHARES = (slice(0, 7), slice(7, 10))
"""Proteins of each process: uneven, so that a mean of means is not the mean."""
WEIGHTS = LossWeights(card=0.3, vq=1.0, psc=0.5, ent=0.4)

DATA: dict[str, Any] = {
    "data_dir": str(ROOT / "data"),
    "subset": 120,
    "max_length": 100,
    "edge_types": "knn_8",
}
"""What the sample store was prepared with."""
KEYS = {
    **{f"data.{key}": value for key, value in DATA.items()},
    "model.node_h_dim": "[8,2]",
    "model.edge_h_dim": "[4,1]",
    "model.num_layers": 1,
    "multistage.stage0.epochs": 2,
    "multistage.stage0.lr": 3e-3,
    "train.num_threads": 1,
    "train.accelerator": "cpu",
}


def small_model() -> BioBlobs:
    torch.manual_seed(1)
    config = ModelConfig(node_h_dim=(8, 2), edge_h_dim=(4, 1), num_layers=1, max_clusters=4, codebook_size=6)
    model = build_model(config, num_classes=5, with_codebook=True)
    assert model.codebook is not None
    model.codebook.revive_below = 0.0  # revived codes are drawn
    model.eval()  # neither dropout nor noise, which processes draw for themselves
    model.codebook.train()
    return model


class WithLoss(torch.nn.Module):
    def __init__(self, model: BioBlobs) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: ProteinBatch) -> Tensor:
        prediction = self.model(batch)
        return loss_terms(prediction, batch.labels, WEIGHTS, 0.7, 8.0, 0.1)["loss"]


def outcome(module: WithLoss, loss: Tensor) -> dict[str, Any]:
    loss.backward()
    assert module.model.codebook is not None
    return {
        "loss": loss.detach(),
        "gradients": {name: p.grad for name, p in module.named_parameters() if p.grad is not None},
        "codebook": {name: getattr(module.model.codebook, name).clone() for name in BUFFERS},
    }


def _one_rank(rank: int, folder: str, store: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
    rows = Store(store).rows("train")[:10][SHARES[rank]]
    module = WithLoss(small_model())
    parallel = DistributedDataParallel(module)
    torch.save(outcome(module, parallel(collate(Store(store), rows))), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def test_loss_gradient_and_codebook_are_those_of_the_joint_batch(sample_store: Store, tmp_path: Path) -> None:
    multiprocessing.spawn(_one_rank, (str(tmp_path), str(sample_store.path)), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    module = WithLoss(small_model())
    joint = outcome(module, module(collate(sample_store, sample_store.rows("train")[:10])))
    for name in BUFFERS:
        assert torch.equal(first["codebook"][name], second["codebook"][name])
        torch.testing.assert_close(first["codebook"][name], joint["codebook"][name], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(first["loss"], joint["loss"])
    assert joint["gradients"]
    for name, expected in joint["gradients"].items():
        assert torch.equal(first["gradients"][name], second["gradients"][name]), name
        torch.testing.assert_close(first["gradients"][name], expected, atol=1e-6, rtol=1e-4)


def test_a_stage_on_two_devices_scores_every_validation_protein_once(
    sample_store: Store, tmp_path: Path
) -> None:
    places = {f"paths.{name}": tmp_path / name for name in ("output", "metrics", "plots")}
    values = {**KEYS, **places, "paths.prepared": sample_store.path, "train.batch_size": 4}
    words = [f"--{key}={value}" for key, value in values.items()]
    command = ["python", "-m", "bioblobs.stages", "train_stage0", "fit", *words, "--train.devices=2"]
    ok(run([*command, "--trainer.enable_progress_bar=false"], ROOT, PYTHONPATH="src"))
    metrics = json.loads((tmp_path / "metrics/stage_0.json").read_text())
    model, card = load_model(tmp_path / "output/stage_0/stage_0_final.ckpt")
    rows = sample_store.rows("val")
    right = class_probabilities(model, sample_store, rows).argmax(1) == sample_store.labels[rows]
    assert metrics["val_acc"] == pytest.approx(right.mean(), abs=1e-6)
    sizes = np.concatenate([p.blobs.mask.sum(1) for _, p in predictions(model, sample_store, rows)])
    assert metrics["val_blobs"] == pytest.approx(sizes.mean(), abs=1e-5)
    assert card["epoch"] == metrics["best_epoch"]


class Place:
    """What the data module asks of a trainer."""

    current_epoch = 0

    def __init__(self, rank: int, world: int) -> None:
        self.global_rank, self.world_size = rank, world


@pytest.mark.parametrize("world", [1, 2, 3])
def test_every_validation_protein_is_in_one_process(sample_store: Store, world: int) -> None:
    seen: list[int] = []
    for rank in range(world):
        data = ProteinDataModule(str(sample_store.path), batch_size=4, order_seed=0, **DATA)
        data.trainer = Place(rank, world)  # type: ignore[assignment]
        seen += [int(row) for batch in data.val_dataloader() for row in batch.proteins]
    assert sorted(seen) == sample_store.rows("val").tolist()


def test_fewer_validation_batches_than_processes_are_in_each(sample_store: Store) -> None:
    data = ProteinDataModule(str(sample_store.path), batch_size=64, order_seed=0, **DATA)
    data.trainer = Place(4, 5)  # type: ignore[assignment]
    seen = [int(row) for batch in data.val_dataloader() for row in batch.proteins]
    assert sorted(seen) == sample_store.rows("val").tolist()


def test_an_epoch_goes_on_with_the_batch_after_the_last(sample_store: Store) -> None:
    def batches(start: int) -> list[list[int]]:
        data = ProteinDataModule(str(sample_store.path), batch_size=16, order_seed=0, **DATA)
        data.load_state_dict({"epoch": 0, "batches": start})
        loader = data.train_dataloader()
        assert len(loader) == len(loader.dataset.plan)  # type: ignore[attr-defined]
        return [batch.proteins.tolist() for batch in loader]

    assert batches(3) == batches(0)[3:]


def test_alone_a_mean_is_left_as_it_is() -> None:
    mean = torch.tensor(0.3, requires_grad=True)
    assert joint_mean(mean, 7) is mean
