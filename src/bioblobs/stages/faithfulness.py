"""DVC stage ``faithfulness``: is importance true of the model, and of the structures that it is given?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bioblobs.checkpoints.file import check_classes, load_model, untrained_model
from bioblobs.config.parsing import parse
from bioblobs.config.schema import Config, Paths
from bioblobs.errors import BioBlobsError, one_line_errors
from bioblobs.faithfulness.chains import Chains
from bioblobs.faithfulness.report import Report, measure
from bioblobs.faithfulness.site_table import find_sites, read_sites
from bioblobs.faithfulness.sites import enrichment
from bioblobs.faithfulness.verdict import checks, verdict
from bioblobs.inference.process import begin
from bioblobs.io import interval, write_json, write_table
from bioblobs.store.batches import Rows
from bioblobs.store.packed import Store, open_store


def run(config: Config, paths: Paths) -> None:
    """Write faithfulness.json, curves and a table a chain, for the split that is asked for."""
    seed, keys = config.train.seed, config.interpretability
    begin(config.train.num_threads)
    listed = read_sites(Path(keys.sites))
    store = open_store(paths.prepared, config.data.identity())
    sites = find_sites(store, listed)
    for line in sites.warnings():
        print(line, flush=True)
    path = Path(paths.checkpoint) if paths.checkpoint else paths.final_checkpoint(1)
    model, card = load_model(path)
    check_classes(path, card, store.classes)
    chains = Chains(store, chosen_rows(store, keys.split, keys.proteins, seed))
    print(f"measuring {len(chains)} {keys.split} chains", flush=True)
    untrained = untrained_model(card, seed)
    report = measure(model, untrained, chains, keys.gradient_steps, keys.deletion_repeats, seed)
    ids = np.array(store.table()["id"])[chains.rows].tolist()
    found = enrichment(chains, report.explained, sites.of(chains), seed)
    annotated = {**(found or {}), "not_found": sites.counts()} if len(listed) else None
    metrics = {"split": keys.split, **report.metrics, "sites": annotated}
    made = checks(metrics, None)  # the report, which knows of other seeds, asks again
    metrics |= {"checks": made, "verdict": verdict(made)}
    write_json(Path(paths.metrics) / "faithfulness.json", metrics)
    for name, table in report.plots.items():
        write_table(Path(paths.plots) / f"faithfulness_{name}.csv", table)
    proteins = report.proteins.assign(target=np.array(store.classes)[report.proteins["target"]])
    proteins.insert(0, "id", ids)
    write_table(Path(paths.output) / "faithfulness" / "proteins.csv", proteins)
    for line in [*summary(report, annotated), *judged(made)]:
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
    error = m["sum"]["largest_error"]
    lines = [f"sum: {'this head does not add up' if error is None else f'largest error {error:.1e}'}"]
    lines += [f"{'area under the curve':28s}{'deletion (low is good)':30s}insertion (high is good)"]
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


def judged(made: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line per check, and the verdict."""
    said = {True: "holds", False: "does not hold", None: "not measured"}
    lines = [f"check: {each['name']}: {said[each['holds']]}; {each['figure']}" for each in made]
    return [*lines, f"verdict: {verdict(made)}"]


def main(args: Sequence[str] | None = None) -> None:
    """Command line of the stage."""
    with one_line_errors():
        run(*parse(__doc__ or "", args))


if __name__ == "__main__":
    main()
