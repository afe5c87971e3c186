"""The package installs as it is: pins, ranges, extras and lock agree; torch-scatter may be missing."""

from __future__ import annotations

import ast
import re
import sys
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from conftest import ROOT
from imports import PACKAGE, closure
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


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]


def pins(name: str) -> dict[str, str]:
    """Package -> version of a file of pins."""
    lines = [
        Requirement(line) for line in (ROOT / name).read_text().splitlines() if line[:1] not in ("", "#")
    ]
    return {canonicalize_name(line.name): next(iter(line.specifier)).version for line in lines}


def ranges(*extras: str) -> dict[str, Requirement]:
    """Package -> range, of the base without an extra."""
    every = [line for extra in extras for line in EXTRAS[extra]] if extras else PROJECT["dependencies"]
    found = [Requirement(line) for line in every if not line.startswith("bioblobs[")]
    return {canonicalize_name(each.name): each for each in found}


def test_tested_pins_lie_within_the_ranges_of_the_package() -> None:
    run_time = {**ranges(), **ranges("pipeline", "splits", "scatter")}
    assert set(run_time) == set(pins("requirements.txt"))
    for name, version in pins("requirements.txt").items():
        assert run_time[name].specifier.contains(version), name
    dev = ranges("search", "dev")
    assert set(dev) == set(pins("requirements-dev.txt"))
    for name, version in pins("requirements-dev.txt").items():
        assert dev[name].specifier.contains(version), name


def test_prediction_needs_no_extra() -> None:
    """What `bioblobs predict` and `card` import is in the base; Parquet says what it needs."""
    files = {*closure(PACKAGE / "cli.py")}
    for name in ("predict", "card"):
        files |= closure(PACKAGE / "commands" / f"{name}.py")
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text()))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    roots = {name.split(".")[0] for name in names} - {*sys.stdlib_module_names, "bioblobs"}
    packages = {"yaml": "pyyaml"}
    needed = {canonicalize_name(packages.get(name, name)) for name in roots} - {"pyarrow"}
    assert needed - set(ranges()) == set()


def test_the_lock_holds_the_pins_with_hashes_and_no_address() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    blocks = re.split(r"(?m)^(?=\S)", text)[1:]
    locked = {}
    for block in blocks:
        name, version = re.match(r"([\w.-]+)(?:\[[^]]*\])?==(\S+)", block).groups()  # type: ignore[union-attr]
        assert "--hash=sha256:" in block, name
        locked[canonicalize_name(name)] = version
    wanted = {**pins("requirements.txt"), **pins("requirements-dev.txt")}
    del wanted["torch-scatter"]  # built after torch
    assert {name: locked.get(name) for name in wanted} == wanted


def test_the_model_does_without_torch_scatter() -> None:
    ok(run([sys.executable, "-W", "ignore", "-c", NO_SCATTER], ROOT, PYTHONPATH="src"))
