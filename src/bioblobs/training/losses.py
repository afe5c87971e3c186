"""Losses and their weights by epoch. Algorithm, section 6.

With several processes every mean is that of their joint batch (:mod:`bioblobs.models.processes`).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from bioblobs.models.bioblobs import Prediction
from bioblobs.models.codebook import coverage_loss, soft_assignment, usage_entropy_loss
from bioblobs.models.processes import joint_mean


@dataclass(frozen=True)
class LossWeights:
    """Full weights of the terms beside the classification loss.

    Attributes:
        card: cardinality.
        vq: commitment, times ``beta``.
        psc: coverage (presence).
        ent: usage entropy.
        beta: the codebook's own weight of the commitment.
        psc_temp: temperature of the soft assignment behind psc and ent.
    """

    card: float = 0.0
    vq: float = 0.0
    psc: float = 0.0
    ent: float = 0.0
    beta: float = 0.25
    psc_temp: float = 0.1


def ramp(epoch: int, enabled: bool, ramp_epochs: int) -> float:
    """Share of the full VQ weights at an epoch: 1/R, 2/R, ... 1 over the first R epochs."""
    return min(1.0, (epoch + 1) / ramp_epochs) if enabled else 1.0


def temperature(epoch: int, init: float, lowest: float, decay: float) -> float:
    """tau = max(tau_min, tau_init * tau_decay ** epoch)."""
    return max(lowest, init * decay**epoch)


def classification_loss(
    logits: Tensor, labels: Tensor, label_smoothing: float, class_weights: Tensor | None = None
) -> Tensor:
    """Cross-entropy for class indices (B,), binary cross-entropy for 0/1 columns (B, C).

    Proteins of a class unseen in training (index -1, validation only) do not count. With ``class_weights``
    (C,) the mean over proteins is weighted by their class (cross-entropy only).
    """
    if labels.dim() == 2:
        mean = F.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))
        return joint_mean(mean, len(labels))
    weight = (labels >= 0).to(logits.dtype)
    if class_weights is not None:
        weight = weight * class_weights.index_select(0, labels.clamp_min(0))
    each = F.cross_entropy(logits, labels.clamp_min(0), reduction="none", label_smoothing=label_smoothing)
    total = weight.sum()
    return joint_mean((each * weight).sum() / total.clamp_min(torch.finfo(total.dtype).tiny), total)


def cardinality_loss(expected_size: Tensor, mask: Tensor, prior: float) -> Tensor:
    """Mean over real blobs of (E[size]/prior - 1)^2; expected_size and mask are (B, S)."""
    error = (expected_size / prior - 1).square() * mask
    count = mask.sum()
    return joint_mean(error.sum() / count.clamp_min(1), count)


def loss_terms(
    prediction: Prediction,
    labels: Tensor,
    weights: LossWeights,
    vq_share: float,
    size_prior: float,
    label_smoothing: float,
    class_weights: Tensor | None = None,
) -> dict[str, Tensor]:
    """Compute every term unweighted, and ``loss``, their weighted sum.

    L = L_cls + lambda_card L_card + ramp * (lambda_vq beta L_commit + lambda_psc L_psc + lambda_ent L_ent)
    """
    terms = {
        "cls": classification_loss(prediction.logits, labels, label_smoothing, class_weights),
        "card": cardinality_loss(prediction.blobs.expected_size, prediction.blobs.mask, size_prior),
    }
    total = terms["cls"] + weights.card * terms["card"]
    if prediction.quantised is not None:
        mask = prediction.blobs.mask
        assignment = soft_assignment(prediction.quantised.distances, weights.psc_temp)
        assignment = assignment.view(*mask.shape, -1)  # (B, S, K)
        terms["commit"] = prediction.quantised.commitment
        terms["psc"] = coverage_loss(assignment, mask)
        terms["ent"] = usage_entropy_loss(assignment, mask)
        total = total + vq_share * (
            weights.vq * weights.beta * terms["commit"]
            + weights.psc * terms["psc"]
            + weights.ent * terms["ent"]
        )
    return {**terms, "loss": total}
