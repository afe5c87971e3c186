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
from bioblobs.stages.in_order import prepare_once, run_stages
from bioblobs.stages.run_folder import RUN_CONFIG, folder_to_resume, new_run_folder, store_path


def run(args: Sequence[str]) -> Path:
    """Run from download to report with ``key=value`` overrides; return the run's folder.

    ``--resume FOLDER`` goes on with a run that was interrupted, with the parameters that it was begun with.
    """
    folder = folder_to_resume(args)
    flags = ["--config", str(folder / RUN_CONFIG)] if folder else as_flags(args)
    config, _ = parse("BioBlobs multi-stage training", flags)
    if config.train.num_nodes > 1:
        raise BioBlobsError(
            f"train.num_nodes: {config.train.num_nodes}, but this script runs on one machine; "
            "docs/several_devices.md has the commands for several"
        )
    download.run(config, Paths())
    resumed = folder is not None
    prepared = str(store_path(config))
    parent = Path("outputs") / "partoken-multistage" / config.data.dataset_name
    folder = folder or new_run_folder(parent, as_yaml(config))
    paths = Paths(
        prepared=prepared,
        output=str(folder),
        metrics=str(folder / "metrics"),
        plots=str(folder / "plots"),
    )
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
