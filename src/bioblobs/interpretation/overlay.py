"""Moves of a code's windows onto its medoid, for drawing them on one another."""

from __future__ import annotations

from typing import Any

import biotite.structure as struc
import numpy as np
from numpy.typing import NDArray

MOST = 8
"""Windows of an overlay, the medoid's own among them: as many colours as a reader can tell apart."""


def moves_onto(
    traces: NDArray[np.float32], middle: int, rmsd: NDArray[np.float64]
) -> list[tuple[int, dict[str, Any]]]:
    """The medoid and the windows nearest to it, nearest first: place, and the move (schema: ``overlaid``).

    Args:
        traces: (n, m, 3) C-alphas in angstrom, n of at least two.
        middle: place of the medoid.
        rmsd: (n,) from the medoid, in angstrom, after superposition.
    """
    others = np.delete(np.arange(len(traces)), middle)
    nearest = others[rmsd[others].argsort(kind="stable")][: MOST - 1]
    # In double precision: a chain may lie hundreds of angstrom from the origin that it is turned about.
    fixed, mobile = traces[middle].astype(np.float64), traces[nearest].astype(np.float64)
    _, move = struc.superimpose(fixed, mobile)
    matrices = np.concatenate([np.eye(4)[None], move.as_matrix()])
    places = [middle, *nearest.tolist()]
    return [(place, _move(rmsd[place], matrix)) for place, matrix in zip(places, matrices, strict=True)]


def _move(rmsd: float, matrix: NDArray[np.float64]) -> dict[str, Any]:
    return {
        "rmsd": round(float(rmsd), 3),
        "rotation": matrix[:3, :3].round(7).tolist(),
        "translation": matrix[:3, 3].round(4).tolist(),
    }
