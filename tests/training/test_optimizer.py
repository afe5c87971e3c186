"""Muon beside AdamW: who gets which weight, and one optimizer to all who look at it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim import AdamW, Muon, Optimizer

from bioblobs.checkpoints.build import build_model
from bioblobs.config.schema import ModelConfig, TrainConfig
from bioblobs.training.optimizer import NARROWEST, MuonWithAdamW, make_optimizer

RATE, DECAY = 1e-2, 0.1
MUON = TrainConfig(optimizer="muon", muon_rate=3.0, weight_decay=DECAY)


class Small(nn.Module):
    """A table, two layers, a narrow one, and a readout."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(6, 5)
        self.one, self.two = nn.Linear(5, 7), nn.Linear(7, NARROWEST, bias=False)
        self.narrow = nn.Linear(NARROWEST, NARROWEST - 1)
        self.readout = nn.Linear(NARROWEST - 1, 9)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.two(self.one(self.table(x)).relu()).relu()
        out: torch.Tensor = self.readout(self.narrow(hidden))
        return out


def steps(model: Small, optimizer: Optimizer, count: int, first: int = 0) -> None:
    for step in range(first, first + count):
        torch.manual_seed(step)
        optimizer.zero_grad()
        model(torch.randint(6, (8,))).square().sum().backward()
        optimizer.step()


def test_muon_gets_the_matrices_between_layers_and_every_weight_is_in_one_group() -> None:
    model = build_model(ModelConfig(node_h_dim=(16, 4), num_layers=1), 5, False, False, 0)
    names = {id(weight): name for name, weight in model.named_parameters()}
    groups = make_optimizer(model, MUON, RATE, None).param_groups
    muon, matrices, vectors = ([names[id(weight)] for weight in group["params"]] for group in groups)
    assert sorted(muon + matrices + vectors) == sorted(names.values())
    assert {"encoder.layers.0.widen.w_s.weight", "partitioner.query.weight"} <= {*muon}
    assert "encoder.identity.weight" in matrices
    assert not [name for name in muon if "readout" in name or name.endswith("bias")]
    shapes = {name: tuple(weight.shape) for name, weight in model.named_parameters()}
    assert all(min(shapes[name]) >= NARROWEST for name in muon)
    assert [group["weight_decay"] for group in groups] == [DECAY, DECAY, 0.0]
    assert [group["lr"] for group in groups] == [3 * RATE, RATE, RATE]


def test_its_steps_are_those_of_torchs_own_two() -> None:
    together, apart = Small(), Small()
    steps(together, make_optimizer(together, MUON, RATE, None), 4)
    muon = Muon(
        [apart.one.weight, apart.two.weight], 3 * RATE, weight_decay=DECAY, adjust_lr_fn="match_rms_adamw"
    )
    matrices = [apart.table.weight, apart.narrow.weight, apart.readout.weight]
    vectors = [apart.one.bias, apart.narrow.bias, apart.readout.bias]
    adamw = AdamW([{"params": matrices, "weight_decay": DECAY}, {"params": vectors, "weight_decay": 0}], RATE)
    for step in range(4):
        adamw.zero_grad()
        steps(apart, muon, 1, step)
        adamw.step()
    for (name, one), other in zip(together.named_parameters(), apart.parameters(), strict=True):
        assert torch.equal(one, other), name


@pytest.mark.parametrize("keys", [TrainConfig(), MUON], ids=["adamw", "muon"])
def test_a_saved_state_goes_on_as_if_nothing_had_been(keys: TrainConfig, tmp_path: Path) -> None:
    whole, parts = Small(), Small()
    steps(whole, make_optimizer(whole, keys, RATE, None), 6)
    before = make_optimizer(parts, keys, RATE, None)
    steps(parts, before, 3)
    torch.save(before.state_dict(), tmp_path / "state")
    after = make_optimizer(parts, keys, 1.0, None)
    after.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    steps(parts, after, 3, first=3)
    for (key, one), other in zip(whole.named_parameters(), parts.parameters(), strict=True):
        assert torch.equal(one, other), key


def test_a_closure_is_called_once_with_gradients() -> None:
    model = Small()
    optimizer = make_optimizer(model, MUON, RATE, None)
    assert isinstance(optimizer, MuonWithAdamW)
    seen = []

    def closure() -> float:
        optimizer.zero_grad()
        loss = model(torch.arange(6)).square().sum()
        loss.backward()
        seen.append(float(loss.detach()))
        return seen[-1]

    assert optimizer.step(closure) == seen[0]
    assert len(seen) == 1
    assert float(model(torch.arange(6)).square().sum().detach()) < seen[0]
