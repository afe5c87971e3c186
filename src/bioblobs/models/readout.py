"""Residues and blobs -> class logits, with each blob's importance.

Shapes: B proteins, S blob slots, D width, C classes. Algorithm, section 4.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Head = Literal["full", "blobs"]


class Readout(nn.Module):
    """Multi-head attention of the pooled residues (query) over the blobs (keys, values).

        a = Attention(LN(g), LN(blobs)),   h = g + sigmoid(MLP [g, a]) * a,   logits = MLP(LN(h)).

    ``head="blobs"`` sets h = a: the prediction then sees blobs only, the pooled residues merely weigh
    them. A blob's importance is its attention weight, averaged over heads. Query and keys are
    normalised: a sum over residues has a norm that grows with the chain and would saturate the softmax.
    """

    def __init__(
        self, dim: int, num_classes: int, heads: int = 4, drop_rate: float = 0.1, head: Head = "full"
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

    def forward(self, pooled: Tensor, blobs: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, C) and importance (B, S), which sums to 1 over the real blobs of a protein.

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
        return self.classifier(hidden), importance
