"""Results of the stage ``interpret``: the report's content, files, plots and printed lines."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from bioblobs import __version__
from bioblobs.inference.chain import Chain
from bioblobs.interpretation.code_table import code_table
from bioblobs.interpretation.codes import CodeReport
from bioblobs.interpretation.logo import LOGOS
from bioblobs.interpretation.membership import blob_table
from bioblobs.interpretation.report_file import SCHEMA_VERSION
from bioblobs.io import write_json, write_table, write_text
from bioblobs.models.bioblobs import BioBlobs
from bioblobs.store.packed import Store

MODEL = "model.json"
"""Facts of the model for later stages, beside the report."""


def report_of(
    store: Store,
    records: Sequence[Chain],
    summary: Mapping[str, Any],
    explanation: Mapping[str, Any],
    seed: int,
    title: str | None = None,
) -> dict[str, Any]:
    """Make the content of test_interpretability.json (``interpretation/schema.json``).

    Args:
        title: what the labels are called where they are no task of ours.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "bioblobs_version": __version__,
        "split": "test",
        "seed": seed,
        "task": {
            "name": store.meta["task"],
            **({} if title is None else {"title": title}),
            "multilabel": store.multilabel,
            "classes": dict(zip(store.classes, store.class_names, strict=True)),
        },
        "explanation": explanation,
        "dataset": summary,
        "proteins": [record.to_json() for record in records],
    }


def headline(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Pick the numbers that are metrics."""
    return {name: summary[name] for name in ("importance", "blobs", "codebook", "code_tests")}


def write_model(folder: Path, model: BioBlobs, card: Mapping[str, Any]) -> None:
    """Write the model's keys, recipe and data, and its codebook in two dimensions, for later stages."""
    codebook = model.codebook
    about = {
        **{name: card.get(name) for name in ("architecture", "recipe", "data")},
        "map": None if codebook is None else codebook_map(codebook.vectors.cpu().numpy(), codebook.distance),
    }
    write_json(folder / MODEL, about)


def codebook_map(vectors: NDArray[np.float32], distance: str) -> dict[str, Any]:
    """Principal components of the codes' vectors.

    PCA, since it is linear and has nothing to tune: what is near on the map may be far in the codebook, never
    the reverse, and the share of variance says how much is lost.

    Args:
        vectors: (K, D).
        distance: "l2" or "cos", as the codebook compares them.

    Returns:
        ``points``, (K, 2) scaled to the unit square's longer side, and ``explained``, the share of each axis.
    """
    codes = vectors.astype(np.float64)
    if distance == "cos":
        codes = codes / np.maximum(np.linalg.norm(codes, axis=1, keepdims=True), 1e-12)
    if min(codes.shape) < 2 or not np.ptp(codes, axis=0).any():
        return {"points": [[0.0, 0.0]] * len(codes), "explained": [0.0, 0.0]}
    fitted = PCA(2, svd_solver="full").fit(codes)
    points = fitted.transform(codes)
    points /= max(float(np.abs(points).max()), 1e-12)
    explained = np.round(fitted.explained_variance_ratio_, 4)
    return {"points": np.round(points, 4).tolist(), "explained": explained.tolist()}


def write_codes(folder: Path, codes: CodeReport, significance: float) -> None:
    """Write the code table and the logos; those of an earlier run go."""
    shutil.rmtree(folder / LOGOS, ignore_errors=True)
    for name, picture in codes.logos.items():
        write_text(folder / name, picture)
    write_table(folder / "codes.csv", code_table(codes.summary["codes"], significance))


def plots(records: Sequence[Chain], summary: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """Make the plots' tables: use of the codes, importance by rank, sizes of the blobs."""
    blobs = blob_table(records)
    usage = [
        {"rank": rank, "code": code["code"], "blobs": code["blobs"]}
        for rank, code in enumerate(summary["codes"], start=1)
    ]
    rank = blobs.groupby("protein")["importance"].rank(ascending=False, method="first").astype(int)
    sizes = blobs["size"].value_counts().sort_index()
    return {
        "codebook_usage": pd.DataFrame(usage, columns=["rank", "code", "blobs"]),
        "blob_importance": blobs["importance"].groupby(rank).mean().rename_axis("rank").reset_index(),
        "blob_sizes": sizes.rename_axis("size").rename("blobs").reset_index(),
    }


def lines(summary: Mapping[str, Any]) -> list[str]:
    """Describe blobs and codes in a few lines."""
    blobs, codebook, importance = summary["blobs"], summary["codebook"], summary["importance"]
    said = [f"blobs: {blobs['per_protein']:.1f} per protein, {blobs['mean_size']:.1f} residues"]
    if importance["share_against"] is not None:
        said.append(f"blobs that argue against the predicted class: {importance['share_against']:.0%}")
    if blobs["saturated"]:
        said.append(f"warning: {blobs['share_at_cap']:.0%} of blobs are at model.cluster_size_max")
    said.append(f"codebook: {codebook['codes_used']} of {codebook['codes']} codes used")
    said.append(f"perplexity of their use: {codebook['perplexity']:.1f}")
    tests = {name: test for name, test in summary["code_tests"].items() if name != "significance"}
    return said + [
        f"{name.replace('_', ' ')}: {test['significant']} of {test['tested']}" for name, test in tests.items()
    ]
