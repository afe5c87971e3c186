"""A damaged checkpoint is refused in one line that names what is wrong; a whole one loads as before."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bioblobs.checkpoints.file import load_model, read_checkpoint, save_whole
from bioblobs.errors import BioBlobsError
from tiny_model import tiny_checkpoint


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return tiny_checkpoint(tmp_path / "model.ckpt")


def rewritten(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """The checkpoint with its content changed and its checksums right."""
    content = torch.load(path, weights_only=True)
    change(content)
    save_whole(content, path)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(BioBlobsError) as error:
        load_model(path)
    said = str(error.value)
    assert said.startswith(str(path)) and "\n" not in said
    return said


def test_every_flipped_bit_of_the_content_is_found(checkpoint: Path) -> None:
    whole, rng = checkpoint.read_bytes(), np.random.default_rng(0)
    with zipfile.ZipFile(checkpoint) as archive:
        parts = [(info.header_offset, info.file_size) for info in archive.infolist() if info.file_size]
    assert len(parts) > 20
    for header, size in parts:
        name, extra = struct.unpack("<HH", whole[header + 26 : header + 30])
        place = header + 30 + name + extra + int(rng.integers(size))
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        checkpoint.write_bytes(damaged)
        assert "damaged" in refusal(checkpoint)
    checkpoint.write_bytes(whole)
    load_model(checkpoint)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_refused(checkpoint: Path, share: float) -> None:
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[: int(share * len(whole))])
    refusal(checkpoint)


def test_weights_that_are_no_numbers_are_named(checkpoint: Path) -> None:
    def spoil(content: dict[str, Any]) -> None:
        content["state_dict"]["model.readout.bias"][0] = torch.nan

    assert "readout.bias is not finite" in refusal(rewritten(checkpoint, spoil))


@pytest.mark.parametrize("name", ["architecture", "classes", "data", "multilabel"])
def test_a_card_without_an_entry_is_named(checkpoint: Path, name: str) -> None:
    assert f"its card has no {name}" in refusal(
        rewritten(checkpoint, lambda content: content["card"].pop(name))
    )


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("num_layers", 10**9, "claims a size of 1000000000"),
        ("num_layers", 900_000, "disagree"),
        ("node_h_dim", [900_000, 2], "disagree"),
        ("head", "nothing", "disagree"),
    ],
)
def test_a_card_that_claims_too_much_costs_no_memory(
    checkpoint: Path, key: str, value: Any, said: str
) -> None:
    changed = rewritten(checkpoint, lambda content: content["card"]["architecture"].update({key: value}))
    assert said in refusal(changed)


def test_a_whole_one_loads_with_its_weights(checkpoint: Path) -> None:
    model, card = load_model(checkpoint)
    weights = read_checkpoint(checkpoint)["state_dict"]
    assert card["task"] == "scop" and not model.training
    for name, value in model.state_dict().items():
        assert value.device.type == "cpu" and torch.equal(value, weights[f"model.{name}"])
    assert all(p.requires_grad for p in model.parameters())
