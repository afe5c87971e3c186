"""Description of a code: its blobs, residues, sequence, structure and classes, put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bioblobs.inference.chain import Chain
from bioblobs.inference.records import by_class
from bioblobs.interpretation.alignment import align_blobs
from bioblobs.interpretation.composition import against_background, shares
from bioblobs.interpretation.enrichment import class_membership, enriched_classes, holders
from bioblobs.interpretation.logo import LOGOS, logo_svg
from bioblobs.interpretation.membership import member_table, usage
from bioblobs.interpretation.motif import (
    background_of,
    count_letters,
    frequencies,
    information,
    motif_entry,
    windows,
)
from bioblobs.interpretation.residues import Residues, gather
from bioblobs.interpretation.superposition import superpose_windows
from bioblobs.store.packed import Store


@dataclass(frozen=True)
class CodeReport:
    """Codes as the report has them, and their pictures.

    Attributes:
        summary: schema ``dataset``: keys ``background``, ``codes`` and ``code_tests``.
        logos: SVG text of each code, by the path that the code's entry names.
    """

    summary: dict[str, Any]
    logos: dict[str, str]


def describe_codes(
    store: Store,
    rows: NDArray[np.int64],
    records: Sequence[Chain],
    significance: float,
    seed: int,
    scorecard: NDArray[np.float64] | None = None,
) -> CodeReport:
    """Describe every code in use, most used first, and all residues as background.

    Args:
        rows: rows of the store that ``records`` are of.
        significance: corrected p-value below which a class counts as enriched.
        seed: of the random moves, members and control sets.
        scorecard: (K, C) contribution of each code to each class; None where predictions are no sum of codes.
    """
    residues = gather(store, rows)
    members = member_table(records)
    codes = usage(members, records)
    logos = _motifs(residues, members, codes)
    differs = against_background(residues, members, seed)
    structure = _superpositions(residues, members, records, seed)
    in_use, holds = holders(members, len(records))
    enriched, pairs = enriched_classes(in_use, holds, class_membership(store.classes, records), significance)
    groups = dict(iter(members.groupby("code")))
    for entry in codes:
        code = entry["code"]
        entry |= _evidence(store.classes, None if scorecard is None else scorecard[code])
        entry |= shares(residues, _places(residues, groups[code]))
        entry["against_background"] = differs[code]
        entry["superposition"] = structure[code]
        entry["enriched_classes"] = [
            {"class": store.classes[label], "name": store.class_names[label], **numbers}
            for label, numbers in enriched.get(code, [])
        ]
    background = shares(residues, slice(None))
    summary = {"background": background, "codes": codes, "code_tests": _tests(codes, pairs, significance)}
    return CodeReport(summary, logos)


def _evidence(classes: list[str], row: NDArray[np.float64] | None) -> dict[str, Any]:
    """A code's row (C,) of the scorecard, and the class with the largest entry, if that is above 0."""
    if row is None:
        return {"evidence": None, "argues_for": None}
    best = int(row.argmax())
    return {"evidence": by_class(classes, row), "argues_for": classes[best] if row[best] > 0 else None}


def _places(residues: Residues, part: pd.DataFrame) -> NDArray[np.int64]:
    """Residues of some blobs, as places among all."""
    starts = residues.offsets[part["protein"].to_numpy(int)]
    return np.concatenate(
        [start + np.asarray(each, np.int64) for start, each in zip(starts, part["residues"], strict=True)]
    )


def _motifs(residues: Residues, members: pd.DataFrame, codes: list[Any]) -> dict[str, str]:
    """Add ``motif`` and ``logo`` to each entry; the pictures by path."""
    background = background_of(residues)
    around = windows(
        residues, residues.offsets[members["protein"].to_numpy(int)] + members["seed"].to_numpy(int)
    )
    code_of = members["code"].to_numpy(int)
    logos = {}
    for entry in codes:
        counts = count_letters(residues, around[code_of == entry["code"]])
        chances = frequencies(counts, background)
        entry["motif"] = motif_entry(counts, background)
        entry["logo"] = f"{LOGOS}/{entry['code']}.svg"
        title = f"Code {entry['code']}: residues around the seeds of {entry['blobs']} blobs"
        logos[entry["logo"]] = logo_svg(chances, information(chances, background), title)
    return logos


def _superpositions(
    residues: Residues, members: pd.DataFrame, records: Sequence[Chain], seed: int
) -> dict[int, dict[str, Any]]:
    """Schema ``superposition`` of every code, its blobs named as members are."""

    def named(place: int) -> dict[str, Any]:
        row: Any = members.loc[place]
        return {"protein": records[row["protein"]].id, "slot": int(row["slot"])}

    found = {
        "windows": superpose_windows(residues, members, seed),
        "blobs": align_blobs(residues, members, seed),
    }
    for entry in [entry for entries in found.values() for entry in entries.values()]:
        entry["medoid"] = named(entry["medoid"])
    for entry in found["windows"].values():
        entry["overlay"] = [named(place) | move for place, move in entry["overlay"]]
    return {
        code: {name: entries.get(code) for name, entries in found.items()}
        for code in members["code"].unique().tolist()
    }


def _tests(codes: list[Any], pairs: int, significance: float) -> dict[str, Any]:
    """Number of codes that pass each test (schema: ``code_tests``)."""

    def tighter(control: str) -> dict[str, int]:
        entries = [code["superposition"]["windows"] for code in codes]
        tested = [entry[control] for entry in entries if entry and entry[control]]
        return {"tested": len(tested), "significant": sum(t["p_adjusted"] < significance for t in tested)}

    differing = [
        sum(row["p_adjusted"] < significance for row in code["against_background"]) for code in codes
    ]
    return {
        "significance": significance,
        "code_class_pairs": {"tested": pairs, "significant": sum(len(c["enriched_classes"]) for c in codes)},
        "codes_enriched_in_a_class": {
            "tested": len(codes),
            "significant": sum(bool(c["enriched_classes"]) for c in codes),
        },
        "codes_unlike_background": {"tested": len(codes), "significant": sum(map(bool, differing))},
        "codes_tighter_than_other_codes": tighter("other_codes"),
        "codes_tighter_than_same_structure": tighter("same_structure"),
    }
