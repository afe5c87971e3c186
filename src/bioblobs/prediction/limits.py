"""What a model was trained on, and what to say of a chain that is not like it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SHORT = 30
"""Residues below which a chain is short, whatever a model was trained on: hardly a fold."""


@dataclass(frozen=True)
class Limits:
    """Residues of the shortest and the longest training chain; None: the card does not say."""

    shortest: int | None
    longest: int | None

    @staticmethod
    def of_card(card: Mapping[str, Any]) -> Limits:
        """As a card has them; those of intermediate checkpoints know ``data.max_length`` only."""
        lengths = card.get("training", {}).get("length", {})
        return Limits(lengths.get("shortest"), lengths.get("longest") or card["data"].get("max_length"))

    def notes(self, length: int) -> list[str]:
        """How a chain of ``length`` residues is outside of training; empty: it is not."""
        if self.longest is not None and length > self.longest:
            return [f"longer than the chains that the model was trained on (up to {self.longest} residues)"]
        if self.shortest is not None and length < self.shortest:
            return [f"shorter than the chains that the model was trained on (from {self.shortest} residues)"]
        return [f"very short (under {SHORT} residues)"] if length < SHORT else []
