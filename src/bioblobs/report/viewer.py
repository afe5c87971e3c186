"""Proteins in three dimensions as one HTML file: what `bioblobs predict` writes, and part of the report.

write_viewer(Path("index.html"), records, proteins, classes, "Predictions", explanation=explanation)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bioblobs.inference.chain import Chain
from bioblobs.proteins.record import Protein
from bioblobs.report.code_sentence import sentences_of_blobs
from bioblobs.report.known_proteins import Known
from bioblobs.report.model_card import model_card
from bioblobs.report.page import write_page
from bioblobs.report.proteins import page_proteins
from bioblobs.report.short_names import short_names


def write_viewer(
    path: Path,
    records: Sequence[Chain],
    proteins: Sequence[Protein],
    classes: Mapping[str, str],
    title: str,
    note: str = "",
    explanation: Mapping[str, Any] | None = None,
    files: Sequence[tuple[str, str]] = (),
) -> None:
    """Write a page with a list of proteins, a 3-D view of each, and which of them share a code.

    Args:
        path: the HTML file; its folder is made. Written whole or not at all.
        records: one per protein; where ``true`` is empty or not known in all, nothing is called right or
            wrong. Where they have ``notes``, these stand above the protein.
        proteins: the residues that the records' indices count (N, CA, C, O in angstrom), in the same order.
        classes: class identifier -> name.
        title: heading of the page.
        note: a sentence under it, of what the reader should know of model and limits.
        explanation: ``explanation`` of interpretation/schema.json, or ``model`` of predictions.json, which is
            shown as the model's card; its ``base`` and ``blob_input`` are read. None, or a base of None: an
            attention head, whose blobs have weights and no sum.
        files: title and name of files beside the page that it links to.

    Raises:
        BioBlobsError: a record and its protein differ in length, two have one id, or blobs have contributions
            but the model no base.
    """
    data = viewer_data(records, proteins, classes, note, explanation)
    data["files"] = [list(file) for file in files]
    of_codes = (explanation or {}).get("blob_input") != "raw"
    data["sentences"] = sentences_of_blobs(records, data["short"], of_codes)
    write_page(path, data, None, title)


def viewer_data(
    records: Sequence[Chain],
    proteins: Sequence[Protein],
    classes: Mapping[str, str],
    note: str,
    explanation: Mapping[str, Any] | None = None,
    known: Mapping[str, Known] | None = None,
) -> dict[str, Any]:
    """Data that the scripts of a page read: proteins and class names; no codebook, no data set."""
    base = explanation.get("base") if explanation else None
    return {
        "note": note,
        "classes": dict(classes),
        "short": short_names(classes),
        "additive": base is not None,
        "proteins": page_proteins(records, proteins, base, known),
        "total": len(records),
        "card": model_card(explanation or {}),
        "files": [],
        "sentences": {},
        "codes": [],
        "map": None,
        "scorecard": None,
        "background": None,
        "showcase": [],
    }
