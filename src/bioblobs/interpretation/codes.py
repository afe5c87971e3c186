"""What a code stands for: composition, secondary structure, and the classes it is enriched in."""

from __future__ import annotations

from collections import Counter
from typing import Any

import biotite.structure as struc
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, fisher_exact

from bioblobs.datasets.store import Store
from bioblobs.proteins.alphabet import SYMBOLS

BREAK_MIN = 4.5
"""Distance of neighbouring C-alphas (angstrom) from which a residue is missing between them."""
STRUCTURES = {"a": "helix", "b": "strand", "c": "coil", "": "coil"}


def secondary_structure(store: Store, row: int) -> NDArray[np.str_]:
    """(L,) helix, strand or coil from the C-alpha trace: P-SEA (Labesse et al. 1997), by Biotite."""
    span = slice(store.offsets[row], store.offsets[row + 1])
    length = int(store.offsets[row + 1] - store.offsets[row])
    atoms = struc.AtomArray(length)
    atoms.coord = np.asarray(store.coordinates[span, 1])
    atoms.atom_name[:] = "CA"
    atoms.res_name[:] = "GLY"  # any amino acid: the method looks at coordinates only
    atoms.element[:] = "C"
    # A break is seen as a jump in the number; author numbers may also repeat, or jump without a break.
    steps = np.linalg.norm(np.diff(atoms.coord, axis=0), axis=-1)
    atoms.res_id[:] = np.arange(length) + np.concatenate([[0], (steps > BREAK_MIN).cumsum()])
    atoms.chain_id[:] = np.asarray(store.chain_ids[span]).astype(str)
    return np.array([STRUCTURES[str(kind)] for kind in struc.annotate_sse(atoms)])


def blob_table(records: list[Any]) -> pd.DataFrame:
    """One row a blob: protein (place among the records), code, importance, size."""
    rows = [
        (place, blob["code"], blob["importance"], blob["size"])
        for place, record in enumerate(records)
        for blob in record["blobs"]
    ]
    return pd.DataFrame(rows, columns=["protein", "code", "importance", "size"])


def describe_codes(
    store: Store, rows: NDArray[np.int64], records: list[Any], significance: float
) -> dict[str, Any]:
    """Every code in use, most used first, and all residues as background (schema: ``codes``, ``background``).

    A class is enriched in a code where proteins holding the code have it more often than the others:
    Fisher's exact test, one-sided, Benjamini-Hochberg corrected over all (code, class) pairs.
    """
    residues = _residue_table(store, rows, records)
    background = _shares(residues)
    blobs = blob_table(records)
    enriched = _enrichment(store, records, blobs, significance)
    described = []
    counts = Counter(blobs["code"].tolist())
    for code, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        members = blobs[blobs["code"] == code]
        described.append(
            {
                "code": code,
                "blobs": count,
                "proteins": int(members["protein"].nunique()),
                "mean_importance": round(float(members["importance"].mean()), 6),
                "mean_size": round(float(members["size"].mean()), 3),
                **_shares(residues[residues["code"] == code]),
                "enriched_classes": enriched.get(code, []),
            }
        )
    return {"background": background, "codes": described}


def _residue_table(store: Store, rows: NDArray[np.int64], records: list[Any]) -> pd.DataFrame:
    """One row a residue of ``rows``: type, structure, code of its blob (-1: in none)."""
    parts = []
    for row, record in zip(rows, records, strict=True):
        code = np.full(record["length"], -1)
        for blob in record["blobs"]:
            code[blob["residues"]] = blob["code"]
        span = slice(store.offsets[row], store.offsets[row + 1])
        kinds = np.array(list(SYMBOLS))[store.residue_types[span]]
        parts.append(
            pd.DataFrame({"type": kinds, "structure": secondary_structure(store, row), "code": code})
        )
    return pd.concat(parts, ignore_index=True)


def _shares(residues: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Share of each residue type and each secondary structure."""

    def share(column: str) -> dict[str, float]:
        counts = Counter(residues[column].tolist())
        return {name: round(counts[name] / len(residues), 4) for name in sorted(counts)}

    return {"composition": share("type"), "secondary_structure": share("structure")}


def _enrichment(
    store: Store, records: list[Any], blobs: pd.DataFrame, significance: float
) -> dict[Any, list[Any]]:
    holders = {code: set(part["protein"]) for code, part in blobs.groupby("code")}
    having = {
        label: {place for place, record in enumerate(records) if name in record["true"]}
        for label, name in enumerate(store.classes)
    }
    tests = []
    for code, holder in holders.items():
        for label, members in having.items():
            if not members:
                continue
            both, neither = len(holder & members), len(records) - len(holder | members)
            table = [[both, len(holder - members)], [len(members - holder), neither]]
            ratio, p = fisher_exact(table, alternative="greater")
            tests.append((code, label, both, float(ratio), float(p)))
    if not tests:
        return {}
    adjusted = false_discovery_control([p for *_, p in tests])
    found: dict[Any, list[Any]] = {}
    for (code, label, both, ratio, p), q in sorted(
        zip(tests, adjusted, strict=True), key=lambda item: item[1]
    ):
        if q < significance:
            found.setdefault(code, []).append(
                {
                    "class": store.classes[label],
                    "name": store.class_names[label],
                    "proteins": both,
                    "odds_ratio": round(ratio, 4) if np.isfinite(ratio) else None,
                    "p": float(f"{p:.4g}"),
                    "p_adjusted": float(f"{q:.4g}"),
                }
            )
    return found
