"""Fill a codebook with k-means centres of blob embeddings."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from torch.nn import functional as F

from bioblobs.models.bioblobs import Prediction
from bioblobs.models.codebook import Codebook, perplexity

RESTARTS = 3
"""k-means++ starts, of which the one of lowest inertia is kept."""


def blob_embeddings(prediction: Prediction) -> NDArray[np.float32]:
    """(M, D) embeddings of the real blobs of a batch."""
    return prediction.blobs.embedding[prediction.blobs.mask].numpy()


def fill(
    codebook: Codebook, blobs: NDArray[np.float32], by_kmeans: bool, batches: int, seed: int
) -> dict[str, Any]:
    """Fill a codebook from the embeddings (M, D) of so many batches; return how well it fits them.

    Args:
        by_kmeans: off: codes are blobs drawn at random.
    """
    if codebook.distance == "cos":
        blobs = F.normalize(torch.from_numpy(blobs), dim=-1).numpy()
    size = codebook.size
    codebook.fill(torch.from_numpy(random_codes(blobs, size, seed)), torch.ones(size))
    report: dict[str, Any] = {"before": usage(codebook, blobs)}
    if by_kmeans:
        centres, counts, inertia = kmeans_codes(blobs, size, seed)
        # EMA counts are blobs per batch: what the moving average would have settled at.
        codebook.fill(torch.from_numpy(centres), torch.from_numpy(counts / batches).float())
        report |= {"inertia": round(inertia, 4), "after": usage(codebook, blobs)}
    return report


def kmeans_codes(
    blobs: NDArray[np.float32], size: int, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.int64], float]:
    """Centres (K, D), blobs per centre (K,), and inertia (sum of squared distances).

    Where there are fewer different blobs than codes, the codes that are left over repeat random blobs
    with a count of zero; training revives them.
    """
    clusters = min(size, len(np.unique(blobs, axis=0)))
    fitted = KMeans(clusters, n_init=RESTARTS, random_state=seed).fit(blobs)
    centres = np.empty((size, blobs.shape[1]), np.float32)
    centres[:clusters] = fitted.cluster_centers_
    spare = np.random.default_rng(seed).integers(len(blobs), size=size - clusters)
    centres[clusters:] = blobs[spare]
    counts = np.bincount(fitted.labels_, minlength=size)
    return centres, counts, float(fitted.inertia_)


def random_codes(blobs: NDArray[np.float32], size: int, seed: int) -> NDArray[np.float32]:
    """(K, D) codes drawn from the blobs, without repeats where there are enough."""
    rng = np.random.default_rng(seed)
    return blobs[rng.choice(len(blobs), size, replace=len(blobs) < size)]


@torch.no_grad()
def usage(codebook: Codebook, blobs: NDArray[np.float32]) -> dict[str, Any]:
    """Codes in use, perplexity, and mean squared quantisation error per channel, over blobs (M, D)."""
    codebook.eval()
    z = torch.from_numpy(blobs)
    found = codebook(z, torch.ones(len(z), dtype=torch.bool))
    counts = torch.bincount(found.codes, minlength=codebook.size).float()
    return {
        "codes_used": int((counts > 0).sum()),
        "perplexity": round(float(perplexity(counts)), 4),
        "quantisation_error": round(float(found.commitment), 6),
    }
