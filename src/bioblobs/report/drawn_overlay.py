"""Windows of a code laid on one another: the moves that ``interpret`` found, applied to the chains."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioblobs.errors import BioBlobsError
from bioblobs.inference.chain import Chain

Trace = NDArray[np.float32]


def with_overlay(
    code: dict[str, Any],
    superposition: Mapping[str, Any],
    records: Mapping[str, Chain],
    trace: Callable[[str], Trace],
) -> dict[str, Any]:
    """The code with ``overlay`` (page/overlay.js) where its windows were superposed.

    Args:
        code: as :func:`bioblobs.report.code_pages.page_code` makes it.
        superposition: the code's, as in interpretation/schema.json.
        records: proteins of the same report, by id.
        trace: id of a protein -> (L, 3) C-alphas of its chain in angstrom.

    Raises:
        BioBlobsError: the file is of a version without the moves.
    """
    found = superposition["windows"]
    if not found:
        return code
    if "overlay" not in found:
        raise BioBlobsError(f"report: code {code['code']} has no overlay; run interpret again")
    members = []
    for each in found["overlay"]:
        name = each["protein"]
        seed = next(blob.seed for blob in records[name].blobs if blob.slot == each["slot"])
        members.append({key: each[key] for key in ("protein", "slot", "rmsd")})
        members[-1]["trace"] = moved(trace(name), seed, found["residues"], each)
    middle = np.mean(members[0]["trace"], 0)  # about which the view turns
    for member in members:
        member["trace"] = (member["trace"] - middle).round(2).tolist()
    numbers = {name: found[name] for name in ("residues", "median_rmsd", "mean_rmsd")}
    controls = {name: (found[name] or {}).get("mean_rmsd") for name in ("other_codes", "same_structure")}
    return code | {"overlay": {**numbers, **controls, "superposed": found["members"], "members": members}}


def moved(trace: Trace, seed: int, residues: int, move: Mapping[str, Any]) -> NDArray[np.float64]:
    """(residues, 3) the window with ``seed`` in its middle, turned and shifted."""
    window = trace[seed - residues // 2 : seed + residues // 2 + 1].astype(np.float64)
    return window @ np.array(move["rotation"]).T + np.array(move["translation"])
