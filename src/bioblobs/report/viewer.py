"""Proteins in three dimensions as one HTML file: what `bioblobs predict` writes, and part of the report.

write_viewer(Path("index.html"), records, proteins, classes, "Predictions")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bioblobs.proteins.record import Protein
from bioblobs.report.page import write_page
from bioblobs.report.proteins import page_proteins


def write_viewer(
    path: Path,
    records: Sequence[Mapping[str, Any]],
    proteins: Sequence[Protein],
    classes: Mapping[str, str],
    title: str,
    note: str = "",
) -> None:
    """Write a page with a list of proteins, a 3-D view of each, and which of them share a code.

    Args:
        path: the HTML file; its folder is made. Written whole or not at all.
        records: one a protein, as ``proteins`` in interpretation/schema.json; ``true`` may be empty, and
            then nothing is called right or wrong.
        proteins: the residues that the records' indices count (N, CA, C, O in angstrom), in the same order.
        classes: class identifier -> name.
        title: heading of the page.
        note: a sentence under it, of what the reader should know of model and limits.

    Raises:
        BioBlobsError: a record and its protein differ in length, or two have one id.
    """
    write_page(path, viewer_data(records, proteins, classes, note), None, title)


def viewer_data(
    records: Sequence[Mapping[str, Any]],
    proteins: Sequence[Protein],
    classes: Mapping[str, str],
    note: str,
) -> dict[str, Any]:
    """What the scripts of a page read: proteins and class names; no codebook, no data set."""
    return {
        "note": note,
        "classes": dict(classes),
        "proteins": page_proteins(records, proteins),
        "total": len(records),
        "codes": [],
        "map": None,
        "background": None,
    }
