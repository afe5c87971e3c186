"""Run all stages one after the other, without DVC (run_partoken_multistage.py).

The stages are the ones that dvc.yaml runs; only the paths differ.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from bioblobs.config.flags import as_flags, as_yaml
from bioblobs.config.parsing import parse
from bioblobs.config.schema import Paths
from bioblobs.errors import BioBlobsError, one_line_errors
from bioblobs.stages import download
from bioblobs.stages.runs import run_folder
from bioblobs.stages.runs.in_order import prepare_once, run_stages

RUNS = Path("outputs") / "partoken-multistage"
"""Folder of the runs, one folder per data set in it."""


def run(args: Sequence[str]) -> Path:
    """Run from download to report with ``key=value`` overrides; return the run's folder.

    ``--resume FOLDER`` goes on with a run that was interrupted, with the parameters that it was begun with.
    """
    folder = run_folder.folder_to_resume(args)
    resumed = folder is not None
    flags = ["--config", str(folder / run_folder.RUN_CONFIG)] if folder else as_flags(args)
    config, _ = parse("BioBlobs multi-stage training", flags)
    if config.train.num_nodes > 1:
        raise BioBlobsError("train.num_nodes: expected 1 in this script; docs/several_devices.md has others")
    download.run(config, Paths())
    prepared = run_folder.store_path(config)
    folder = folder or run_folder.new_run_folder(RUNS / config.data.dataset_name, as_yaml(config))
    paths = run_folder.run_paths(folder, prepared)
    print(f"{'going on with' if resumed else 'writing to'} {folder}", flush=True)
    try:
        try:
            prepare_once(config, paths)
        except BioBlobsError:
            if not resumed:
                shutil.rmtree(folder)  # a run that could not begin leaves no folder
            raise
        run_stages(config, paths)
    except BaseException:
        if folder.exists():
            print(f"to go on: python run_partoken_multistage.py --resume {folder}", file=sys.stderr)
        raise
    print(f"done: {folder}")
    return folder


def main(args: Sequence[str] | None = None) -> None:
    """Command line of run_partoken_multistage.py."""
    with one_line_errors():
        run(sys.argv[1:] if args is None else args)
