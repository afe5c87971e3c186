"""DVC stage ``leakage``: similarity of val and test chains to training chains."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bioblobs.config.parsing import parse
from bioblobs.config.schema import Config, Paths
from bioblobs.errors import one_line_errors
from bioblobs.io import write_json, write_table
from bioblobs.proteins.alphabet import decode
from bioblobs.similarity.held_out import HELD_OUT, HeldOut, leakage_lines
from bioblobs.similarity.nearest import histogram
from bioblobs.store.packed import open_store
from bioblobs.sums import with_sums


@with_sums
def run(config: Config, paths: Paths) -> None:
    """Write the nearest training chain of each val and test chain, and their similarity."""
    store = open_store(paths.prepared, config.data.identity())
    rows = [store.rows(name) for name in HELD_OUT]
    held, train = np.concatenate(rows), store.rows("train")
    split = np.repeat(np.array(HELD_OUT), [len(own) for own in rows])
    ids, bounds = store.table()["id"].to_numpy(str), store.offsets
    chains = HeldOut(ids[held], split, ids[train])
    sequences, known = (
        [decode(store.residue_types[bounds[row] : bounds[row + 1]]) for row in part] for part in (held, train)
    )
    found = {"identity": chains.by_sequence(sequences, known)}
    if hits := config.leakage.structure_hits:
        traces, others = (
            [store.coordinates[bounds[row] : bounds[row + 1], 1] for row in part] for part in (held, train)
        )
        found["tm_score"] = chains.by_structure(traces, others, hits)
    nearest = {name: each for name, (each, _) in found.items()}
    reports = {name: report for name, (_, report) in found.items()}
    table = chains.table(nearest)
    write_table(Path(paths.output) / "leakage" / "nearest.csv", table)
    write_json(Path(paths.metrics) / "leakage.json", reports)
    shares = histogram(nearest["identity"].similarity, list(split), HELD_OUT)
    write_table(Path(paths.plots) / "leakage.csv", shares)
    for line in leakage_lines(reports, table):
        print(line)


def main(args: Sequence[str] | None = None) -> None:
    """Command line of the stage."""
    with one_line_errors():
        run(*parse(__doc__ or "", args))
