"""DVC stage ``leakage``: how alike val and test chains are to training chains."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import cpu_count
from numpy.typing import NDArray

from bioblobs.config.parsing import parse
from bioblobs.config.schema import Config, Paths
from bioblobs.errors import one_line_errors
from bioblobs.io import write_json, write_table
from bioblobs.proteins.alphabet import decode
from bioblobs.similarity.by_sequence import IDENTITY, SequenceTool, identity_hits, sequence_tool
from bioblobs.similarity.by_structure import TM_SCORE
from bioblobs.similarity.nearest import Nearest, histogram
from bioblobs.store.packed import Store, open_store

Rows = NDArray[np.int64]
Found = tuple[Nearest, dict[str, Any]]
HELD_OUT = ("test", "val")
EXHAUSTIVE_CELLS = 2e12
"""Cells of the alignment matrices up to which all pairs are aligned (some two minutes on two cores)."""


def run(config: Config, paths: Paths) -> None:
    """Write the nearest training chain of each val and test chain, and how alike they are."""
    store = open_store(paths.prepared, config.data.identity())
    rows = [store.rows(name) for name in HELD_OUT]
    held, train = np.concatenate(rows), store.rows("train")
    split = np.repeat(np.array(HELD_OUT), [len(own) for own in rows])
    by_sequence, report = _by_sequence(store, held, train, split)
    nearest, reports = {"identity": by_sequence}, {"identity": report}
    if hits := config.leakage.structure_hits:
        nearest["tm_score"], reports["tm_score"] = _by_structure(store, held, train, split, hits)
    table = _table(store, held, train, split, nearest)
    write_table(Path(paths.output) / "leakage" / "nearest.csv", table)
    write_json(Path(paths.metrics) / "leakage.json", reports)
    write_table(Path(paths.plots) / "leakage.csv", histogram(by_sequence.similarity, list(split), HELD_OUT))
    _say(reports, table)


def leakage_tool(cells: int) -> SequenceTool:
    """All pairs are aligned as long as that is quick; MMseqs2 is for more, where it is installed."""
    return "opal" if cells <= EXHAUSTIVE_CELLS else sequence_tool()


def _sequences(store: Store, rows: Rows) -> list[str]:
    bounds = store.offsets
    return [decode(store.residue_types[bounds[row] : bounds[row + 1]]) for row in rows]


def _by_sequence(store: Store, held: Rows, train: Rows, split: NDArray[np.str_]) -> Found:
    sequences, known = _sequences(store, held), _sequences(store, train)
    tool = leakage_tool(sum(map(len, sequences)) * sum(map(len, known)))
    nearest = Nearest.of(identity_hits(sequences, known, tool), sequences, known)
    report = {"tool": tool, "definition": IDENTITY, **_by_split(nearest, split)}
    copies = np.isin(np.array(sequences, object), np.array(known, object))
    for name in HELD_OUT:
        report[name]["exact_duplicates"] = int(copies[split == name].sum())
    return nearest, report


def _by_structure(store: Store, held: Rows, train: Rows, split: NDArray[np.str_], hits: int) -> Found:
    from bioblobs.similarity.tmalign import nearest_pairs

    bounds = store.offsets
    chains = [[store.coordinates[bounds[row] : bounds[row + 1], 1] for row in rows] for rows in (held, train)]
    found = nearest_pairs(chains[0], chains[1], hits, cpu_count())
    nearest = Nearest(*found.best(len(held)))
    tool = f"TM-align, {hits} candidates a chain by 3Di states"
    return nearest, {"tool": tool, "definition": TM_SCORE, **_by_split(nearest, split)}


def _by_split(nearest: Nearest, split: NDArray[np.str_]) -> dict[str, Any]:
    return {name: nearest.summary(np.flatnonzero(split == name)) for name in HELD_OUT}


def _table(
    store: Store,
    held: Rows,
    train: Rows,
    split: NDArray[np.str_],
    nearest: dict[str, Nearest],
) -> pd.DataFrame:
    """One row a held-out chain, most alike first: id, split, and nearest, similarity, coverage a measure."""
    ids = store.table()["id"].to_numpy(str)
    table = pd.DataFrame({"id": ids[held], "split": split})
    for name, found in nearest.items():
        known = np.append(ids[train], "")  # the last: no match (-1)
        table[f"nearest_by_{name}"] = known[found.target]
        table[name] = found.similarity
        table[f"{name}_coverage"] = found.coverage
    return table.sort_values(["split", *nearest, "id"], ascending=[True, *(False for _ in nearest), True])


def _say(report: dict[str, Any], table: pd.DataFrame) -> None:
    for measure, values in report.items():
        for name in HELD_OUT:
            part = values[name]
            if not part["proteins"]:
                continue
            first = table[table["split"] == name].nlargest(1, measure).iloc[0]
            pair = f"{first['id']} and {first[f'nearest_by_{measure}'] or 'none'}"
            print(
                f"{name}: highest {measure} to a training chain {part['max']:.2f} ({pair}), median"
                f" {part['median']:.2f}, {part['share_from_0.7']:.0%} of {part['proteins']} chains from 0.7"
            )


def main(args: Sequence[str] | None = None) -> None:
    """Command line of the stage."""
    with one_line_errors():
        run(*parse(__doc__ or "", args))


if __name__ == "__main__":
    main()
