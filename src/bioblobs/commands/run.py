"""``bioblobs run``: the whole pipeline in one process, as run_partoken_multistage.py runs it."""

from __future__ import annotations

from collections.abc import Sequence

HELP = """usage: bioblobs run [--config FILE] [key=value ...]
       bioblobs run --resume FOLDER

Runs every stage without DVC and writes outputs/partoken-multistage/<dataset>/multistage_<date>/. Keys are
those of params.yaml, which is read unless --config names another file. --resume goes on with an interrupted
run. `dvc repro` runs the same stages, and only those whose inputs changed."""


def main(args: Sequence[str]) -> int:
    """Run the stages."""
    if "--help" in args or "-h" in args:
        print(HELP)
        return 0
    from bioblobs.stages.pipeline import main as run_pipeline

    run_pipeline(args)
    return 0
