"""A stage in a process of its own, as DVC runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[3]
"""Folder of this package, for a tree that is not installed."""


def exit_status(stage: str, words: Sequence[str]) -> int:
    """Run a stage's command with this interpreter; return its exit status."""
    first = ["fit"] if stage.startswith("train") else []
    command = [sys.executable, "-m", "bioblobs.stages", stage, *first, *words]
    path = [str(SOURCE), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(path)}).returncode
