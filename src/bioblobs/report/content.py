"""The whole report: data of its page from the store and the results of the other stages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bioblobs.errors import BioBlobsError
from bioblobs.report.code_pages import LOGO, page_code
from bioblobs.report.code_sentence import code_sentence
from bioblobs.report.drawn_overlay import with_overlay
from bioblobs.report.known_proteins import Known
from bioblobs.report.overview import overview
from bioblobs.report.page import write_page
from bioblobs.report.results import Folders, Results
from bioblobs.report.scorecard import scorecard
from bioblobs.report.short_names import short_names
from bioblobs.report.showcase import showcase
from bioblobs.report.shown import shown_rows
from bioblobs.report.viewer import viewer_data
from bioblobs.store.packed import Store


def write_report(
    folders: Folders, store: Store, results: Results, known: Mapping[str, Known], most: int, seed: int
) -> str:
    """Write ``report/index.html`` of the output folder.

    Args:
        known: of some proteins, by id (:mod:`bioblobs.report.known_proteins`).
        most: proteins that the page holds at most; drawn with ``seed``.

    Returns:
        One line that says what was written.

    Raises:
        BioBlobsError: the results are of other data than the store.
    """
    data = report_data(folders, store, results, known, most, seed)
    path = folders.output / "report" / "index.html"
    write_page(path, data, overview(results), "BioBlobs report")
    shown = len(data["proteins"])
    return f"{path}: {shown} of {data['total']} proteins, {path.stat().st_size / 1e6:.1f} MB"


def report_data(
    folders: Folders, store: Store, results: Results, known: Mapping[str, Known], most: int, seed: int
) -> dict[str, Any]:
    """Data that the page's scripts read (arguments as in :func:`write_report`)."""
    report, records = results.report, results.chains
    rows = store.rows(report["split"])
    if len(records) != len(rows):
        raise BioBlobsError(
            f"{folders.report_file}: {len(records)} proteins, the prepared data have {len(rows)}; "
            "run interpret again"
        )
    places = shown_rows(len(records), most, seed)
    shown = [records[place] for place in places]
    chains = [store.protein(int(rows[place]), str(place)) for place in places]
    classes = report["task"]["classes"]
    data = viewer_data(shown, chains, classes, note="", explanation=report.get("explanation"), known=known)
    row_of = {record.id: int(row) for record, row in zip(records, rows, strict=True)}
    add_codes(
        data,
        report["dataset"],
        {record.id: record for record in records},
        lambda name: store.coordinates[store.offsets[row_of[name]] : store.offsets[row_of[name] + 1], 1],
        lambda name: _logo(folders.interpretability / name),
    )
    data["total"] = len(records)
    data["map"] = results.model["map"]
    data["showcase"] = showcase(shown, classes)
    add_nearest(data, results.nearest)
    return data


def add_codes(
    data: dict[str, Any], dataset: Mapping[str, Any], records: Mapping[str, Any], trace: Any, logo: Any
) -> None:
    """Add what ``dataset`` of interpretation/schema.json says of codes.

    Args:
        records: proteins of the report by id.
        trace: id -> (L, 3) C-alphas in angstrom.
        logo: name of a logo's file -> SVG.
    """
    short = short_names(data["classes"])
    data["codes"] = [
        with_overlay(
            page_code(code | {LOGO: logo(code["logo"]) if "logo" in code else code.get(LOGO)})
            | {"sentence": code_sentence(code, short)},
            code.get("superposition") or {"windows": None},
            records,
            trace,
        )
        for code in dataset["codes"]
    ]
    data["background"] = dataset["background"]
    data["scorecard"] = scorecard(dataset["codes"])


def add_nearest(data: dict[str, Any], nearest: pd.DataFrame | None) -> None:
    """Add to each protein its nearest training chain, by sequence and by structure."""
    if nearest is None:
        return
    by_id = {row["id"]: row for row in nearest.to_dict("records")}
    for protein in data["proteins"]:
        row = by_id.get(protein["id"], {})
        protein["nearest"] = [
            [str(row[f"nearest_by_{name}"]), float(row[name]), words]
            for name, words in (("identity", "sequence identity"), ("tm_score", "TM-score"))
            if row.get(f"nearest_by_{name}") and pd.notna(row.get(name)) and row[name] > 0
        ]


def _logo(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BioBlobsError(f"{path}: not there; run interpret again") from None
