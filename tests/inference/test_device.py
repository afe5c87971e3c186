"""A model runs where it is put: batches follow it, and results come back to the CPU."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import bioblobs
from bioblobs.errors import BioBlobsError
from bioblobs.faithfulness.chains import Chains
from bioblobs.faithfulness.gradients import integrated_gradients
from bioblobs.faithfulness.masking import falls_without
from bioblobs.faithfulness.passes import chances, explain
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.inference.device import choose, device_of, on_cpu
from bioblobs.inference.predict import predictions
from bioblobs.models.bioblobs import BioBlobs, Prediction
from bioblobs.models.partitioner import Blobs
from bioblobs.store.packed import Store
from conftest import ROOT
from runs import run
from structure_files import DATA
from tiny_model import tiny_checkpoint


@pytest.fixture
def network(tmp_path: Path) -> BioBlobs:
    return bioblobs.load(tiny_checkpoint(tmp_path / "m.ckpt"), "cpu").network


def test_names_and_devices_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert choose("auto") == choose("cpu") == choose(torch.device("cpu")) == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert choose("auto") == choose("gpu") == choose("cuda") == torch.device("cuda")
    assert choose("cuda:0") == torch.device("cuda:0")
    with pytest.raises(BioBlobsError, match="device cuda:1: not on this machine; use cpu or auto"):
        choose("cuda:1")


@pytest.mark.parametrize("name", ["cuda", "gpu", torch.device("cuda")])
def test_a_gpu_that_is_not_there_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(BioBlobsError, match="not on this machine"):
        choose(name)


@pytest.mark.parametrize("name", ["toaster", ""])
def test_an_unknown_device_is_refused(name: str) -> None:
    with pytest.raises(BioBlobsError, match=f"device {name}: unknown; name one of auto, cpu, cuda"):
        choose(name)


def test_predict_refuses_a_device_before_any_work(tmp_path: Path) -> None:
    """Neither model nor structure file is there: nothing else was looked at."""
    words = ["predict", "none.ckpt", "none.pdb", "--out", str(tmp_path / "out"), "--device", "toaster"]
    done = run([sys.executable, "-m", "bioblobs", *words], ROOT, PYTHONPATH="src")
    assert done.returncode == 1
    assert done.stderr == "error: device toaster: unknown; name one of auto, cpu, cuda\n"


def test_load_puts_the_model_there(tmp_path: Path) -> None:
    path = tiny_checkpoint(tmp_path / "m.ckpt")
    assert device_of(bioblobs.load(path, "cpu").network) == torch.device("cpu")
    there = bioblobs.load(path, torch.device("cpu"))
    assert there.predict(DATA / "break.pdb")[0].logits == bioblobs.load(path).predict(
        DATA / "break.pdb"
    )[0].logits  # fmt: skip


@pytest.fixture
def moved(network: BioBlobs, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Devices that batches were moved to; a batch that was not moved is refused by the model."""
    asked: list[object] = []
    place, to, partition = torch.device("cpu", 0), ProteinBatch.to, network.partition
    there: list[ProteinBatch] = []

    def follow(batch: ProteinBatch, device: torch.device | str, non_blocking: bool = False) -> ProteinBatch:
        asked.append(device)
        made = to(batch, "cpu", non_blocking)
        there.append(made)
        return made

    def only_moved(batch: ProteinBatch) -> tuple[torch.Tensor, Blobs]:
        assert any(batch is each for each in there), "a batch that was not moved to the model's device"
        return partition(batch)

    monkeypatch.setattr(ProteinBatch, "to", follow)
    monkeypatch.setattr(network, "partition", only_moved)
    rooms = ("inference.predict", *(f"faithfulness.{name}" for name in ("passes", "masking", "gradients")))
    for room in rooms:
        monkeypatch.setattr(f"bioblobs.{room}.device_of", lambda model: place)
    return asked


def test_every_batch_follows_the_model(
    network: BioBlobs, moved: list[object], sample_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = torch.device("cpu", 0)
    rows = sample_store.rows("test")[:3]
    chains = Chains(sample_store, rows)
    assert len(list(predictions(network, sample_store, rows, None))) == len(moved) == 1
    explained = explain(network, chains)
    kept = np.ones(len(chains.protein), bool)
    chances(network, chains, kept, explained.target)
    falls_without(network, chains, explained)
    integrated_gradients(network, chains, explained.target, 2)
    assert moved == [place] * 5


def test_a_batch_takes_all_of_its_tensors_along(sample_store: Store) -> None:
    from bioblobs.store.batches import collate

    batch = collate(sample_store, sample_store.rows("test")[:2]).to("meta")
    tensors = [value for value in vars(batch).values() if isinstance(value, torch.Tensor)]
    assert len(tensors) >= 8
    assert {tensor.device.type for tensor in tensors} == {"meta"}


class Counted(torch.Tensor):
    """Knows how often it was brought to the CPU."""

    calls = 0

    def cpu(self) -> torch.Tensor:  # type: ignore[override]
        Counted.calls += 1
        return self.as_subclass(torch.Tensor)


def test_all_of_a_prediction_comes_back(network: BioBlobs, sample_store: Store) -> None:
    [(_, made)] = predictions(network, sample_store, sample_store.rows("test")[:2], None)

    def tensors(value: object) -> list[torch.Tensor]:
        if isinstance(value, torch.Tensor):
            return [value]
        return [t for each in getattr(value, "__dict__", {}).values() for t in tensors(each)]

    def counted(value: object) -> object:
        if isinstance(value, torch.Tensor):
            return value.as_subclass(Counted)
        if hasattr(value, "__dict__"):
            return type(value)(**{name: counted(each) for name, each in vars(value).items()})
        return value

    far = counted(made)
    assert isinstance(far, Prediction)
    Counted.calls = 0
    near = on_cpu(far)
    assert Counted.calls == len(tensors(made)) >= 12  # blobs and lookup included
    assert not any(isinstance(each, Counted) for each in tensors(near))
    for one, other in zip(tensors(near), tensors(made), strict=True):
        assert torch.equal(one, other)
