"""DVC stage ``faithfulness``: is importance true of the model, and of the structures that it is given?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bioblobs.datasets.batching import Rows
from bioblobs.datasets.prepare import open_store
from bioblobs.datasets.store import Store
from bioblobs.errors import BioBlobsError, one_line_errors
from bioblobs.faithfulness.chains import Chains
from bioblobs.faithfulness.report import Report, measure
from bioblobs.faithfulness.sites import enrichment, read_sites, site_residues
from bioblobs.parameters.parsing import parse
from bioblobs.parameters.schema import Config, Paths
from bioblobs.results import interval, write_json, write_table
from bioblobs.training.checkpoint import check_classes, load_model, untrained_model
from bioblobs.training.process import begin


def run(config: Config, paths: Paths) -> None:
    """Write faithfulness.json, curves and a table a chain, for the split that is asked for."""
    seed, keys = config.train.seed, config.interpretability
    begin(config.train.num_threads)
    sites = read_sites(Path(keys.sites))
    store = open_store(paths.prepared, config.data)
    path = Path(paths.checkpoint) if paths.checkpoint else paths.final_checkpoint(1)
    model, card = load_model(path)
    check_classes(path, card, store.classes)
    chains = Chains(store, chosen_rows(store, keys.split, keys.proteins, seed))
    print(f"measuring {len(chains)} {keys.split} chains", flush=True)
    untrained = untrained_model(card, seed)
    report = measure(model, untrained, chains, keys.gradient_steps, keys.deletion_repeats, seed)
    ids = np.array(store.table()["id"])[chains.rows].tolist()
    site, unmatched = site_residues(chains, ids, sites)
    found = enrichment(chains, report.explained, site, seed)
    metrics = {"split": keys.split, **report.metrics, "sites": found and {**found, "not_found": unmatched}}
    write_json(Path(paths.metrics) / "faithfulness.json", metrics)
    for name, table in report.plots.items():
        write_table(Path(paths.plots) / f"faithfulness_{name}.csv", table)
    table = report.proteins.assign(target=np.array(store.classes)[report.proteins["target"]])
    table.insert(0, "id", ids)
    write_table(Path(paths.output) / "faithfulness" / "proteins.csv", table)
    for line in summary(report, metrics["sites"]):
        print(line)


def chosen_rows(store: Store, split: str, most: int | None, seed: int) -> Rows:
    """Rows of a split, at most so many, drawn by ``seed``.

    Raises:
        BioBlobsError: the split is empty.
    """
    rows = store.rows(split)
    if not len(rows):
        raise BioBlobsError(f"{store.path}: no {split} protein to explain (interpretability.split)")
    if most is None or len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def summary(report: Report, sites: dict[str, Any] | None) -> list[str]:
    """What came out, in a few lines."""
    m = report.metrics
    lines = [f"{'area under the curve':28s}{'deletion (low is good)':30s}insertion (high is good)"]
    lines += [
        f"{name:28s}{interval(m['deletion'][name]):30s}{interval(m['insertion'][name])}"
        for name in m["deletion"]
    ]
    lines += ["gain of importance over"]
    lines += [
        f"{name:28s}{interval(m['deletion_gain'][name]):30s}{interval(m['insertion_gain'][name])}"
        for name in m["deletion_gain"]
    ]
    for group in ("top_blob", "masking"):
        lines += [
            f"{group}: {name}: {interval(value) if isinstance(value, dict) else value}"
            for name, value in m[group].items()
        ]
    for group in ("untrained", "noise"):
        lines += [
            f"{group} {name}: " + ", ".join(f"{key} {interval(value)}" for key, value in values.items())
            for name, values in m[group].items()
        ]
    return [*lines, f"sites: {sites or 'none annotated'}"]


def main(args: Sequence[str] | None = None) -> None:
    """Command line of the stage."""
    with one_line_errors():
        run(*parse(__doc__ or "", args))


if __name__ == "__main__":
    main()
