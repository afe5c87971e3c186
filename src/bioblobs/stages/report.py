"""DVC stage ``report``: one HTML page of data, scores, codes, and every protein in three dimensions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bioblobs.config.parsing import parse
from bioblobs.config.schema import Config, Paths
from bioblobs.errors import BioBlobsError, one_line_errors
from bioblobs.faithfulness.verdict import checks, verdict
from bioblobs.interpretation.report_file import Report, load
from bioblobs.report.code_pages import LOGO, page_code
from bioblobs.report.drawn_overlay import Trace, with_overlay
from bioblobs.report.overview import Results, overview
from bioblobs.report.packed_chains import stored_protein
from bioblobs.report.page import write_page
from bioblobs.report.scorecard import scorecard
from bioblobs.report.shown import shown_rows
from bioblobs.report.viewer import viewer_data
from bioblobs.store.packed import Store, open_store


def run(config: Config, paths: Paths) -> None:
    """Write outputs/report/index.html."""
    seed = config.train.seed
    store = open_store(paths.prepared, config.data.identity())
    results = read_results(paths, _report(_report_file(paths)))
    report, records = results.report, results.chains
    rows = store.rows(report["split"])
    if len(records) != len(rows):
        raise BioBlobsError(
            f"{_report_file(paths)}: {len(records)} proteins, the prepared data have {len(rows)}; "
            "run interpret again"
        )
    shown = shown_rows(len(records), config.report.proteins, seed)
    data = viewer_data(
        [records[place] for place in shown],
        [stored_protein(store, int(rows[place])) for place in shown],
        report["task"]["classes"],
        note="",
        explanation=report.get("explanation"),
    )
    data["total"] = len(records)
    by_id = {record.id: record for record in records}
    row_of = dict(zip(by_id, rows, strict=True))
    data["codes"] = [
        with_overlay(
            page_code(code | {LOGO: _logo(paths, code["logo"])}),
            code["superposition"],
            by_id,
            lambda name: _trace(store, int(row_of[name])),
        )
        for code in report["dataset"]["codes"]
    ]
    data["background"] = report["dataset"]["background"]
    data["scorecard"] = scorecard(report["dataset"]["codes"])
    data["map"] = _read(_model_file(paths))["map"]
    path = Path(paths.output) / "report" / "index.html"
    write_page(path, data, overview(results), "BioBlobs report")
    print(f"{path}: {len(shown)} of {len(records)} proteins, {path.stat().st_size / 1e6:.1f} MB")


def read_results(paths: Paths, report: Report) -> Results:
    """Read the results of the other stages, beside the report of interpret.

    Raises:
        BioBlobsError: naming the file that is missing or cannot be read.
    """
    metrics, plots = Path(paths.metrics), Path(paths.plots)
    faithfulness = _read(metrics / "faithfulness.json")
    made = checks(faithfulness, _seeds(metrics / "seeds.json", _read(_model_file(paths))))
    return Results(
        report=report.content,
        chains=report.chains,
        data=_read(metrics / "data.json"),
        classes=_read_table(plots / "data_classes.csv"),
        leakage=_read(metrics / "leakage.json"),
        test=_read(metrics / "test.json"),
        ablation=_read(metrics / "ablation.json"),
        faithfulness=faithfulness,
        checks=made,
        verdict=verdict(made),
        deletion=_read_table(plots / "faithfulness_deletion.csv"),
        insertion=_read_table(plots / "faithfulness_insertion.csv"),
    )


def _seeds(path: Path, model: Mapping[str, Any]) -> Any:
    """Results of `make seeds` if they are of models and data like this one's; else None."""
    if not path.exists():
        return None
    found = _read(path)
    same = all(found["made_with"][name] == model[name] for name in ("architecture", "data"))
    return found if same else None


def _report(path: Path) -> Report:
    _need(path)
    return load(path)


def _report_file(paths: Paths) -> Path:
    return Path(paths.output) / "interpretability" / "test_interpretability.json"


def _model_file(paths: Paths) -> Path:
    return _report_file(paths).with_name("model.json")


def _need(path: Path) -> None:
    if not path.exists():
        raise BioBlobsError(f"{path}: not there; run the stage that makes it first (dvc repro)")


def _read(path: Path) -> Any:
    _need(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BioBlobsError(
            f"{path}: not readable JSON ({error}); run the stage that makes it again"
        ) from error


def _read_table(path: Path) -> pd.DataFrame:
    _need(path)
    return pd.read_csv(path, dtype={"class": str, "name": str}, keep_default_na=False)


def _logo(paths: Paths, name: str) -> str:
    path = _report_file(paths).parent / name
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BioBlobsError(f"{path}: not there; run interpret again") from None


def _trace(store: Store, row: int) -> Trace:
    """(L, 3) C-alphas of a chain."""
    return store.coordinates[store.offsets[row] : store.offsets[row + 1], 1]


def main(args: Sequence[str] | None = None) -> None:
    """Command line of the stage."""
    with one_line_errors():
        run(*parse(__doc__ or "", args))
