"""A store whose labels mean nothing."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from bioblobs.io import write_json
from bioblobs.store.array_file import write_array
from bioblobs.store.packed import META, Store, seal


def copy_with_permuted_labels(store: Store, target: Path, seed: int) -> None:
    """Copy a store with labels exchanged at random.

    They are exchanged among the training proteins and among the validation proteins, so that neither the
    training nor the choice of the best epoch sees a true one. Arrays are linked, not copied.
    """
    target.mkdir(parents=True)
    for path in store.path.iterdir():
        if path.is_file() and path.name not in (META, "labels.npy"):
            os.symlink(path.resolve(), target / path.name)
    labels = np.array(store.labels)
    rng = np.random.default_rng(seed)
    for split in ("train", "val"):
        rows = store.rows(split)
        labels[rows] = labels[rng.permutation(rows)]
    arrays = {**store.meta["arrays"], "labels": write_array(target / "labels.npy", labels)}
    meta = {**store.meta, "arrays": arrays}
    write_json(target / META, {**meta, "content_sha256": seal(meta)})
