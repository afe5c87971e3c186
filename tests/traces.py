"""Ideal C-alpha traces, and stores and records made by hand, as interpretation reads them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from bioblobs.inference.chain import Blob, Chain
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
    """What the functions read of a store: C-alphas, and an N and a C that bond neighbours."""
    lengths = [len(trace) for trace in traces]
    coordinates = np.full((sum(lengths), 4, 3), np.nan, np.float32)
    ca = np.concatenate(traces)
    step = np.diff(ca, axis=0)
    coordinates[:, 1] = ca
    coordinates[:-1, 2] = ca[:-1] + 0.35 * step
    coordinates[1:, 0] = ca[1:] - 0.35 * step
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
    true: list[str], length: int, blobs: list[tuple[int | None, list[int]]], name: str = "p", **more: Any
) -> Chain:
    """(code, residues) per blob, grown from its first residue; importance falls with the place."""
    importance = np.arange(len(blobs), 0, -1) / max(sum(range(1, len(blobs) + 1)), 1)
    made = [
        blob(slot, slot + 1, float(share), code=code, seed=residues[0], residues=residues)
        for slot, ((code, residues), share) in enumerate(zip(blobs, importance, strict=True))
    ]
    return chain(made, id=name, length=length, true=true, **more)


def blob(slot: int, rank: int, importance: float, **more: Any) -> Blob:
    """A blob of an attention head, of one residue unless ``more`` says otherwise."""
    residues = more.setdefault("residues", [0])
    plain: dict[str, Any] = {
        "contribution": None,
        "contributions": None,
        "code": None,
        "seed": residues[0],
        "author": [f"A/{place}" for place in residues],
        "sequence": "A" * len(residues),
        "membership": [1.0] * len(residues),
    }
    return Blob(slot=slot, rank=rank, importance=importance, **plain | more)


def chain(blobs: list[Blob], **more: Any) -> Chain:
    """A chain of class 0."""
    plain: dict[str, Any] = {
        "id": "p",
        "length": 20,
        "true": ["0"],
        "predicted": ["0"],
        "explained": "0",
        "probabilities": {"0": 0.75, "1": 0.25},
        "logits": {"0": 0.5, "1": -0.5},
    }
    return Chain(blobs=blobs, **plain | more)
