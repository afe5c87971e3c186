"""Tables of blobs and of the codes that they hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from bioblobs.inference.chain import Chain


def blob_table(records: Sequence[Chain]) -> pd.DataFrame:
    """One row per blob: protein (place among the records), code, importance, contribution (or NaN), size."""
    rows = [
        (place, blob.code, blob.importance, blob.contribution, blob.size)
        for place, record in enumerate(records)
        for blob in record.grown
    ]
    table = pd.DataFrame(rows, columns=["protein", "code", "importance", "contribution", "size"])
    return table.astype({"contribution": float})


def member_table(records: Sequence[Chain]) -> pd.DataFrame:
    """One row per blob that has a code: the columns of :func:`blob_table`, its slot, seed and residues."""
    rows = [(blob.slot, blob.seed, blob.residues) for record in records for blob in record.grown]
    extra = pd.DataFrame(rows, columns=["slot", "seed", "residues"])
    blobs = pd.concat([blob_table(records), extra], axis=1)
    return blobs[blobs["code"].notna()].astype({"code": int}).reset_index(drop=True)


def usage(members: pd.DataFrame, records: Sequence[Chain]) -> list[dict[str, Any]]:
    """Every code in use, most used first: its numbers, and its blobs, most important first.

    ``importance_share`` is importance summed over a code's blobs, divided by the number of proteins: how
    much of an average protein's prediction rests on the code. Over the codes it sums to 1, or to less where
    no blob of some protein argues for its class.
    """
    ids = [record.id for record in records]
    entries = []
    for code, part in members.groupby("code"):
        ranked = part.sort_values("importance", ascending=False, kind="stable")
        blobs = [
            {"protein": ids[protein], "slot": int(slot)}
            for protein, slot in zip(ranked["protein"], ranked["slot"], strict=True)
        ]
        entries.append(
            {
                "code": int(str(code)),
                "blobs": len(part),
                "proteins": int(part["protein"].nunique()),
                "mean_importance": round(float(part["importance"].mean()), 6),
                "importance_share": round(float(part["importance"].sum()) / len(records), 6),
                "mean_size": round(float(part["size"].mean()), 3),
                "members": blobs,
            }
        )
    return sorted(entries, key=lambda entry: (-entry["blobs"], entry["code"]))
