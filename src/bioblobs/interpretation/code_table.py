"""The codes as a table for people: one row per code, those that predictions rest on most at the top."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


def code_table(codes: list[Any], significance: float) -> pd.DataFrame:
    """One row per code (schema: ``codes``), by importance share, then by number of blobs.

    Columns ``e_<class>`` are the code's row of the scorecard; they are absent where there is no scorecard.
    """
    rows = [_row(entry, significance) for entry in codes]
    ranked = sorted(rows, key=lambda row: (-row["importance_share"], -row["blobs"], row["code"]))
    return pd.DataFrame(ranked, columns=list(ranked[0]) if ranked else ["code"])


def _row(entry: dict[str, Any], significance: float) -> dict[str, Any]:
    around, whole = entry["superposition"]["windows"] or {}, entry["superposition"]["blobs"] or {}
    other, same = around.get("other_codes") or {}, around.get("same_structure") or {}
    shape = entry["secondary_structure"]
    return {
        **{
            name: entry[name] for name in ("code", "blobs", "proteins", "importance_share", "mean_importance")
        },
        "argues_for": entry["argues_for"],
        "mean_size": entry["mean_size"],
        **{name: shape.get(name, 0.0) for name in ("helix", "strand", "coil")},
        "more_than_background": _features(entry, significance, 1),
        "less_than_background": _features(entry, significance, -1),
        "motif_bits": round(float(np.sum(entry["motif"]["information"])), 3),
        "classes": "; ".join(_class(found) for found in entry["enriched_classes"]),
        "window_rmsd_to_medoid": around.get("median_rmsd"),
        "window_rmsd": around.get("mean_rmsd"),
        "window_rmsd_other_codes": other.get("mean_rmsd"),
        "window_p_other_codes": other.get("p_adjusted"),
        "window_rmsd_same_structure": same.get("mean_rmsd"),
        "window_p_same_structure": same.get("p_adjusted"),
        "blob_tm_score": whole.get("median_tm_score"),
        "blob_tm_score_other_codes": (whole.get("other_codes") or {}).get("median_tm_score"),
        "logo": entry["logo"],
        **{f"e_{name}": value for name, value in (entry["evidence"] or {}).items()},
    }


def _features(entry: dict[str, Any], significance: float, sign: int) -> str:
    """Features that differ from the background, the largest difference first: ``V 12.1x, A 1.4x``."""
    found = [
        row
        for row in entry["against_background"]
        if row["p_adjusted"] < significance and row["log2_ratio"] * sign > 0
    ]
    found.sort(key=lambda row: -abs(row["log2_ratio"]))
    return ", ".join(f"{row['value']} {2 ** row['log2_ratio']:.2g}x" for row in found)


def _class(found: dict[str, Any]) -> str:
    """``All beta proteins (OR 3.1, 1.2-inf)``."""
    low, high, ratio = (
        "inf" if found[name] is None else f"{found[name]:.3g}"
        for name in ("odds_ratio_low", "odds_ratio_high", "odds_ratio")
    )
    return f"{found['name']} (OR {ratio}, {low}-{high})"
