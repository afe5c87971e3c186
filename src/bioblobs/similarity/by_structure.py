"""Structural similarity between chains: its definition, and the choice of the tool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from joblib import cpu_count
from numpy.typing import NDArray

from bioblobs.errors import BioBlobsError
from bioblobs.similarity import foldseek
from bioblobs.similarity.external import installed
from bioblobs.similarity.hits import Hits

StructureTool = Literal["foldseek", "tmalign"]
TM_SCORE = "TM-score of TM-align, normalised by the shorter chain"


def structure_links(
    sequences: Sequence[str],
    ca: Sequence[NDArray[np.float32]],
    threshold: float,
    tool: StructureTool = "tmalign",
) -> Hits:
    """Find pairs of chains similar in structure at ``threshold`` or more: :data:`TM_SCORE`.

    The larger of the two normalisations counts, so a domain is similar to any chain that contains it.

    Args:
        sequences: for Foldseek's files.
        ca: (L, 3) C-alphas of each chain in angstrom; NaN where missing.
        threshold: least TM-score.
        tool: foldseek, or tmalign: TM-align on the pairs whose 3Di states are most alike.

    Raises:
        BioBlobsError: the tool is missing or failed.
    """
    threads = cpu_count()
    if tool == "foldseek":
        return foldseek.search(sequences, ca, threads).at_least(threshold)
    try:
        from bioblobs.similarity import tmalign
    except ImportError as error:
        raise BioBlobsError(
            f"no tool compares structures here ({error}): pip install tmtools pyopal, or install Foldseek"
        ) from error
    return tmalign.linked_pairs(ca, threshold, threads)


def structure_tool() -> StructureTool:
    """Choose Foldseek where it is on PATH, and TM-align otherwise."""
    return "foldseek" if installed(foldseek.PROGRAM) else "tmalign"
