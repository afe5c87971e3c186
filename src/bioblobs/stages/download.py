"""DVC stage ``download``: ProteinShake's files, where data.source asks for them."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from bioblobs.config.parsing import parse
from bioblobs.config.schema import Config, Paths
from bioblobs.errors import one_line_errors
from bioblobs.io import write_text
from bioblobs.sources.shake_files import ensure_files, shake_root


def run(config: Config, paths: Paths) -> None:
    """Fetch the files of the data set; for other sources, make the folder that DVC expects."""
    data = config.data
    root = shake_root(data.data_dir, data.dataset_name)
    root.mkdir(parents=True, exist_ok=True)
    _keep_out_of_git(root.parent)
    if data.source == "proteinshake":
        ensure_files(root, data.dataset_name)
        print(f"{root}: complete")
    else:
        if not any(root.iterdir()):  # DVC warns of an empty folder, each time
            write_text(
                root / "README.md", f"{data.dataset_name}: ProteinShake's files go here (docs/data.md)\n"
            )
        print(f"data.source {data.source}: nothing to download")


def _keep_out_of_git(folder: Path) -> None:
    """Ignore the folder: DVC adds outputs that it does not cache to git with every experiment."""
    with contextlib.suppress(OSError):  # a read-only data_dir is no work tree
        if not (folder / ".gitignore").exists():
            write_text(folder / ".gitignore", "*\n")


def main(args: Sequence[str] | None = None) -> None:
    """Command line of the stage."""
    with one_line_errors():
        run(*parse(__doc__ or "", args))
