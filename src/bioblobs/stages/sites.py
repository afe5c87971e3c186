"""Measure whether contributions find catalytic residues, for one model; ``join`` makes one file of several.

    python -m bioblobs.stages sites --config FILE --interpretability.sites data/sample/catalytic_residues.csv
    python -m bioblobs.stages sites join RUN/sites_model.json ... --paths.metrics metrics --paths.plots plots

No stage of dvc.yaml: the models are of another task than the default run's.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from bioblobs.checkpoints.file import load_model, untrained_model
from bioblobs.config.parsing import parse
from bioblobs.config.schema import Config, Paths
from bioblobs.errors import BioBlobsError, one_line_errors
from bioblobs.faithfulness.site_model import FRESH, data_split, measure_splits, summary
from bioblobs.faithfulness.site_table import find_sites, read_sites
from bioblobs.inference.process import begin
from bioblobs.io import write_json
from bioblobs.stages import join_sites
from bioblobs.store.packed import open_store


def run(config: Config, paths: Paths) -> None:
    """Write sites_model.json: validation and test chains, all sites and those that M-CSA lists itself."""
    name = config.interpretability.sites
    begin(config.train.num_threads)
    read = read_sites(Path(name))
    if read.empty:
        raise BioBlobsError(f"interpretability.sites: {name} has no residue; name a table that has some")
    store = open_store(paths.prepared, config.data.identity())
    model, card = load_model(paths.explained_checkpoint, store.classes)
    sites = find_sites(store, read)
    for line in sites.warnings():
        print(line, flush=True)
    seed = config.train.seed
    about = {"data_split": data_split(store), "seed": card["seed"], "task": card["task"]}
    fresh = [untrained_model(card, seed + number) for number in range(FRESH)]
    measured = measure_splits(model, fresh, store, sites, seed)
    metrics = {**about, "not_found": sites.counts(), **measured}
    write_json(Path(paths.metrics) / "sites_model.json", metrics)
    print(*summary(metrics), sep="\n")


def main(args: Sequence[str] | None = None) -> None:
    """Command line of the measurement, and of the joining."""
    words = list(sys.argv[1:] if args is None else args)
    with one_line_errors():
        if words[:1] == ["join"]:
            join_sites.main(words[1:])
        else:
            run(*parse(__doc__ or "", words))
