"""What a model was trained on, and what to say of a chain that is not like it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SHORTEST = 30
"""Residues below which a chain counts as short where a card does not say what training held."""


@dataclass(frozen=True)
class Limits:
    """Lengths of training chains.

    Attributes:
        shortest: residues of the shortest one.
        longest: residues of the longest one, or ``data.max_length``; None: not known.
    """

    shortest: int
    longest: int | None

    @staticmethod
    def of_card(card: Mapping[str, Any]) -> Limits:
        """As a card has them; cards of intermediate checkpoints know ``data.max_length`` only."""
        lengths = card.get("training", {}).get("length", {})
        return Limits(
            int(lengths.get("shortest", SHORTEST)), lengths.get("longest") or card["data"].get("max_length")
        )

    def notes(self, length: int) -> list[str]:
        """How a chain of ``length`` residues is outside of training; empty: it is not."""
        if self.longest is not None and length > self.longest:
            return [f"longer than any chain that the model was trained on ({self.longest} residues)"]
        if length < self.shortest:
            return [f"shorter than any chain that the model was trained on ({self.shortest} residues)"]
        return []
