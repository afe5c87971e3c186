"""The package installs as it is: its pins are those of requirements.txt, and torch-scatter may be missing."""

from __future__ import annotations

import sys
import tomllib

from conftest import ROOT
from runs import ok, run

NO_SCATTER = """
import sys
sys.modules["torch_scatter"] = None  # as where it could not be built
import torch
import torch_geometric.typing
from torch_geometric.utils import scatter
assert not torch_geometric.typing.WITH_TORCH_SCATTER
values, batch = torch.arange(6.0)[:, None].requires_grad_(), torch.tensor([0, 0, 1, 1, 1, 3])
for how, expected in (("sum", [1, 9, 0, 5]), ("mean", [0.5, 3, 0, 5]), ("max", [1, 4, 0, 5])):
    found = scatter(values, batch, dim_size=4, reduce=how)
    assert found[:, 0].tolist() == expected, how
    found.sum().backward()
import bioblobs.models.bioblobs
"""


def test_dependencies_are_the_pins_of_the_repository_without_torch_scatter() -> None:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    scatter = project["optional-dependencies"]["scatter"]
    assert [pin.split("==")[0] for pin in scatter] == ["torch-scatter"]
    assert sorted(project["dependencies"] + scatter) == sorted(pins)


def test_the_model_does_without_torch_scatter() -> None:
    ok(run([sys.executable, "-W", "ignore", "-c", NO_SCATTER], ROOT, PYTHONPATH="src"))
