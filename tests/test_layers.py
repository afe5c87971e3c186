"""The architecture that the README draws: imports run one way; the README shows what metrics/ holds."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from conftest import ROOT
from runs import ok, run

SOURCE = ROOT / "src" / "bioblobs"
ALLOWED = {
    "proteins": set(),
    "structures": {"proteins"},
    "similarity": {"proteins"},
    "splits": {"similarity"},
    "config": set(),
    "graphs": {"proteins"},
    "store": {"proteins", "graphs", "splits"},
    "sources": {"proteins", "structures", "splits", "store", "config"},
    "ops": {"graphs"},
    "models": {"graphs", "ops"},
    "checkpoints": {"proteins", "splits", "config", "store", "models"},
    "inference": {"proteins", "graphs", "store", "ops", "models"},
    "evaluation": {"proteins", "graphs", "store", "models", "inference"},
    "training": {"proteins", "config", "graphs", "store", "models", "checkpoints", "inference", "evaluation"},
    "interpretation": {"proteins", "store", "models", "inference"},
    "faithfulness": {"proteins", "graphs", "store", "models", "inference", "evaluation"},
    "report": {"proteins", "splits", "store", "inference"},
    "prediction": {
        "proteins",
        "structures",
        "sources",
        "store",
        "models",
        "checkpoints",
        "inference",
        "interpretation",
        "report",
    },
    "stages": {
        "proteins",
        "similarity",
        "splits",
        "config",
        "store",
        "sources",
        "models",
        "checkpoints",
        "inference",
        "evaluation",
        "training",
        "interpretation",
        "faithfulness",
        "report",
    },
    "search": {"config"},
    "commands": {
        "proteins",
        "structures",
        "sources",
        "config",
        "prediction",
        "inference",
        "stages",
        "search",
    },
}
FOREIGN = {
    "proteins": {"torch", "lightning"},
    "structures": {"torch", "lightning", "pandas", "jsonargparse"},
    "similarity": {"torch", "lightning", "jsonargparse"},
    "splits": {"torch", "lightning"},
    "sources": {"torch", "lightning"},
    "ops": {"lightning", "dvc", "jsonargparse", "pandas"},
    "models": {"lightning", "dvc", "jsonargparse", "pandas", "pathlib"},
    "checkpoints": {"lightning", "dvc"},
    "inference": {"lightning", "dvc", "jsonargparse"},
    "report": {"torch", "lightning", "jsonargparse"},
    "graphs": {"lightning", "dvc", "jsonargparse"},
}
"""What a layer must not know."""


def imports(path: Path) -> set[str]:
    """Dotted names that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_every_room_has_its_place() -> None:
    assert {path.parent.name for path in SOURCE.glob("*/__init__.py")} == set(ALLOWED)


@pytest.mark.parametrize("layer", ALLOWED)
def test_a_layer_imports_only_those_below(layer: str) -> None:
    for path in (SOURCE / layer).rglob("*.py"):
        for name in imports(path):
            root, _, rest = name.partition(".")
            assert root not in FOREIGN.get(layer, set()), f"{path.name} imports {name}"
            inner = rest.split(".")[0]
            if root == "bioblobs" and inner in ALLOWED:
                assert inner in ALLOWED[layer] | {layer}, f"{path.name} imports {name}"


def test_prepare_does_not_load_torch() -> None:
    """Three seconds that a stage without tensors need not wait."""
    code = "import sys, bioblobs.stages.prepare; sys.exit('torch' in sys.modules)"
    ok(run([sys.executable, "-c", code], ROOT, PYTHONPATH="src"))


def test_readme_results_and_presets_show_what_metrics_hold(tmp_path: Path) -> None:
    """All as committed: a run since then may have left other metrics in the working tree."""
    archive = tmp_path / "commit.tar"
    folders = ["README.md", "benchmarks/results", "metrics", "docs", "params", "tools"]
    ok(run(["git", "archive", "-o", str(archive), "HEAD", *folders], ROOT))
    ok(run(["tar", "-xf", str(archive), "-C", str(tmp_path)], ROOT))
    ok(run([sys.executable, "tools/update_readme.py", "--check"], tmp_path, PYTHONPATH=str(ROOT / "src")))


def test_the_tests_that_the_table_of_traps_names_exist() -> None:
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", (ROOT / "docs" / "traps.md").read_text())
    assert len(named) >= 21
    for file, name in named:
        assert f"def {name}(" in (ROOT / "tests" / file).read_text(), f"{file}::{name}"
