"""Measure whether contributions find catalytic residues, for one model; ``join`` makes one file of several.

    python -m bioblobs.stages.sites --config FILE --interpretability.sites data/sample/catalytic_residues.csv
    python -m bioblobs.stages.sites join RUN/sites_model.json ... --paths.metrics metrics --paths.plots plots

No stage of dvc.yaml: the models are of another task than the default run's.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from bioblobs.checkpoints.file import check_classes, load_model, untrained_model
from bioblobs.config.parsing import Parser, parse
from bioblobs.config.schema import Config, Paths
from bioblobs.errors import BioBlobsError, one_line_errors
from bioblobs.faithfulness.site_model import (
    background_of,
    chains_with_sites,
    data_split,
    measure_model,
    summary,
)
from bioblobs.faithfulness.site_seeds import CHAINS, over_seeds, read_measurements, table
from bioblobs.faithfulness.site_table import find_sites, read_sites
from bioblobs.inference.process import begin
from bioblobs.io import write_json, write_table
from bioblobs.store.packed import open_store

FRESH = 5
"""Untrained models: the area of one depends on which side its random weights happen to take."""


def run(config: Config, paths: Paths) -> None:
    """Write sites_model.json: validation and test chains, all sites and those that M-CSA lists itself."""
    seed, name = config.train.seed, config.interpretability.sites
    begin(config.train.num_threads)
    read = read_sites(Path(name))
    if read.empty:
        raise BioBlobsError(f"interpretability.sites: {name} has no residue; name a table that has some")
    store = open_store(paths.prepared, config.data.identity())
    path = Path(paths.checkpoint) if paths.checkpoint else paths.final_checkpoint(1)
    model, card = load_model(path)
    check_classes(path, card, store.classes)
    sites = find_sites(store, read)
    for line in sites.warnings():
        print(line, flush=True)
    background = background_of(store, sites)
    fresh = [untrained_model(card, seed + number) for number in range(FRESH)]
    measured = {}
    for split in CHAINS:
        chains = chains_with_sites(store, split, sites)
        print(f"{len(chains)} {split} chains with sites", flush=True)
        measured[split] = measure_model(model, fresh, chains, sites, background, seed)
    metrics = {
        "data_split": data_split(store),
        "seed": card["seed"],
        "task": card["task"],
        "not_found": sites.counts(),
        **measured,
    }
    write_json(Path(paths.metrics) / "sites_model.json", metrics)
    for line in summary(measured):
        print(line)


def join(files: Sequence[Path], paths: Paths) -> None:
    """Write sites.json and plots/sites.csv from the files that :func:`run` wrote for several models."""
    models = read_measurements(files)
    target = Path(paths.metrics) / "sites.json"
    write_json(target, over_seeds(models))
    write_table(Path(paths.plots) / "sites.csv", table(models))
    print(f"written: {target}")


def main(args: Sequence[str] | None = None) -> None:
    """Command line of the measurement, and of the joining."""
    words = list(sys.argv[1:] if args is None else args)
    with one_line_errors():
        if words[:1] == ["join"]:
            join(*parse_join(words[1:]))
        else:
            run(*parse(__doc__ or "", words))


def parse_join(words: Sequence[str]) -> tuple[list[Path], Paths]:
    """Parse files and ``--paths.*`` of the joining."""
    parser = Parser(description=__doc__)
    parser.add_argument("files", nargs="+", type=str, help="sites_model.json of each model")
    parser.add_class_arguments(Paths, "paths")
    values = parser.parse_args(words)
    return [Path(file) for file in values.files], Paths(**values.paths)


if __name__ == "__main__":
    main()
