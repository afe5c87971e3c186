"""Chains as small as a page can carry them: backbone, sequence and author numbering.

Read again by page/chains.js; a test takes a chain through both.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioblobs.proteins.alphabet import decode
from bioblobs.proteins.geometry import stretches
from bioblobs.proteins.record import Protein

STEP = 0.01
"""Resolution of packed coordinates (angstrom); coarser only for chains wider than 655 angstrom."""
MISSING = -32768
"""Stands for the coordinate of an atom that is not there."""
LARGEST = 32767


def pack_chain(protein: Protein) -> dict[str, Any]:
    """Pack a chain for the page: ``sequence``, ``numbering`` (runs), ``breaks`` and ``backbone``.

    ``breaks`` are the residues that begin a new unbroken stretch, the first one apart.
    """
    stretch = stretches(np.asarray(protein.coordinates), np.asarray(protein.chain_ids))
    return {
        "sequence": decode(protein.residue_types),
        "numbering": numbering_runs(protein),
        "breaks": (1 + np.flatnonzero(np.diff(stretch))).tolist(),
        "backbone": pack_coordinates(protein.coordinates),
    }


def pack_coordinates(coordinates: NDArray[np.float32]) -> dict[str, Any]:
    """(L, 4, 3) angstrom -> centre, step and base64 of little-endian int16, NaN as :data:`MISSING`.

    The largest error is half a step in each coordinate.
    """
    exact = coordinates.astype(np.float64)
    low, high = np.nanmin(exact, (0, 1)), np.nanmax(exact, (0, 1))
    centre = np.round((low + high) / 2, 3)
    step = max(STEP, float(np.max(high - low)) / 2 / (LARGEST - 1))
    steps = np.round((exact - centre) / step)
    packed = np.where(np.isnan(steps), MISSING, steps).astype("<i2")
    return {"centre": centre.tolist(), "step": step, "data": base64.b64encode(packed.tobytes()).decode()}


def unpack_coordinates(packed: dict[str, Any]) -> NDArray[np.float64]:
    """The (L, 4, 3) coordinates again."""
    steps = np.frombuffer(base64.b64decode(packed["data"]), "<i2").reshape(-1, 4, 3).astype(np.float64)
    steps[steps == MISSING] = np.nan
    return steps * packed["step"] + np.array(packed["centre"])


def numbering_runs(protein: Protein) -> list[list[Any]]:
    """Author numbering as runs of consecutive numbers: chain, first number, residues, insertion code."""
    codes, chains, numbers = protein.insertion_codes, protein.chain_ids, protein.residue_numbers
    plain = codes == b""
    goes_on = (np.diff(numbers) == 1) & (chains[1:] == chains[:-1]) & plain[1:] & plain[:-1]
    starts = np.flatnonzero(np.concatenate([[True], ~goes_on]))
    lengths = np.diff(np.append(starts, len(protein)))
    return [
        [chains[at].decode(), int(numbers[at]), int(count), codes[at].decode()]
        for at, count in zip(starts, lengths, strict=True)
    ]
