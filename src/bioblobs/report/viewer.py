"""Proteins in three dimensions as one HTML file: what `bioblobs predict` writes, and part of the report.

write_viewer(Path("index.html"), records, proteins, classes, "Predictions", explanation=explanation)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bioblobs.inference.chain import Chain
from bioblobs.proteins.record import Protein
from bioblobs.report.page import write_page
from bioblobs.report.proteins import page_proteins


def write_viewer(
    path: Path,
    records: Sequence[Chain],
    proteins: Sequence[Protein],
    classes: Mapping[str, str],
    title: str,
    note: str = "",
    explanation: Mapping[str, Any] | None = None,
) -> None:
    """Write a page with a list of proteins, a 3-D view of each, and which of them share a code.

    Args:
        path: the HTML file; its folder is made. Written whole or not at all.
        records: one per protein; where ``true`` is empty or not known in all, nothing is called right or
            wrong.
        proteins: the residues that the records' indices count (N, CA, C, O in angstrom), in the same order.
        classes: class identifier -> name.
        title: heading of the page.
        note: a sentence under it, of what the reader should know of model and limits.
        explanation: ``explanation`` of interpretation/schema.json, or ``model`` of predictions.json; its
            ``base`` is read. None, or a base of None: an attention head, whose blobs have weights and no sum.

    Raises:
        BioBlobsError: a record and its protein differ in length, two have one id, or blobs have contributions
            but the model no base.
    """
    write_page(path, viewer_data(records, proteins, classes, note, explanation), None, title)


def viewer_data(
    records: Sequence[Chain],
    proteins: Sequence[Protein],
    classes: Mapping[str, str],
    note: str,
    explanation: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Data that the scripts of a page read: proteins and class names; no codebook, no data set."""
    base = explanation.get("base") if explanation else None
    return {
        "note": note,
        "classes": dict(classes),
        "additive": base is not None,
        "proteins": page_proteins(records, proteins, base),
        "total": len(records),
        "codes": [],
        "map": None,
        "scorecard": None,
        "background": None,
    }
