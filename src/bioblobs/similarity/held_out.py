"""Likeness of val and test chains to the nearest training chain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from joblib import cpu_count
from numpy.typing import NDArray

from bioblobs.similarity.by_sequence import IDENTITY, SequenceTool, identity_hits, sequence_tool
from bioblobs.similarity.by_structure import TM_SCORE
from bioblobs.similarity.nearest import Nearest

HELD_OUT = ("test", "val")
EXHAUSTIVE_CELLS = 2e12
"""Cells of the alignment matrices up to which all pairs are aligned (some two minutes on two cores)."""
Traces = Sequence[NDArray[np.float32]]
Found = tuple[Nearest, dict[str, Any]]


@dataclass(frozen=True)
class HeldOut:
    """Held-out chains, and the training chains that they are compared with.

    Attributes:
        ids: of the held-out chains.
        split: "test" or "val" per held-out chain.
        known: ids of the training chains.
    """

    ids: NDArray[np.str_]
    split: NDArray[np.str_]
    known: NDArray[np.str_]

    def by_sequence(self, sequences: Sequence[str], known: Sequence[str]) -> Found:
        """Find the nearest training chain by sequence identity, and report per split."""
        tool = leakage_tool(sum(map(len, sequences)) * sum(map(len, known)))
        nearest = Nearest.of(identity_hits(sequences, known, tool), sequences, known)
        report = {"tool": tool, "definition": IDENTITY, **self._by_split(nearest)}
        copies = np.isin(np.array(sequences, object), np.array(known, object))
        for name in HELD_OUT:
            report[name]["exact_duplicates"] = int(copies[self.split == name].sum())
        return nearest, report

    def by_structure(self, traces: Traces, known: Traces, hits: int) -> Found:
        """Find the nearest of ``hits`` candidates by TM-score, and report per split."""
        from bioblobs.similarity.tmalign import nearest_pairs

        nearest = Nearest(*nearest_pairs(traces, known, hits, cpu_count()).best(len(traces)))
        candidates = "the chain" if hits == 1 else f"the {hits} chains"
        tool = f"TM-align with {candidates} most alike by 3Di states"
        return nearest, {"tool": tool, "definition": TM_SCORE, **self._by_split(nearest)}

    def _by_split(self, nearest: Nearest) -> dict[str, Any]:
        return {name: nearest.summary(np.flatnonzero(self.split == name)) for name in HELD_OUT}

    def table(self, nearest: Mapping[str, Nearest]) -> pd.DataFrame:
        """One row per held-out chain, most alike first: nearest chain, similarity and coverage by measure."""
        table = pd.DataFrame({"id": self.ids, "split": self.split})
        for name, found in nearest.items():
            known = np.append(self.known, "")  # the last: no match (-1)
            table[f"nearest_by_{name}"] = known[found.target]
            table[name] = found.similarity
            table[f"{name}_coverage"] = found.coverage
        ascending = [True, *(False for _ in nearest), True]
        return table.sort_values(["split", *nearest, "id"], ascending=ascending)


def leakage_tool(cells: int) -> SequenceTool:
    """Choose Opal, which aligns all pairs, for small searches, and MMseqs2, where installed, for others."""
    return "opal" if cells <= EXHAUSTIVE_CELLS else sequence_tool()


def leakage_lines(report: Mapping[str, Any], table: pd.DataFrame) -> Iterator[str]:
    """One line per measure and split: the highest similarity, its pair, the median."""
    for measure, values in report.items():
        for name in HELD_OUT:
            part = values[name]
            if not part["proteins"]:
                continue
            first = table[table["split"] == name].nlargest(1, measure).iloc[0]
            pair = f"{first['id']} and {first[f'nearest_by_{measure}'] or 'none'}"
            yield (
                f"{name}: highest {measure} to a training chain {part['max']:.2f} ({pair}), median"
                f" {part['median']:.2f}, {part['share_from_0.7']:.0%} of {part['proteins']} chains from 0.7"
            )
