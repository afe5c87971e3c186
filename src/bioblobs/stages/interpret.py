"""DVC stage ``interpret``: explanations of the test proteins, and a description of every code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bioblobs.checkpoints.card import own_title
from bioblobs.checkpoints.file import load_model
from bioblobs.config.parsing import parse
from bioblobs.config.schema import Config, Paths
from bioblobs.errors import one_line_errors
from bioblobs.inference.chain import Chain
from bioblobs.inference.device import choose, on_cpu
from bioblobs.inference.predict import predictions
from bioblobs.inference.process import begin
from bioblobs.inference.records import chain_records, explanation
from bioblobs.interpretation.codes import describe_codes
from bioblobs.interpretation.stage_results import headline, lines, plots, report_of, write_codes, write_model
from bioblobs.interpretation.summary import dataset_summary
from bioblobs.io import write_compact_json, write_json, write_table
from bioblobs.store.packed import open_store
from bioblobs.sums import with_sums


@with_sums
def run(config: Config, paths: Paths) -> None:
    """Write test_interpretability.json, its headline numbers, and plots."""
    seed, significance = config.train.seed, config.interpretability.significance
    device = choose(config.train.accelerator)
    begin(config.train.num_threads)
    store = open_store(paths.prepared, config.data.identity())
    model, card = load_model(paths.final_checkpoint(1), store.classes)
    model = model.to(device)
    rows = store.rows("test")
    ids = store.table()["id"].tolist()
    records: list[Chain] = []
    for batch, prediction in predictions(model, store, rows, "interpret"):
        records += chain_records(store, ids, batch, prediction)
    scorecard = on_cpu(model.scorecard())
    evidence = None if scorecard is None else scorecard.double().numpy()
    codes = describe_codes(store, rows, records, significance, seed, evidence)
    summary = dataset_summary(records, model) | codes.summary
    how = explanation(model, card["architecture"], store.classes)
    folder = Path(paths.output) / "interpretability"
    write_codes(folder, codes, significance)
    title = own_title(store.meta["parameters"], len(store.classes), config.data.task_title)
    report = report_of(store, records, summary, how, seed, title)
    write_compact_json(folder / "test_interpretability.json", report)
    write_model(folder, model, card)
    write_json(Path(paths.metrics) / "interpretability.json", headline(summary))
    for name, table in plots(records, summary).items():
        write_table(Path(paths.plots) / f"{name}.csv", table)
    print(*lines(summary), sep="\n")


def main(args: Sequence[str] | None = None) -> None:
    """Command line of the stage."""
    with one_line_errors():
        run(*parse(__doc__ or "", args))
