"""Is importance faithful? Remove the most important blob, and see the prediction fall."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import bootstrap, wilcoxon
from tqdm import tqdm

from bioblobs.datasets.batching import Rows, make_batch, plan_batches
from bioblobs.datasets.store import Store
from bioblobs.evaluation.predict import BATCH_SIZE, MAX_RESIDUES, probabilities
from bioblobs.graphs.neighbours import PADDING, mutual_edges, neighbour_lists
from bioblobs.graphs.residue_graph import ProteinBatch
from bioblobs.models.bioblobs import BioBlobs


def deletion_test(
    model: BioBlobs, store: Store, rows: Rows, records: list[Any], repeats: int, seed: int
) -> tuple[dict[str, Any], NDArray[np.float64]]:
    """Fall of the predicted class's probability without the top blob, against random residues.

    The class is the most probable one before anything is removed. Random residues: as many, drawn
    without repeats, ``repeats`` times a protein. Proteins of which the top blob is everything are left out.

    Returns:
        Summary (schema: ``dataset.faithfulness``) and (P, 2) falls: top blob, mean of the random draws.
    """
    rng = np.random.default_rng(seed)
    top = [max(record["blobs"], key=lambda blob: blob["importance"])["residues"] for record in records]
    usable = [i for i, record in enumerate(records) if len(top[i]) < record["length"]]
    chosen = rows[usable]
    before = np.array([list(records[i]["probabilities"].values()) for i in usable])
    target = before.argmax(1) if usable else np.zeros(0, np.int64)

    def fall(removed: list[Any], title: str) -> NDArray[np.float64]:
        if not usable:
            return np.zeros(0)
        after = _chances_without(model, store, chosen, removed, title)
        places = np.arange(len(chosen))
        return before[places, target] - after[places, target]

    of_blob = fall([top[i] for i in usable], "without the top blob")
    of_random = np.mean(
        [
            fall(
                [rng.choice(records[i]["length"], len(top[i]), replace=False) for i in usable],
                f"without random residues {repeat + 1}/{repeats}",
            )
            for repeat in range(repeats)
        ],
        axis=0,
    )
    difference = of_blob - of_random
    test = wilcoxon(difference, alternative="greater") if np.any(difference) else None
    summary = {
        "proteins": len(usable),
        "fall_top_blob": _mean_interval(of_blob, seed),
        "fall_random_residues": _mean_interval(of_random, seed),
        "difference": _mean_interval(difference, seed),
        "share_top_blob_falls_more": round(float((difference > 0).sum() / max(len(usable), 1)), 6),
        "wilcoxon_p": float(f"{test.pvalue:.4g}") if test is not None else 1.0,
    }
    return summary, np.column_stack([of_blob, of_random])


@torch.inference_mode()
def _chances_without(
    model: BioBlobs, store: Store, rows: Rows, removed: list[Any], title: str
) -> NDArray[np.float64]:
    """(P, C) class probabilities of ``rows`` with residues (indices a protein) taken out of the structure."""
    parts = []
    plan = plan_batches(np.arange(len(rows)), store.lengths[rows], BATCH_SIZE, MAX_RESIDUES, None)
    for places in tqdm(plan, title, unit="batch", mininterval=1):
        batch = without_residues(store, rows[places], [removed[place] for place in places])
        parts.append(probabilities(model(batch).logits, store.multilabel))
    return np.concatenate(parts)


def without_residues(store: Store, rows: Rows, removed: list[Any]) -> ProteinBatch:
    """A batch of proteins less some residues: neighbours found anew, places in the chain kept."""
    edge_types = store.meta["parameters"]["edge_types"]
    kept, lists = [], []
    for row, gone in zip(rows, removed, strict=True):
        stays = np.delete(np.arange(store.offsets[row + 1] - store.offsets[row]), gone)
        kept.append(stays)
        lists.append(neighbour_lists(store.coordinates[store.offsets[row] + stays, 1], edge_types))
    width = max(1, *(part.shape[1] for part in lists))
    padded = [np.pad(part, ((0, 0), (0, width - part.shape[1])), constant_values=PADDING) for part in lists]
    at = np.concatenate([stays + store.offsets[row] for row, stays in zip(rows, kept, strict=True)])
    return make_batch(
        coordinates=store.coordinates[at],
        residue_types=store.residue_types[at],
        positions=np.concatenate(kept),
        neighbours=np.concatenate(padded),
        mutual=np.concatenate([mutual_edges(part) for part in padded]),
        lengths=np.array([len(stays) for stays in kept]),
        labels=torch.from_numpy(np.asarray(store.labels[rows])),
        proteins=torch.from_numpy(np.asarray(rows)),
    )


def _mean_interval(values: NDArray[np.float64], seed: int) -> dict[str, float | None]:
    """Mean with a percentile bootstrap 95 % interval over proteins; None where there are too few."""
    if len(values) < 2:
        return {"value": round(float(values[0]), 6) if len(values) else None, "low": None, "high": None}
    result = bootstrap((values,), np.mean, method="percentile", rng=np.random.default_rng(seed))
    low, high = result.confidence_interval
    return {
        "value": round(float(values.mean()), 6),
        "low": round(float(low), 6),
        "high": round(float(high), 6),
    }
