"""DVC stage ``evaluate``: the test set, read once, by both stages' best models and by two baselines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve

from bioblobs.checkpoints.card import completed_card
from bioblobs.checkpoints.file import check_classes, load_model, write_checkpoint
from bioblobs.config.parsing import parse
from bioblobs.config.schema import Config, Paths
from bioblobs.errors import BioBlobsError, one_line_errors
from bioblobs.evaluation.ablation import (
    blobs_of_another,
    random_partition,
    with_input,
    without_blobs,
)
from bioblobs.evaluation.baselines import composition_regression, majority
from bioblobs.evaluation.scores import Scorer, multi_label_scorer, single_label_scorer, with_intervals
from bioblobs.inference.predict import class_probabilities
from bioblobs.inference.process import begin
from bioblobs.io import write_json, write_table
from bioblobs.models.bioblobs import BioBlobs
from bioblobs.store.batches import Rows
from bioblobs.store.packed import Store, open_store

CALIBRATION_BINS = 10


def run(config: Config, paths: Paths) -> None:
    """Write test metrics, ablation, plots, the final model and the checkpoint summary."""
    seed = config.train.seed
    begin(config.train.num_threads)
    store = open_store(paths.prepared, config.data.identity())
    rows = store.rows("test")
    if not len(rows):
        raise BioBlobsError(f"{paths.prepared}: no test protein to evaluate on")
    truth = np.asarray(store.labels[rows])
    models = [_load(paths, stage, store) for stage in (0, 1)]
    chances = {
        "stage0": class_probabilities(models[0][0], store, rows, "stage 0"),
        "stage1": class_probabilities(models[1][0], store, rows, "stage 1"),
        "majority": majority(store, rows),
        "composition": composition_regression(store, rows, seed),
    }
    scores = {
        name: with_intervals(_scorer(store, truth, chance), len(rows), config.evaluation.bootstrap, seed)
        for name, chance in chances.items()
    }
    metrics, plots = Path(paths.metrics), Path(paths.plots)
    write_json(metrics / "test.json", scores)
    write_json(metrics / "ablation.json", ablation(models[1][0], store, rows, chances["stage1"], seed))
    write_table(plots / "confusion.csv", confusion(store, truth, chances["stage1"]))
    curves = {name: calibration(store, truth, chances[name]) for name in ("stage0", "stage1")}
    write_table(plots / "calibration.csv", pd.concat(curves, names=["group"]).reset_index("group"))
    write_table(plots / "test_scores.csv", score_table(scores))
    _final_model(paths, models, scores, store)
    for name, values in scores.items():
        print(f"{name}: " + ", ".join(f"{k} {v['value']}" for k, v in values.items()))


def ablation(
    model: BioBlobs, store: Store, rows: Rows, whole: NDArray[np.float64], seed: int
) -> dict[str, Any]:
    """Headline score and mean change of the class probabilities, with blobs changed or taken away."""
    truth = np.asarray(store.labels[rows])
    variants = {
        "quantised_blobs": with_input("quantised"),
        "raw_blobs": with_input("raw"),
        "without_blobs": without_blobs,
        "blobs_of_another_protein": blobs_of_another,
    }
    chances = {
        name: class_probabilities(model, store, rows, name, forward) for name, forward in variants.items()
    }
    with random_partition(model, seed):
        chances["random_partition"] = class_probabilities(model, store, rows, "random partition")
    everything = np.arange(len(rows))
    return {
        name: {
            headline(store): round(_scorer(store, truth, chance)(everything)[headline(store)], 6),
            "mean_probability_change": round(float(np.abs(chance - whole).mean()), 6),
        }
        for name, chance in {"as_trained": whole, **chances}.items()
    }


def headline(store: Store) -> str:
    """The score that a task is known by."""
    return "fmax" if store.multilabel else "accuracy"


def confusion(store: Store, truth: NDArray[Any], chance: NDArray[np.float64]) -> pd.DataFrame:
    """One row a test protein (and, if multi-label, a true term): actual and predicted class name."""
    names = np.array([*store.class_names, "class unseen in training"])
    if not store.multilabel:
        return pd.DataFrame({"actual": names[truth], "predicted": names[chance.argmax(1)]})
    protein, term = np.nonzero(truth)
    found = chance[protein, term] >= 0.5
    return pd.DataFrame({"actual": names[term], "predicted": np.where(found, names[term], "not predicted")})


def calibration(store: Store, truth: NDArray[Any], chance: NDArray[np.float64]) -> pd.DataFrame:
    """Mean confidence and observed share of right predictions, in bins of equal width.

    Single-label: of the predicted class. Multi-label: of every (protein, term).
    """
    if store.multilabel:
        right, confidence = truth.ravel().astype(int), chance.ravel()
    else:
        right, confidence = (chance.argmax(1) == truth).astype(int), chance.max(1)
    observed, mean = calibration_curve(right, confidence, n_bins=CALIBRATION_BINS)
    return pd.DataFrame({"confidence": mean, "observed": observed})


def score_table(scores: dict[str, Any]) -> pd.DataFrame:
    """One row a (predictor, score), for the bar plot."""
    return pd.DataFrame(
        [
            {"predictor": name, "score": score, **interval}
            for name, values in scores.items()
            for score, interval in values.items()
            if interval["value"] is not None
        ]
    )


def _load(paths: Paths, stage: int, store: Store) -> tuple[BioBlobs, dict[str, Any]]:
    path = paths.final_checkpoint(stage)
    model, card = load_model(path)
    check_classes(path, card, store.classes)
    return model, card


def _scorer(store: Store, truth: NDArray[Any], chance: NDArray[np.float64]) -> Scorer:
    return (multi_label_scorer if store.multilabel else single_label_scorer)(truth, chance)


def _final_model(
    paths: Paths, models: list[tuple[BioBlobs, dict[str, Any]]], scores: dict[str, Any], store: Store
) -> None:
    """The model to hand on, with all that its card should say; and what each checkpoint is."""
    output = Path(paths.output)
    final = output / "final_multistage_model.ckpt"
    model, card = models[1]
    write_checkpoint(final, model, completed_card(card, store, scores["stage1"]))
    summary: dict[str, Any] = {"final_model": final.name}
    for stage, (_, card) in enumerate(models):
        folder = paths.stage(stage)
        best = sorted(folder.glob(f"best-stage{stage}-*.ckpt"))
        summary[f"stage_{stage}"] = {
            "best": f"{folder.name}/{best[0].name}" if best else None,
            "last": f"{folder.name}/last.ckpt",
            "final": f"{folder.name}/{paths.final_checkpoint(stage).name}",
            "epoch": card["epoch"],
            "validation": card["validation"],
            "test": scores[f"stage{stage}"],
        }
    summary["baselines"] = {name: scores[name] for name in ("majority", "composition")}
    write_json(output / "checkpoint_summary.json", summary)


def main(args: Sequence[str] | None = None) -> None:
    """Command line of the stage."""
    with one_line_errors():
        run(*parse(__doc__ or "", args))


if __name__ == "__main__":
    main()
