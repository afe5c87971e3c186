"""DVC stage ``report``: one HTML page of data, scores, codes, and every protein in three dimensions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bioblobs.config.parsing import parse
from bioblobs.config.recipe import credited
from bioblobs.config.schema import Config, Paths
from bioblobs.errors import one_line_errors
from bioblobs.faithfulness.verdict import checks, verdict
from bioblobs.interpretation.report_file import load
from bioblobs.report.content import write_report
from bioblobs.report.known_proteins import known_of_sample
from bioblobs.report.results import Folders, need, read_results
from bioblobs.store.packed import open_store


def run(config: Config, paths: Paths) -> None:
    """Write outputs/report/index.html."""
    store = open_store(paths.prepared, config.data.identity())
    folders = Folders(Path(paths.output), Path(paths.metrics), Path(paths.plots))
    report = load(need(folders.report_file))
    results = read_results(folders, report.content, report.chains, judge, credited)
    sample = store.meta["parameters"].get("source") == "sample"
    ids = [record.id for record in results.chains]
    known = known_of_sample(Path(config.data.data_dir) / "sample", ids) if sample else {}
    print(write_report(folders, store, results, known, config.report.proteins, config.train.seed))


def judge(faithfulness: Mapping[str, Any], seeds: Any) -> tuple[list[dict[str, Any]], str]:
    """Make the checks, and the verdict over all of them."""
    made = checks(faithfulness, seeds)
    return made, verdict(made)


def main(args: Sequence[str] | None = None) -> None:
    """Command line of the stage."""
    with one_line_errors():
        run(*parse(__doc__ or "", args))
