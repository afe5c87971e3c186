"""Copies of the working tree, for commands that must not touch it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def copy_of_the_tree(target: Path) -> Path:
    """Copy what git tracks, and new files it does not ignore, as they are now; the sample is linked."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in listed.stdout.splitlines():
        source, place = ROOT / name, target / name
        if not source.is_file():
            continue  # deleted in the working tree
        place.parent.mkdir(parents=True, exist_ok=True)
        if name.startswith("data/sample/"):
            place.symlink_to(source)
        else:
            shutil.copy(source, place)
    return target
