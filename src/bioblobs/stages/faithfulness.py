"""DVC stage ``faithfulness``: tests of importance, on the model and on the structures that it is given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bioblobs.checkpoints.file import load_model, untrained_model
from bioblobs.config.parsing import parse
from bioblobs.config.schema import Config, Paths
from bioblobs.errors import one_line_errors
from bioblobs.faithfulness.chains import Chains, chosen_rows
from bioblobs.faithfulness.measurements import measure
from bioblobs.faithfulness.printed import judged, summary
from bioblobs.faithfulness.site_enrichment import enrichment
from bioblobs.faithfulness.site_table import find_sites, read_sites
from bioblobs.faithfulness.verdict import checks, verdict
from bioblobs.inference.device import choose
from bioblobs.inference.process import begin
from bioblobs.io import write_json, write_table
from bioblobs.store.packed import open_store
from bioblobs.sums import with_sums


@with_sums
def run(config: Config, paths: Paths) -> None:
    """Write faithfulness.json, curves and a table with one row per chain of the chosen split."""
    seed, keys = config.train.seed, config.interpretability
    begin(config.train.num_threads)
    listed = read_sites(Path(keys.sites))
    store = open_store(paths.prepared, config.data.identity())
    sites = find_sites(store, listed)
    for line in sites.warnings():
        print(line, flush=True)
    model, card = load_model(paths.explained_checkpoint, store.classes)
    model = model.to(choose(config.train.accelerator))
    chains = Chains(store, chosen_rows(store, keys.split, keys.proteins, config.data.seed))
    print(f"measuring {len(chains)} {keys.split} chains", flush=True)
    untrained = untrained_model(card, seed)
    report = measure(model, untrained, chains, keys.gradient_steps, keys.deletion_repeats, seed)
    found = enrichment(chains, report.explained, sites.of(chains), seed)
    annotated = {**(found or {}), "not_found": sites.counts()} if len(listed) else None
    metrics = {"split": keys.split, **report.metrics, "sites": annotated}
    made = checks(metrics, None)  # the report, which knows of other seeds, asks again
    metrics |= {"checks": made, "verdict": verdict(made)}
    write_json(Path(paths.metrics) / "faithfulness.json", metrics)
    for name, table in report.plots.items():
        write_table(Path(paths.plots) / f"faithfulness_{name}.csv", table)
    proteins = report.proteins.assign(target=np.array(store.classes)[report.proteins["target"]])
    proteins.insert(0, "id", np.array(store.table()["id"])[chains.rows])
    write_table(Path(paths.output) / "faithfulness" / "proteins.csv", proteins)
    print(*summary(report, annotated), *judged(made), sep="\n")


def main(args: Sequence[str] | None = None) -> None:
    """Command line of the stage."""
    with one_line_errors():
        run(*parse(__doc__ or "", args))
