"""Blobs -> class logits, and each blob's part in them.

Shapes: B proteins, S blob slots, D width, C classes. Algorithm, section 4.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn


class Reading(NamedTuple):
    """Logits of each protein, and what they are made of."""

    logits: Tensor  # (B, C)
    importance: Tensor  # (B, S), see each head
    evidence: Tensor | None = None  # (B, S, C), of the additive head
    contributions: Tensor | None = None  # (B, S, C), of the additive head


class AdditiveReadout(nn.Module):
    """Each blob gives every class an amount of evidence; the evidence adds up to the logits.

        e_b = MLP(LN(v_b)),   logits = e_0 + sum_b e_b.

    Without a blob the logits change by exactly its evidence, which is therefore its Shapley value. A blob's
    contribution to a class is that evidence (several classes per protein), or the evidence less its mean over
    the classes (one class: softmax ignores what all of them share). Its importance is its share of the
    positive contributions to the class of the highest logit: a blob that argues against has 0, and so have
    all where none argues for it. Source: Javed et al., "Additive MIL" (NeurIPS 2022); algorithm, section 4a.

    Args:
        centred: whether a protein has one class, so that contributions are less their mean.
    """

    def __init__(self, dim: int, num_classes: int, drop_rate: float = 0.1, centred: bool = True) -> None:
        super().__init__()
        self.centred = centred
        self.bias = nn.Parameter(torch.zeros(num_classes))
        self.evidence = nn.Sequential(
            nn.LayerNorm(dim),
            nn.Linear(dim, 2 * dim),
            nn.ReLU(),
            nn.Dropout(drop_rate),
            nn.Linear(2 * dim, num_classes),
        )

    def forward(self, pooled: Tensor | None, blobs: Tensor, mask: Tensor) -> Reading:
        """Read blobs (B, S, D), of which those in mask (B, S) are real; ``pooled`` is not looked at."""
        evidence = self.evidence(blobs).float() * mask[..., None]  # (B, S, C)
        logits = self.bias.float() + evidence.sum(1)
        predicted = logits.argmax(-1)[:, None, None].expand(-1, mask.shape[1], 1)
        contributions = self.contributions(evidence)
        argues = contributions.gather(2, predicted)[..., 0].clamp_min(0)  # (B, S)
        importance = argues / argues.sum(1, keepdim=True).clamp_min(torch.finfo(argues.dtype).tiny)
        return Reading(logits, importance, evidence, contributions)

    @torch.no_grad()
    def divide(self, temperature: float) -> None:
        """Divide all evidence, and so the logits, by a temperature."""
        for parameter in (self.bias, *self.evidence[-1].parameters()):
            parameter.div_(temperature)

    def contributions(self, evidence: Tensor) -> Tensor:
        """Contributions to each class, (..., C), from evidence (..., C)."""
        return evidence - evidence.mean(-1, keepdim=True) if self.centred else evidence


class AttentionReadout(nn.Module):
    """Multi-head attention of the pooled residues (query) over the blobs (keys, values).

        a = Attention(LN(g), LN(blobs)),   h = g + sigmoid(MLP [g, a]) * a,   logits = MLP(LN(h)).

    ``head="blobs"`` sets h = a: the prediction then sees blobs only, the pooled residues merely weigh
    them. A blob's importance is its attention weight, averaged over heads; it sums to 1 over the real blobs
    of a protein. Query and keys are normalised: a sum over residues has a norm that grows with the chain and
    would saturate the softmax.
    """

    def __init__(
        self,
        dim: int,
        num_classes: int,
        heads: int = 4,
        drop_rate: float = 0.1,
        head: Literal["full", "blobs"] = "full",
    ) -> None:
        super().__init__()
        self.head = head
        self.query_norm, self.blob_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        if head == "full":
            self.gate = nn.Sequential(nn.Linear(2 * dim, dim), nn.ReLU(), nn.Linear(dim, dim))
        self.classifier = nn.Sequential(
            nn.LayerNorm(dim),
            nn.Linear(dim, dim),
            nn.ReLU(),
            nn.Dropout(drop_rate),
            nn.Linear(dim, dim),
            nn.ReLU(),
            nn.Dropout(drop_rate),
            nn.Linear(dim, num_classes),
        )

    def forward(self, pooled: Tensor, blobs: Tensor, mask: Tensor) -> Reading:
        """Read a batch.

        Args:
            pooled: (B, D) pooled residue embeddings.
            blobs: (B, S, D) blob embeddings.
            mask: (B, S) True on real blobs; a protein without any is read out from its residues alone.
        """
        pooled = self.query_norm(pooled)
        blobs = self.blob_norm(blobs)
        some = mask.any(1, keepdim=True)  # (B, 1)
        attended, importance = self.attention(
            pooled.unsqueeze(1), blobs, blobs, key_padding_mask=~(mask | ~some), need_weights=True
        )
        attended = attended.squeeze(1) * some  # (B, D)
        importance = importance.squeeze(1) * some  # (B, S)
        hidden = attended
        if self.head == "full":
            gate = torch.sigmoid(self.gate(torch.cat([pooled, attended], -1)))
            hidden = pooled + gate * attended
        return Reading(self.classifier(hidden), importance)

    @torch.no_grad()
    def divide(self, temperature: float) -> None:
        """Divide the logits by a temperature."""
        for parameter in self.classifier[-1].parameters():
            parameter.div_(temperature)
