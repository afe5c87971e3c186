"""Measure whether contributions find catalytic residues, for one model; ``join`` makes one file of several.

No stage of dvc.yaml: the models are of another task than the default run's. docs/sites.md has the commands.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bioblobs.checkpoints.file import load_model, untrained_model
from bioblobs.config.parsing import Parser, parse
from bioblobs.config.schema import Config, Paths
from bioblobs.errors import BioBlobsError, one_line_errors
from bioblobs.faithfulness.site_model import FRESH, data_split, measure_splits, summary
from bioblobs.faithfulness.site_seeds import over_seeds, read_measurements, table
from bioblobs.faithfulness.site_table import find_sites, read_sites
from bioblobs.inference.process import begin
from bioblobs.io import write_json, write_table
from bioblobs.store.packed import open_store


def run(config: Config, paths: Paths) -> None:
    """Write sites_model.json: validation and test chains, all sites and those that M-CSA lists itself."""
    name, seed = config.interpretability.sites, config.train.seed
    begin(config.train.num_threads)
    read = read_sites(Path(name))
    if read.empty:
        raise BioBlobsError(f"interpretability.sites: {name} has no residue; name a table that has some")
    store = open_store(paths.prepared, config.data.identity())
    model, card = load_model(paths.explained_checkpoint, store.classes)
    sites = find_sites(store, read)
    for line in sites.warnings():
        print(line, flush=True)
    about = {"data_split": data_split(store), **{key: card.get(key) for key in ("seed", "task", "recipe")}}
    fresh = [untrained_model(card, seed + number) for number in range(FRESH)]
    metrics = about | measure_splits(model, fresh, store, sites, seed)
    write_json(Path(paths.metrics) / "sites_model.json", metrics)
    print(*summary(metrics), sep="\n")


def join(args: Sequence[str]) -> None:
    """Write sites.json and plots/sites.csv of the sites_model.json of several models."""
    parser = Parser(description=join.__doc__)
    parser.add_argument("files", nargs="+", type=str, help="sites_model.json of each model")
    parser.add_class_arguments(Paths, "paths")
    values = parser.parse_args(args)
    paths, models = Paths(**values.paths), read_measurements([Path(file) for file in values.files])
    write_json(Path(paths.metrics) / "sites.json", over_seeds(models))
    write_table(Path(paths.plots) / "sites.csv", table(models))
    print(f"written: {Path(paths.metrics) / 'sites.json'}")


def main(args: Sequence[str]) -> None:
    """Command line of the measurement, and of the joining."""
    with one_line_errors():
        if args[:1] == ["join"]:
            join(args[1:])
        else:
            run(*parse(__doc__ or "", args))
