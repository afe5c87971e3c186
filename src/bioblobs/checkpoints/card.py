"""Card of an exported model: that of its checkpoint with scores, training data and licence."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from bioblobs import __version__
from bioblobs.splits import SPLITS
from bioblobs.store.packed import Store

LICENCES = {
    "sample": "Trained on structures of the Protein Data Bank (CC0), with labels that are CC0 (Pfam), "
    "CC BY 4.0, or free for all use under their providers' terms (GO, UniProt, SIFTS, CATH, EC, SCOP 2): "
    "name the providers when you pass the model on. data/sample/README.md of the repository lists them.",
    "proteinshake": "Trained on data sets of ProteinShake (structures of the Protein Data Bank or AlphaFold "
    "DB, labels of their providers): name them when you pass the model on.",
    "folder": "Trained on structures that its maker provided: their terms decide how it may be passed on.",
}
"""By ``data.source``."""


def own_title(data: Mapping[str, Any], classes: int, title: str | None = None) -> str | None:
    """Name of labels that are no task of ours: as the key data.task_title says, or a neutral one.

    Args:
        data: keys of the data.
        classes: number of them.
        title: value of data.task_title.
    """
    if title is None and data.get("source") == "folder":
        return f"your labels, {classes} classes"
    return title


def completed_card(
    card: Mapping[str, Any], store: Store, scores: Mapping[str, Any], title: str | None = None
) -> dict[str, Any]:
    """A training checkpoint's card with test scores, training data in numbers, versions and licence.

    Args:
        card: of the checkpoint.
        store: what it was trained on.
        scores: predictor -> scores with intervals of the test set; ``stage1`` is the model.
        title: value of data.task_title.
    """
    named = own_title(store.meta["parameters"], len(store.classes), title)
    return {
        **card,
        **({} if named is None else {"task_title": named}),
        "test": dict(scores["stage1"]),
        **_calibration(scores),
        "baselines": {name: dict(own) for name, own in scores.items() if not name.startswith("stage")},
        "test_proteins": len(store.rows("test")),
        "training": training_data(store),
        "versions": {
            "bioblobs": __version__,
            "torch": str(torch.__version__),
            "python": platform.python_version(),
        },
        "license": LICENCES[store.meta["parameters"]["source"]],
    }


def _calibration(scores: Mapping[str, Any]) -> dict[str, Any]:
    """``calibration``: temperature, and the calibration error on the test set before and after it."""
    if (scaled := scores.get("stage1_scaled")) is None:
        return {}
    errors = {"ece": scores["stage1"]["ece"]["value"], "ece_scaled": scaled["ece"]["value"]}
    return {"calibration": {"temperature": scaled["temperature"]["value"], **errors}}


def training_data(store: Store) -> dict[str, Any]:
    """Chains of each split, and lengths and classes of the training chains, as plain values."""
    rows = store.rows("train")
    lengths, labels = store.lengths[rows], np.asarray(store.labels[rows])
    per_class = labels.sum(0) if store.multilabel else np.bincount(labels, minlength=len(store.classes))
    return {
        "chains": {split: len(store.rows(split)) for split in SPLITS},
        "length": {
            "shortest": int(lengths.min()),
            "median": float(np.median(lengths)),
            "longest": int(lengths.max()),
        },
        "chains_per_class": dict(zip(store.classes, per_class.tolist(), strict=True)),
    }
