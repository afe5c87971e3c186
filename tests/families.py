"""Families of sequences whose identity is known by construction."""

from __future__ import annotations

import numpy as np

LETTERS = np.array(list("ACDEFGHIKLMNPQRSTVWY"))


def mutated(parent: str, identity: float, rng: np.random.Generator) -> str:
    """The parent with exactly ``1 - identity`` of its residues, rounded up, replaced by others."""
    letters = np.array(list(parent))
    places = rng.choice(len(letters), int(np.ceil(len(letters) * (1 - identity) - 1e-9)), replace=False)
    for place in places:
        letters[place] = rng.choice(LETTERS[letters[place] != LETTERS])
    return "".join(letters)


def families(count: int, members: int, identity: float, seed: int, length: int = 90) -> list[str]:
    """Random parents, each followed by its mutants."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        parent = "".join(rng.choice(LETTERS, length))
        found += [parent, *(mutated(parent, identity, rng) for _ in range(members - 1))]
    return found
