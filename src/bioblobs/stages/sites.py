"""Do contributions find catalytic residues? Measures one trained model; ``join`` makes one file of several.

    python -m bioblobs.stages.sites --config FILE --interpretability.sites data/sample/catalytic_residues.csv
    python -m bioblobs.stages.sites join RUN/sites_model.json ... --paths.metrics metrics --paths.plots plots

No stage of dvc.yaml: the models are of another task than the default run's.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bioblobs.checkpoints.file import check_classes, load_model, untrained_model
from bioblobs.config.parsing import Parser, parse
from bioblobs.config.schema import Config, Paths
from bioblobs.errors import BioBlobsError, one_line_errors
from bioblobs.faithfulness.chains import Chains
from bioblobs.faithfulness.explained import explain
from bioblobs.faithfulness.site_controls import Background, learn_background
from bioblobs.faithfulness.site_rankings import site_rankings
from bioblobs.faithfulness.site_report import measure_sites
from bioblobs.faithfulness.site_seeds import CHAINS, over_seeds, read_measurements, table
from bioblobs.faithfulness.site_table import Sites, find_sites, read_sites
from bioblobs.inference.process import begin
from bioblobs.io import interval, write_json, write_table
from bioblobs.models.bioblobs import BioBlobs
from bioblobs.store.packed import Store, open_store

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
    measured = {split: measure(model, fresh, store, split, sites, background, seed) for split in CHAINS}
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


def background_of(store: Store, sites: Sites) -> Background | None:
    """What training chains' sites say of residue type and depth; None where no training chain has a site."""
    chains = chains_with_sites(store, "train", sites)
    return learn_background(chains, sites.of(chains)) if len(chains) else None


def chains_with_sites(store: Store, split: str, sites: Sites) -> Chains:
    """The chains of a split that have a site."""
    having = np.unique(np.searchsorted(store.offsets, sites.rows, "right") - 1)
    return Chains(store, np.intersect1d(having, store.rows(split)))


def measure(
    model: BioBlobs,
    untrained: Sequence[BioBlobs],
    store: Store,
    split: str,
    sites: Sites,
    background: Background | None,
    seed: int,
) -> dict[str, Any] | None:
    """Measurements on all sites of a split, and on curated ones; None where it has no site."""
    chains = chains_with_sites(store, split, sites)
    print(f"{len(chains)} {split} chains with sites", flush=True)
    if not len(chains):
        return None
    explained = explain(model, chains)
    for fresh in untrained:
        fresh.partitioner.tau.copy_(model.partitioner.tau)  # a setting of the schedule, not a weight
    others = [explain(fresh, chains) for fresh in untrained]
    ranked = site_rankings(chains, explained, others, background, seed)
    site = sites.of(chains)
    made = {"all": measure_sites(chains, explained, ranked, site, seed), "curated": None}
    if sites.curated is not None:
        curated = np.isin(chains.residue, sites.rows[sites.curated])
        made["curated"] = measure_sites(chains, explained, ranked, curated, seed)
    return made


def data_split(store: Store) -> str:
    """Name of the split of the data: random, or sequence or structure and the highest similarity."""
    parameters = store.meta["parameters"]
    name = str(parameters["split"])
    return name if name == "random" else f"{name} {parameters['split_similarity_threshold']:g}"


def summary(measured: dict[str, dict[str, Any] | None]) -> list[str]:
    """Areas and gains, in a few lines."""
    lines = []
    for split, parts in measured.items():
        for subset, found in (parts or {}).items():
            if found is None:
                continue
            lines.append(f"{split}, {subset} sites: {found['chains']} chains, {found['sites']} residues")
            lines.append(f"  {'ranked by':20s}{'area under the ROC curve':30s}gain of contribution")
            lines += [
                f"  {name:20s}{interval(area):30s}"
                f"{interval(found['auc_gain'][name]) if name in found['auc_gain'] else ''}".rstrip()
                for name, area in found["auc"].items()
            ]
    return lines or ["no val or test chain has a site"]


def main(args: Sequence[str] | None = None) -> None:
    """Command line of the measurement, and of the joining."""
    words = list(sys.argv[1:] if args is None else args)
    with one_line_errors():
        if words[:1] == ["join"]:
            join(*parse_join(words[1:]))
        else:
            run(*parse(__doc__ or "", words))


def parse_join(words: Sequence[str]) -> tuple[list[Path], Paths]:
    """Files and ``--paths.*`` of the joining."""
    parser = Parser(description=__doc__)
    parser.add_argument("files", nargs="+", type=str, help="sites_model.json of each model")
    parser.add_class_arguments(Paths, "paths")
    values = parser.parse_args(words)
    return [Path(file) for file in values.files], Paths(**values.paths)


if __name__ == "__main__":
    main()
