"""Make one file of the measurements that the stage ``sites`` left for several models (``sites join``)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bioblobs.config.parsing import Parser
from bioblobs.config.schema import Paths
from bioblobs.faithfulness.site_seeds import over_seeds, read_measurements, table
from bioblobs.io import write_json, write_table


def run(files: Sequence[Path], paths: Paths) -> None:
    """Write sites.json and plots/sites.csv."""
    models = read_measurements(files)
    target = Path(paths.metrics) / "sites.json"
    write_json(target, over_seeds(models))
    write_table(Path(paths.plots) / "sites.csv", table(models))
    print(f"written: {target}")


def main(args: Sequence[str]) -> None:
    """Command line: files and ``--paths.*``."""
    parser = Parser(description=__doc__)
    parser.add_argument("files", nargs="+", type=str, help="sites_model.json of each model")
    parser.add_class_arguments(Paths, "paths")
    values = parser.parse_args(args)
    run([Path(file) for file in values.files], Paths(**values.paths))
