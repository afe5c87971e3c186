"""DVC stage ``summary``: the few numbers by which runs are compared (`dvc exp show`, `make compare`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bioblobs.config.parsing import parse
from bioblobs.config.recipe import credited
from bioblobs.config.schema import Config, Paths
from bioblobs.errors import one_line_errors
from bioblobs.evaluation.run_summary import run_summary
from bioblobs.io import read_json, write_json


def run(config: Config, paths: Paths) -> None:
    """Write metrics/summary.json."""
    metrics = Path(paths.metrics)
    test, faithfulness, data = (_read(metrics / f"{name}.json") for name in ("test", "faithfulness", "data"))
    model = _read(Path(paths.output) / "interpretability" / "model.json")
    seeds = metrics / "seeds.json"
    between = _read(seeds) if seeds.exists() else {}
    numbers = run_summary(
        test, faithfulness, data, between if credited(between.get("made_with"), model) else None
    )
    write_json(metrics / "summary.json", numbers)
    print(*(f"{name}: {value}" for name, value in numbers.items()), sep="\n")


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = read_json(path, dict, "run the stage that makes it first (dvc repro)")
    return content


def main(args: Sequence[str] | None = None) -> None:
    """Command line of the stage."""
    with one_line_errors():
        run(*parse(__doc__ or "", args))
