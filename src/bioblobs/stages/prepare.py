"""DVC stage ``prepare``: proteins -> packed store, with a data report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bioblobs.config.parsing import parse
from bioblobs.config.schema import Config, Paths
from bioblobs.errors import one_line_errors
from bioblobs.io import write_text
from bioblobs.sources.preparation import REPORT, prepare_store
from bioblobs.splits import SPLITS


def run(config: Config, paths: Paths) -> None:
    """Write the store with its data report, and publish the report."""
    report = prepare_store(config.data, Path(paths.prepared), SPLITS)
    publish_report(paths)
    for _, row in report.skipped.iterrows():
        print(f"skipped {row['id']}: {row['reason']}")
    for reason, count in report.summary["dropped"].items():
        print(f"left out: {count} ({reason})")
    for split in SPLITS:
        part = report.summary[split]
        unseen = part["of_classes_unseen_in_training"]
        note = f", {unseen} of classes unseen in training" if unseen else ""
        print(f"{split}: {part['proteins']} proteins{note}")


def publish_report(paths: Paths) -> None:
    """Copy the data report that a store holds to where metrics and plots are looked for."""
    for path in (Path(paths.prepared) / REPORT).glob("data*"):
        target = Path(paths.metrics if path.suffix == ".json" else paths.plots)
        write_text(target / path.name, path.read_text())


def main(args: Sequence[str] | None = None) -> None:
    """Command line of the stage."""
    with one_line_errors():
        run(*parse(__doc__ or "", args))
