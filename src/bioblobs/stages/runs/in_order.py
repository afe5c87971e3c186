"""The stages in order, for the pipeline without DVC; a run's folder records which are done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from pathlib import Path

from bioblobs.config.schema import Config, Paths
from bioblobs.errors import BioBlobsError
from bioblobs.io import read_json, write_json
from bioblobs.stages.runs.own_process import exit_status
from bioblobs.stages.runs.run_folder import RUN_CONFIG, path_words
from bioblobs.store.packed import open_store
from bioblobs.sums import sums_file

DONE = "done.json"
"""Stages that are done, in a run's folder."""


def run_stages(config: Config, paths: Paths) -> None:
    """Run every stage that is not done yet, in order; the run's folder records which are done."""
    from bioblobs.stages import evaluate, faithfulness, init_codebook, interpret, leakage, report, summary

    page = Path(paths.output) / "report" / "index.html"
    stages: dict[str, tuple[Callable[[], None], Path]] = {
        "leakage between the splits": (lambda: leakage.run(config, paths), sums_file(paths, "leakage")),
        "stage 0: baseline": (lambda: _train(0, config, paths), paths.final_checkpoint(0)),
        "codebook: k-means": (lambda: init_codebook.run(config, paths), paths.codebook),
        "stage 1: joint fine-tuning": (lambda: _train(1, config, paths), paths.final_checkpoint(1)),
        "evaluation on the test set": (lambda: evaluate.run(config, paths), sums_file(paths, "evaluate")),
        "interpretability": (lambda: interpret.run(config, paths), sums_file(paths, "interpret")),
        "faithfulness": (lambda: faithfulness.run(config, paths), sums_file(paths, "faithfulness")),
        "report": (lambda: report.run(config, paths), page),
        "summary": (lambda: summary.run(config, paths), Path(paths.metrics) / "summary.json"),
    }
    record = Path(paths.output) / DONE
    done = done_before(record, stages)
    for title, (stage, last_result) in stages.items():
        if title in done and last_result.is_file():
            _say(f"{title} (done before)")
            continue
        _say(title)
        stage()
        done = [*(each for each in done if each != title), title]
        write_json(record, done)


def done_before(record: Path, titles: Collection[str]) -> list[str]:
    """Read the titles of the stages that are done.

    Raises:
        BioBlobsError: the record is damaged.
    """
    remedy = "remove it, and every stage runs again"
    done: list[str] = read_json(record, list, remedy) if record.exists() else []
    if unknown := [title for title in done if title not in titles]:
        raise BioBlobsError(f"{record}: damaged: no stage is called {unknown[0]!r}; {remedy}")
    return done


def _train(stage: int, config: Config, paths: Paths) -> None:
    """Train here, or in one process per device, which Lightning starts by the stage's own command."""
    words = ["--config", str(Path(paths.output) / RUN_CONFIG), *path_words(vars(paths))]
    if config.train.devices > 1:
        if status := exit_status(f"train_stage{stage}", words):
            sys.exit(status)
        return
    from bioblobs.training.stage import Stage0CLI, Stage1CLI

    (Stage0CLI, Stage1CLI)[stage](["fit", *words])


def prepare_once(config: Config, paths: Paths) -> None:
    """Prepare, unless the store is there already and whole; the run gets the data report either way."""
    from bioblobs.stages import prepare

    try:
        open_store(paths.prepared, config.data.identity())
    except BioBlobsError:
        _say("prepare")
        prepare.run(config, paths)
    else:
        _say(f"prepared data: {paths.prepared}")
        prepare.publish_report(config, paths)


def _say(title: str) -> None:
    print(f"== {title}", flush=True)
