"""DVC stage ``evaluate``: the test set, read once, by both stages' best models and by baselines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bioblobs.checkpoints.card import completed_card
from bioblobs.checkpoints.file import load_model, write_checkpoint
from bioblobs.config.parsing import parse
from bioblobs.config.schema import Config, Paths
from bioblobs.errors import BioBlobsError, one_line_errors
from bioblobs.evaluation.by_distance import by_distance
from bioblobs.evaluation.by_group import by_class, by_length
from bioblobs.evaluation.by_task import headline_scorer, scorer
from bioblobs.evaluation.checkpoint_summary import checkpoint_summary
from bioblobs.evaluation.chosen_baselines import baseline_probabilities
from bioblobs.evaluation.lookup import read_nearest, similarities
from bioblobs.evaluation.mistakes import worst_mistakes
from bioblobs.evaluation.score_tables import calibrations, confusion, score_table
from bioblobs.evaluation.scores import with_intervals
from bioblobs.evaluation.temperature import (
    calibration_error,
    class_logits,
    fit_temperature,
    without_interval,
)
from bioblobs.evaluation.variants import ablation
from bioblobs.inference.device import choose
from bioblobs.inference.predict import probabilities
from bioblobs.inference.process import begin
from bioblobs.io import Sums, few_chains, with_sums, write_json, write_table
from bioblobs.models.bioblobs import BioBlobs
from bioblobs.store.packed import Store, open_store


@with_sums
def run(config: Config, paths: Paths) -> None:
    """Write test metrics, ablation, plots, the worst mistakes, the final model and the checkpoint summary."""
    seed, resamples = config.train.seed, config.evaluation.bootstrap
    begin(config.train.num_threads)
    store = open_store(paths.prepared, config.data.identity())
    rows = store.rows("test")
    if not len(rows):
        raise BioBlobsError(f"{paths.prepared}: no test protein to evaluate on")
    nearest = read_nearest(Sums(paths.folders).check(Path(paths.output) / "leakage" / "nearest.csv"))
    truth, device = np.asarray(store.labels[rows]), choose(config.train.accelerator)
    (first, card_0), (final, card_1) = (_load(paths, stage, store, device) for stage in (0, 1))
    logits = {"stage0": class_logits(first, store, rows, "stage 0")}
    logits["stage1"] = class_logits(final, store, rows, "stage 1")
    stages = {name: _chance(own, store) for name, own in logits.items()}
    named = config.evaluation.baselines
    chances = {**stages, **baseline_probabilities(named, store, rows, seed, nearest)}
    scorers = {name: scorer(store, truth, chance) for name, chance in chances.items()}
    scores = {name: with_intervals(own, len(rows), resamples, seed) for name, own in scorers.items()}
    metrics, plots, output = Path(paths.metrics), Path(paths.plots), Path(paths.output)
    write_table(plots / "test_scores.csv", score_table(scores))
    for name, chance in chances.items():
        scores[name]["ece"] = without_interval(calibration_error(truth, chance))
    for name, model in (("stage0", first), ("stage1", final)):
        temperature = _temperature(model, store)
        stages[f"{name}_scaled"] = scaled = _chance(logits[name] / temperature, store)
        entry = {"ece": calibration_error(truth, scaled), "temperature": temperature}
        scores[f"{name}_scaled"] = {key: without_interval(value) for key, value in entry.items()}
    write_json(metrics / "test.json", scores)
    write_json(metrics / "ablation.json", ablation(final, store, rows, chances["stage1"], seed))
    write_table(plots / "confusion.csv", confusion(store, truth, chances["stage1"]))
    write_table(plots / "calibration.csv", calibrations(store, truth, stages))
    alike = similarities(store, rows, nearest)
    alone = {name: headline_scorer(store, truth, chance) for name, chance in chances.items()}
    write_table(plots / "by_distance.csv", by_distance(alone, alike, resamples, seed))
    write_table(plots / "by_length.csv", by_length(alone["stage1"], store.lengths[rows], resamples, seed))
    write_table(plots / "by_class.csv", by_class(store, truth, chances["stage1"]))
    write_table(output / "worst_mistakes.csv", worst_mistakes(store, rows, chances["stage1"], nearest))
    made = output / "final_multistage_model.ckpt"
    write_checkpoint(made, final.cpu(), completed_card(card_1, store, scores, config.data.task_title))
    files = [paths.final_checkpoint(stage) for stage in (0, 1)]
    summary = checkpoint_summary(made, files, (card_0, card_1), scores)
    write_json(made.with_name("checkpoint_summary.json"), summary)
    for name, values in scores.items():
        print(f"{name}: " + ", ".join(f"{k} {v['value']}" for k, v in values.items()))
    if note := few_chains(len(rows)):
        print(f"WARNING: {note}")


def _chance(logits: NDArray[np.float64], store: Store) -> NDArray[np.float64]:
    return probabilities(torch.from_numpy(logits), store.multilabel)


def _temperature(model: BioBlobs, store: Store) -> float:
    """Temperature fitted on the validation chains."""
    rows = store.rows("val")
    logits = class_logits(model, store, rows, "validation")
    return fit_temperature(logits, np.asarray(store.labels[rows]))


def _load(paths: Paths, stage: int, store: Store, device: torch.device) -> tuple[BioBlobs, dict[str, Any]]:
    model, card = load_model(paths.final_checkpoint(stage), store.classes)
    return model.to(device), card


def main(args: Sequence[str] | None = None) -> None:
    """Command line of the stage."""
    with one_line_errors():
        run(*parse(__doc__ or "", args))
