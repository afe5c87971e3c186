"""Ideal C-alpha traces, and stores and records made by hand, as interpretation reads them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from bioblobs.interpretation.residues import Residues, gather
from bioblobs.proteins.alphabet import encode

Trace = np.ndarray


def helix(length: int) -> Trace:
    """(L, 3) C-alphas of an ideal alpha helix: 100 degrees and 1.5 angstrom a residue, radius 2.3."""
    turn = np.deg2rad(100) * np.arange(length)
    return np.column_stack([2.3 * np.cos(turn), 2.3 * np.sin(turn), 1.5 * np.arange(length)])


def strand(length: int) -> Trace:
    """(L, 3) C-alphas of an ideal extended strand: 3.3 angstrom a residue, a flat zigzag."""
    places = np.arange(length)
    return np.column_stack([0.9 * (-1.0) ** places, np.zeros(length), 3.3 * places])


def walk(length: int, seed: int) -> Trace:
    """(L, 3) random walk of 3.8 angstrom steps."""
    steps = np.random.default_rng(seed).normal(size=(length, 3))
    return np.cumsum(3.8 * steps / np.linalg.norm(steps, axis=1, keepdims=True), axis=0)


def rotated(trace: Trace, seed: int) -> Trace:
    """The same trace elsewhere in space."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return trace @ (turn * np.sign(np.linalg.det(turn))) + rng.normal(size=3) * 10


def traces_store(traces: list[Trace], sequences: list[str] | None = None, classes: int = 2) -> Any:
    """What the functions read of a store; backbones have their C-alphas only."""
    lengths = [len(trace) for trace in traces]
    coordinates = np.full((sum(lengths), 4, 3), np.nan, np.float32)
    coordinates[:, 1] = np.concatenate(traces)
    return SimpleNamespace(
        coordinates=coordinates,
        offsets=np.cumsum([0, *lengths]),
        chain_ids=np.full(sum(lengths), b"A", "S4"),
        residue_types=encode("".join(sequences or ["A" * length for length in lengths])),
        classes=[str(i) for i in range(classes)],
        class_names=[f"class {i}" for i in range(classes)],
    )


def residues_of(traces: list[Trace], sequences: list[str] | None = None) -> Residues:
    """All residues of such a store."""
    return gather(traces_store(traces, sequences), np.arange(len(traces)))


def record(
    true: list[str], length: int, blobs: list[tuple[int, list[int]]], name: str = "p"
) -> dict[str, Any]:
    """(code, residues) a blob, grown from its first residue; importance falls with the place."""
    importance = np.arange(len(blobs), 0, -1) / max(sum(range(1, len(blobs) + 1)), 1)
    return {
        "id": name,
        "true": true,
        "length": length,
        "blobs": [
            {
                "blob": slot,
                "code": code,
                "seed": residues[0],
                "residues": residues,
                "size": len(residues),
                "importance": float(share),
                "contribution": None,
                "contributions": None,
            }
            for slot, ((code, residues), share) in enumerate(zip(blobs, importance, strict=True))
        ],
    }
