"""Training range of a model, and notes on chains outside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bioblobs.inference.chain import Chain

SHORT = 30
"""Residues below which a chain is short, whatever a model was trained on: hardly a fold."""
MOST = 0.8
"""Share of a chain's residues in blobs below which a note says so; few chains of the sample have less."""


@dataclass(frozen=True)
class Limits:
    """Residues of the shortest and the longest training chain; None: the card does not say."""

    shortest: int | None
    longest: int | None

    @staticmethod
    def of_card(card: Mapping[str, Any]) -> Limits:
        """Read limits from a card; those of intermediate checkpoints have ``data.max_length`` only."""
        lengths = card.get("training", {}).get("length", {})
        return Limits(lengths.get("shortest"), lengths.get("longest") or card["data"].get("max_length"))

    def in_words(self) -> str:
        """The training range, as in ``30 to 512 residues``; empty where it is not known."""
        if self.longest is None:
            return ""
        return (
            f"up to {self.longest} residues"
            if self.shortest is None
            else f"{self.shortest} to {self.longest} residues"
        )

    def notes(self, length: int) -> list[str]:
        """Reasons the chain lies outside the training range; empty if none."""
        if self.longest is not None and length > self.longest:
            return [f"longer than the chains that the model was trained on (up to {self.longest} residues)"]
        if self.shortest is not None and length < self.shortest:
            return [f"shorter than the chains that the model was trained on (from {self.shortest} residues)"]
        return [f"very short (under {SHORT} residues)"] if length < SHORT else []


def in_blobs(chain: Chain) -> float:
    """Share of a chain's residues that are in a blob."""
    return sum(blob.size for blob in chain.blobs) / chain.length


def unread_note(chain: Chain) -> list[str]:
    """That many residues are in no blob, and so give no evidence (additive head); empty if few are."""
    share = in_blobs(chain)
    return [f"{1 - share:.0%} of its residues are in no blob and decide nothing"] if share < MOST else []
