"""The notebook runs from top to bottom, and is kept without outputs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

import nbformat
import pytest

from conftest import ROOT
from runs import ok, run
from tiny_model import tiny_checkpoint

NOTEBOOK = ROOT / "notebooks" / "predict_a_structure.ipynb"
EXECUTE = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], 4)
limits = {"timeout": 1200, "startup_timeout": 600, "iopub_timeout": 300}  # a hang, on however busy a machine
NotebookClient(notebook, resources={"metadata": {"path": sys.argv[2]}}, **limits).execute()
nbformat.write(notebook, sys.argv[3])
"""


@pytest.mark.parametrize("head", ["additive", "blobs"])
def test_the_notebook_runs_with_any_model(tmp_path: Path, head: Literal["additive", "blobs"]) -> None:
    model = tiny_checkpoint(tmp_path / "model.ckpt", head=head)
    done = tmp_path / "done.ipynb"
    words = [sys.executable, "-c", EXECUTE, str(NOTEBOOK), str(NOTEBOOK.parent), str(done)]
    ok(run(words, ROOT, PYTHONPATH=str(ROOT / "src"), BIOBLOBS_MODEL=str(model)))
    cells = nbformat.read(done, 4).cells
    shown = "".join(str(output) for cell in cells if cell.cell_type == "code" for output in cell.outputs)
    assert "2cviA" in shown
    assert "<iframe" in shown
    assert ("argues for" in shown) == ("blob 1" in shown) == (head == "additive")
    assert "script src" not in shown  # nothing is fetched


def test_the_notebook_is_kept_without_outputs() -> None:
    for cell in nbformat.read(NOTEBOOK, 4).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
