"""Augmentation: of training steps only, as large as the keys say, drawn anew in every step."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from bioblobs.config.schema import Config
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.proteins.alphabet import UNKNOWN
from bioblobs.training.module import BlobModule, augmented


def test_nothing_asked_for_is_the_batch_itself(real_batch: ProteinBatch) -> None:
    assert augmented(real_batch, 0.0, 0.0) is real_batch


def test_noise_is_as_large_as_it_says_and_moves_atoms_only(real_batch: ProteinBatch) -> None:
    shaken = augmented(real_batch, 0.3, 0.0)
    moved = (shaken.coordinates - real_batch.coordinates).flatten()
    moved = moved[moved.isfinite()]
    assert float(moved.std()) == pytest.approx(0.3, rel=0.05)
    assert abs(float(moved.mean())) < 0.02
    assert shaken.neighbours is real_batch.neighbours and shaken.residue_types is real_batch.residue_types
    assert torch.equal(shaken.coordinates.isnan(), real_batch.coordinates.isnan())


def test_a_share_of_the_types_is_hidden_and_the_others_stay(real_batch: ProteinBatch) -> None:
    masked = augmented(real_batch, 0.0, 0.25)
    hidden = masked.residue_types != real_batch.residue_types
    assert float(hidden.float().mean()) == pytest.approx(0.25, abs=0.05)
    assert (masked.residue_types[hidden] == UNKNOWN).all()
    assert masked.coordinates is real_batch.coordinates


@pytest.mark.parametrize("key", ["coordinate_noise", "residue_mask"])
def test_training_steps_are_augmented_and_validation_is_not(
    real_batch: ProteinBatch, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config()
    setattr(config.train, key, 0.5)
    module = BlobModule(config, num_classes=5)
    seen: list[ProteinBatch] = []

    def step(batch: ProteinBatch, split: str) -> tuple[Any, Any]:
        seen.append(batch)
        return module(batch), torch.zeros(())

    monkeypatch.setattr(module, "_step", step)
    monkeypatch.setattr(
        module, "_look_at_losses", lambda: None
    )  # there is no trainer, nor a store to name from
    for _ in range(2):
        module.training_step(real_batch, 0)
    module.validation_step(real_batch, 0)
    one, two, validated = seen
    name = "coordinates" if key == "coordinate_noise" else "residue_types"
    first, second = (getattr(each, name).nan_to_num() for each in (one, two))
    assert not torch.equal(first, second)
    assert validated is real_batch
