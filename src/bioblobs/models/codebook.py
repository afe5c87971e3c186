"""Vector-quantised codebook with EMA updates.

Shapes: M blobs (flat, masked), K codes, D width. Algorithm, section 5. Sources: van den Oord et al.,
"Neural Discrete Representation Learning" (2017), appendix A.1 for the EMA update; Razavi et al.,
VQ-VAE-2 (2019) for its smoothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn import functional as F

from bioblobs.models.processes import joint_mean, sum_over_processes

Distance = Literal["l2", "cos"]


@dataclass
class Quantised:
    """Result of a lookup.

    Attributes:
        codes: (M,) nearest code of each blob; meaningless where masked.
        vectors: (M, D) the codes' vectors, with a straight-through gradient to the blobs.
        commitment: mean over real blobs of the mean squared distance to their (constant) code.
        distances: (M, K) distance of each blob to each code: squared l2 / D, or 1 - cosine.
    """

    codes: Tensor
    vectors: Tensor
    commitment: Tensor
    distances: Tensor


class Codebook(nn.Module):
    """Replace each blob by the nearest of K codes, which follow the moving average of their blobs.

        n_k <- decay n_k + (1 - decay) #{z: code(z) = k},   m_k <- decay m_k + (1 - decay) sum z,
        e_k = m_k / ((n_k + eps) / (sum n + K eps) * sum n).

    A code whose share of the running usage falls below ``revive_below`` of the even share 1/K restarts
    at a blob of the current batch, its statistics with it. ``frozen`` stops both. Under
    torch.distributed the batch statistics and the commitment are those of the joint batch, and revived
    codes come from rank 0.

    Args:
        size: K.
        dim: D.
        distance: "l2", or "cos" (codes and blobs are compared, and codes kept, on the unit sphere).
    """

    def __init__(
        self,
        size: int,
        dim: int,
        distance: Distance = "l2",
        decay: float = 0.99,
        eps: float = 1e-5,
        revive_below: float = 0.05,
    ) -> None:
        super().__init__()
        self.size, self.distance = size, distance
        self.decay, self.eps, self.revive_below = decay, eps, revive_below
        self.frozen = False
        self.vectors: Tensor
        self.counts: Tensor
        self.sums: Tensor
        start = self._unit(torch.randn(size, dim))
        self.register_buffer("vectors", start)
        self.register_buffer("counts", torch.ones(size))
        self.register_buffer("sums", start.clone())

    @torch.no_grad()
    def fill(self, vectors: Tensor, counts: Tensor) -> None:
        """Set codes (K, D) and the EMA counts (K,) that go with them; sums follow, as centre x count."""
        self.vectors.copy_(self._unit(vectors))
        self.counts.copy_(counts)
        self.sums.copy_(self.vectors * counts[:, None])

    def forward(self, z: Tensor, mask: Tensor) -> Quantised:
        """Quantise blobs z (M, D), of which only those in mask (M,) count; in training, update codes.

        Raises:
            ValueError: shapes do not fit, or codes are to follow a batch without a real blob.
        """
        if z.shape[1:] != self.vectors.shape[1:] or mask.shape != z.shape[:1]:
            wanted = f"blobs (M, {self.vectors.shape[1]}) and a mask (M,)"
            raise ValueError(f"codebook: expected {wanted}; got {tuple(z.shape)} and {tuple(mask.shape)}")
        learns = self.training and not self.frozen
        if learns and not mask.any():
            raise ValueError("codebook: expected a real blob in a training batch; its mask has none")
        z = z.float()
        before = self.vectors.clone()  # the backward pass needs the codes as they were
        distances = self._distances(z, before)
        codes = distances.argmin(-1)
        picked = before[codes]  # (M, D)
        weight = mask.to(z.dtype)
        target = self._unit(z)
        error = (target - picked).square().mean(-1)
        count = weight.sum()
        commitment = joint_mean((error * weight).sum() / count.clamp_min(1), count)
        vectors = picked + (target - target.detach())  # exactly the code's, with the gradient of the blob
        if learns:
            self._update(target.detach(), codes, weight)
        return Quantised(codes, vectors, commitment, distances)

    def _unit(self, vectors: Tensor) -> Tensor:
        return F.normalize(vectors, dim=-1) if self.distance == "cos" else vectors

    def _distances(self, z: Tensor, vectors: Tensor) -> Tensor:
        if self.distance == "cos":
            return 1 - self._unit(z) @ vectors.T
        squares = z.square().sum(-1, keepdim=True) + vectors.square().sum(-1)
        return (squares - 2 * z @ vectors.T).clamp_min(0) / z.shape[-1]

    @torch.no_grad()
    def _update(self, z: Tensor, codes: Tensor, weight: Tensor) -> None:
        count = sum_over_processes(torch.zeros_like(self.counts).index_add_(0, codes, weight))
        total = torch.zeros_like(self.sums).index_add_(0, codes, z * weight[:, None])
        total = sum_over_processes(total)
        self.counts.lerp_(count, 1 - self.decay)
        self.sums.lerp_(total, 1 - self.decay)
        mass = self.counts.sum()
        smoothed = (self.counts + self.eps) / (mass + self.size * self.eps) * mass
        self.vectors.copy_(self._unit(self.sums / smoothed[:, None]))
        self._revive(z, weight)

    def _revive(self, z: Tensor, weight: Tensor) -> None:
        """Restart codes out of use at random blobs of the batch, with the even share of the usage."""
        share = self.counts.mean()
        dead = (self.counts < self.revive_below * share)[:, None]  # (K, 1)
        chosen = z[torch.multinomial(weight, self.size, replacement=True)]
        if dist.is_initialized():
            dist.broadcast(chosen, src=0)
        self.vectors.copy_(torch.where(dead, chosen, self.vectors))
        self.counts.copy_(torch.where(dead[:, 0], share, self.counts))
        self.sums.copy_(torch.where(dead, chosen * share, self.sums))


def soft_assignment(distances: Tensor, temperature: float) -> Tensor:
    """P (..., K): softmax of -distance / temperature (``psc_temp``)."""
    return torch.softmax(-distances / temperature, -1)


def presence(assignment: Tensor, mask: Tensor) -> Tensor:
    """Probability that a protein holds each code, 1 - prod_s (1 - P_sk), by logs: (B, S, K) -> (B, K)."""
    absent = torch.log1p(-assignment.clamp_max(1 - 1e-6)) * mask[..., None]
    return -torch.expm1(absent.sum(1))


def coverage_loss(assignment: Tensor, mask: Tensor) -> Tensor:
    """1 - (expected number of different codes in a protein) / (number of its blobs), mean over proteins.

    Zero where every blob of a protein surely has a code of its own; it rises as blobs share codes, or
    as P spreads thinly over many codes (P (B, S, K), mask (B, S)).
    """
    blobs = mask.sum(1).clamp_min(1)
    return joint_mean((1 - presence(assignment, mask).sum(-1) / blobs).mean(), len(mask))


def usage_entropy_loss(assignment: Tensor, mask: Tensor) -> Tensor:
    """1 - H(mean P) / log K: zero where the batch uses all codes evenly, one where it uses a single one."""
    weight = mask[..., None].to(assignment.dtype)
    count = weight.sum()
    mean = joint_mean((assignment * weight).sum((0, 1)) / count.clamp_min(1), count)  # (K,)
    entropy = -(mean * mean.clamp_min(1e-12).log()).sum()
    return 1 - entropy / math.log(max(assignment.shape[-1], 2))


def perplexity(counts: Tensor) -> Tensor:
    """exp of the entropy of the usage counts (K,): the effective number of codes in use."""
    share = counts / counts.sum().clamp_min(1)
    return torch.exp(-(share * share.clamp_min(1e-12).log()).sum())
