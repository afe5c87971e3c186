"""Contributions inside the model: each blob hidden from the readout in turn, everything else as it was.

Removing residues from the structure also asks whether the others could do without them; this does not.
P chains, S blob slots.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bioblobs.faithfulness.chains import Chains
from bioblobs.faithfulness.statistics import spearman
from bioblobs.inference.device import device_of
from bioblobs.inference.explained import Explained, Floats
from bioblobs.inference.predict import probabilities
from bioblobs.models.bioblobs import BioBlobs
from bioblobs.models.partitioner import Blobs


@torch.inference_mode()
def falls_without(model: BioBlobs, chains: Chains, explained: Explained) -> Floats:
    """(P, S) fall of the predicted class's probability without a blob; NaN on slots without one."""
    model.eval()
    device = device_of(model)
    parts, done = [], 0
    for batch in chains.batches():
        target = explained.target[done : done + batch.num_proteins]
        done += batch.num_proteins
        parts.append(_falls(model, *model.partition(batch.to(device)), target, chains.store.multilabel))
    return np.concatenate(parts)


def _falls(
    model: BioBlobs, pooled: Tensor, blobs: Blobs, target: NDArray[np.int64], multilabel: bool
) -> Floats:
    """(b, S) of one batch whose blobs are cut."""

    def chance(mask: Tensor) -> Floats:
        logits = model.read(pooled, replace(blobs, mask=mask)).logits
        return np.take_along_axis(probabilities(logits, multilabel), target[:, None], 1)[:, 0]

    slots = torch.arange(blobs.mask.shape[1], device=blobs.mask.device)
    whole = chance(blobs.mask)
    falls = np.column_stack([whole - chance(blobs.mask & (slots != slot)) for slot in slots])
    return np.where(blobs.mask.cpu().numpy(), falls, np.nan)


@dataclass
class Masking:
    """Results of hiding blobs, per chain; NaN where a chain has too few blobs.

    Attributes:
        correlation: (P,) Spearman of contribution (attention: importance) and fall over the blobs of a chain.
        top: (P,) fall without the top blob, the one that contributes most.
        others: (P,) mean fall without one of the others: what a blob chosen at random would cost.
        costliest: (P,) 1 where the top blob is the one that costs most, else 0.
        chance: (P,) what ``costliest`` would be by chance: one by the number of blobs.
    """

    correlation: Floats
    top: Floats
    others: Floats
    costliest: Floats
    chance: Floats


def masking(falls: Floats, explained: Explained) -> Masking:
    """Compare falls (P, S) with contributions."""
    mask, chains = explained.mask, np.arange(len(falls))
    count = mask.sum(1)
    top = explained.top
    of_top = falls[chains, top]
    known = np.where(mask, falls, 0.0)
    several = count > 1
    rest = (known.sum(1) - known[chains, top]) / np.maximum(count - 1, 1)
    costliest = np.where(mask, falls, -np.inf).argmax(1) == top
    protein, _ = np.nonzero(mask)
    return Masking(
        correlation=spearman(explained.contribution[mask], falls[mask], protein, len(falls)),
        top=np.where(several, of_top, np.nan),
        others=np.where(several, rest, np.nan),
        costliest=np.where(several, costliest.astype(float), np.nan),
        chance=np.where(several, 1 / np.maximum(count, 1), np.nan),
    )


def by_rank(falls: Floats, explained: Explained) -> Floats:
    """(S,) mean fall without the blob of each rank of contribution; NaN where no chain has so many."""
    value = np.where(explained.mask, explained.contribution, -np.inf)
    order = np.argsort(-value, axis=1, kind="stable")
    ranked = np.take_along_axis(falls, order, 1)
    known = np.isfinite(ranked)
    total = np.where(known, ranked, 0.0).sum(0)
    return np.divide(total, known.sum(0), out=np.full(falls.shape[1], np.nan), where=known.any(0))
