"""Blobs, importance and codes over a whole data set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import entropy

from bioblobs.inference.chain import Chain
from bioblobs.interpretation.membership import blob_table
from bioblobs.models.bioblobs import BioBlobs

SATURATED = 0.5
"""Share of blobs at the size cap from which the sizes count as saturated."""


def dataset_summary(records: Sequence[Chain], model: BioBlobs) -> dict[str, Any]:
    """Importance concentration, blob sizes and coverage, code usage (schema: ``dataset``)."""
    blobs = blob_table(records)
    cap = model.partitioner.cluster_size_max
    per_protein = blobs.groupby("protein")["importance"]
    effective = per_protein.apply(_effective)
    contributions = blobs["contribution"].dropna()
    lengths = np.array([record.length for record in records])
    covered = blobs.groupby("protein")["size"].sum().reindex(range(len(records)), fill_value=0)
    sizes = blobs["size"]
    at_cap = float((sizes == cap).mean())
    counts = blobs["code"].value_counts()
    codes = model.codebook.size if model.codebook is not None else 0
    return {
        "proteins": len(records),
        "importance": {
            "mean_of_top_blob": _round(per_protein.max().mean()),
            "effective_blobs": _round(effective.mean()),
            "unsupported": int((per_protein.max() == 0).sum()),
            "share_against": _round((contributions < 0).mean()) if len(contributions) else None,
        },
        "blobs": {
            "total": len(blobs),
            "per_protein": _round(len(blobs) / len(records)),
            "mean_size": _round(sizes.mean()),
            "median_size": _round(sizes.median()),
            "share_at_cap": _round(at_cap),
            "saturated": at_cap >= SATURATED,
            "mean_coverage": _round((covered.to_numpy() / lengths).mean()),
        },
        "codebook": {
            "codes": codes,
            "codes_used": int(counts.size),
            "share_used": _round(counts.size / max(codes, 1)),
            "perplexity": _round(np.exp(entropy(counts))),
        },
    }


def _effective(importance: pd.Series[float]) -> float:
    """exp of the entropy of a protein's importance; 0 where no blob has any."""
    return float(np.exp(entropy(importance))) if importance.any() else 0.0


def _round(value: float) -> float:
    return round(float(value), 6)
