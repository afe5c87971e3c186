"""DVC stage ``prepare``: proteins -> packed store, with a data report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bioblobs.config.parsing import parse
from bioblobs.config.schema import Config, Paths
from bioblobs.errors import one_line_errors
from bioblobs.io import write_text
from bioblobs.sources.preparation import prepare_store
from bioblobs.splits import SPLITS
from bioblobs.store.packed import Store
from bioblobs.sums import with_sums


def run(config: Config, paths: Paths) -> None:
    """Write the store with its data report, and publish the report."""
    report = prepare_store(config.data, Path(paths.prepared), SPLITS)
    publish_report(config, paths)
    for line in report.skipped_lines():
        print(line)
    for reason, count in report.summary["dropped"].items():
        print(f"left out: {count} ({reason})")
    for split in SPLITS:
        part = report.summary[split]
        unseen = part["of_classes_unseen_in_training"]
        note = f", {unseen} of classes unseen in training" if unseen else ""
        print(f"{split}: {part['proteins']} proteins{note}")


@with_sums
def publish_report(config: Config, paths: Paths) -> None:
    """Copy the data report that a store holds to where metrics and plots are looked for."""
    for name, content in Store(paths.prepared).report.items():
        if name.startswith("data"):
            write_text(
                Path(paths.metrics if name.endswith(".json") else paths.plots) / name, content.decode()
            )


def main(args: Sequence[str] | None = None) -> None:
    """Command line of the stage."""
    with one_line_errors():
        run(*parse(__doc__ or "", args))
