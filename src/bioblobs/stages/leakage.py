"""DVC stage ``leakage``: how alike val and test chains are to training chains."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bioblobs.datasets.prepare import open_store
from bioblobs.datasets.store import Store
from bioblobs.errors import one_line_errors
from bioblobs.parameters.parsing import parse
from bioblobs.parameters.schema import Config, Paths
from bioblobs.proteins.alphabet import decode
from bioblobs.results import write_json, write_table
from bioblobs.splits.leakage import Nearest, histogram
from bioblobs.splits.sequence import IDENTITY, SequenceTool, identity_hits, sequence_tool
from bioblobs.splits.structure import TM_SCORE

HELD_OUT = ("test", "val")
EXHAUSTIVE_CELLS = 2e12
"""Cells of the alignment matrices up to which all pairs are aligned (some two minutes on two cores)."""


def run(config: Config, paths: Paths) -> None:
    """Write the nearest training chain of each val and test chain, and how alike they are."""
    store = open_store(paths.prepared, config.data, config.train.seed)
    train = store.rows("train")
    split = np.concatenate([np.full(len(store.rows(name)), name) for name in HELD_OUT])
    held = np.concatenate([store.rows(name) for name in HELD_OUT])
    sequences, known = _sequences(store, held), _sequences(store, train)
    tool = leakage_tool(sum(map(len, sequences)) * sum(map(len, known)))
    by_sequence = Nearest.of(identity_hits(sequences, known, tool), sequences, known)
    nearest = {"identity": by_sequence}
    report: dict[str, Any] = {
        "identity": {"tool": tool, "definition": IDENTITY, **_by_split(by_sequence, split)},
    }
    known_ones = set(known)
    for name in HELD_OUT:
        own = [sequence for sequence, part in zip(sequences, split, strict=True) if part == name]
        report["identity"][name]["exact_duplicates"] = sum(sequence in known_ones for sequence in own)
    if config.leakage.structure_hits:
        hits = config.leakage.structure_hits
        nearest["tm_score"] = by_structure = _by_structure(store, held, train, hits)
        report["tm_score"] = {
            "tool": f"TM-align on {hits} candidates a chain",
            "definition": TM_SCORE,
            **_by_split(by_structure, split),
        }
    table = _table(store, held, train, split, nearest)
    write_table(Path(paths.output) / "leakage" / "nearest.csv", table)
    write_json(Path(paths.metrics) / "leakage.json", report)
    write_table(Path(paths.plots) / "leakage.csv", histogram(by_sequence.similarity, list(split), HELD_OUT))
    _say(report, table)


def leakage_tool(cells: int) -> SequenceTool:
    """All pairs are aligned as long as that is quick; MMseqs2 is for more, where it is installed."""
    return "opal" if cells <= EXHAUSTIVE_CELLS else sequence_tool()


def _sequences(store: Store, rows: NDArray[np.int64]) -> list[str]:
    bounds = store.offsets
    return [decode(store.residue_types[bounds[row] : bounds[row + 1]]) for row in rows]


def _by_structure(store: Store, held: NDArray[np.int64], train: NDArray[np.int64], hits: int) -> Nearest:
    from bioblobs.splits.tmalign import nearest_pairs

    bounds = store.offsets
    chains = [[store.coordinates[bounds[row] : bounds[row + 1], 1] for row in rows] for rows in (held, train)]
    found = nearest_pairs(chains[0], chains[1], hits, os.cpu_count() or 1)
    return Nearest(*found.best(len(held)))


def _by_split(nearest: Nearest, split: NDArray[np.str_]) -> dict[str, Any]:
    return {name: nearest.summary(np.flatnonzero(split == name)) for name in HELD_OUT}


def _table(
    store: Store,
    held: NDArray[np.int64],
    train: NDArray[np.int64],
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
