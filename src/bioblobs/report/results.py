"""Results of the other stages, as the report reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bioblobs import io
from bioblobs.errors import BioBlobsError
from bioblobs.inference.chain import Chain
from bioblobs.sums import Sums

Judge = Callable[[Mapping[str, Any], Any], tuple[Sequence[Mapping[str, Any]], str]]
"""Contents of metrics/faithfulness.json and of metrics/seeds.json (or None) -> checks, verdict over all."""
Credited = Callable[[Mapping[str, Any] | None, Mapping[str, Any], int], bool]
"""What results were made with, model, stage -> whether they hold for it (bioblobs.config.recipe)."""


@dataclass(frozen=True)
class Results:
    """Contents of the files that the report is made of.

    Attributes:
        report: outputs/interpretability/test_interpretability.json.
        chains: its proteins.
        model: outputs/interpretability/model.json.
        data: metrics/data.json.
        classes: plots/data_classes.csv.
        leakage: metrics/leakage.json.
        nearest: outputs/leakage/nearest.csv; None where likeness was not measured.
        test: metrics/test.json.
        trained: metrics/baselines.json: trained baseline -> scores on the test set; empty where it has none
            of this seed, recipe and data.
        by_length, by_class, by_distance: plots/by_length.csv, plots/by_class.csv, plots/by_distance.csv; with
            the rows of these baselines (plots/baselines_by_distance.csv).
        mistakes: outputs/worst_mistakes.csv.
        ablation: metrics/ablation.json.
        faithfulness: metrics/faithfulness.json.
        checks: what they say, and of other seeds: name, holds (None: not measured), figure and text.
        verdict: over all checks: "green", "amber" or "red".
        deletion, insertion: plots/faithfulness_deletion.csv, plots/faithfulness_insertion.csv.
    """

    report: Mapping[str, Any]
    chains: Sequence[Chain]
    model: Mapping[str, Any]
    data: Mapping[str, Any]
    classes: pd.DataFrame
    leakage: Mapping[str, Any]
    nearest: pd.DataFrame | None
    test: Mapping[str, Any]
    trained: Mapping[str, Any]
    by_length: pd.DataFrame
    by_class: pd.DataFrame
    by_distance: pd.DataFrame
    mistakes: pd.DataFrame
    ablation: Mapping[str, Any]
    faithfulness: Mapping[str, Any]
    checks: Sequence[Mapping[str, Any]]
    verdict: str
    deletion: pd.DataFrame
    insertion: pd.DataFrame


@dataclass(frozen=True)
class Folders:
    """Folders of the other stages' results."""

    output: Path
    metrics: Path
    plots: Path

    @property
    def interpretability(self) -> Path:
        """Folder of what ``interpret`` wrote."""
        return self.output / "interpretability"

    @property
    def mistakes(self) -> Path:
        """The wrong test predictions that the model is surest of."""
        return self.output / "worst_mistakes.csv"

    @property
    def report_file(self) -> Path:
        """The explained test proteins."""
        return self.interpretability / "test_interpretability.json"


def read_results(
    folders: Folders, report: Mapping[str, Any], chains: Sequence[Chain], judge: Judge, credited: Credited
) -> Results:
    """Read the results of the other stages, beside the report of interpret.

    Raises:
        BioBlobsError: naming the file that is missing or cannot be read.
    """
    check_unchanged(folders)
    metrics, plots = folders.metrics, folders.plots
    model = read_json(folders.interpretability / "model.json")
    faithfulness = read_json(metrics / "faithfulness.json")
    checks, verdict = judge(faithfulness, _made_for(metrics / "seeds.json", model, credited, 1))
    nearest = folders.output / "leakage" / "nearest.csv"
    seed = str(report["seed"])
    trained = _of_seed(_made_for(metrics / "baselines.json", model, credited, 0), seed)
    return Results(
        report=report,
        chains=chains,
        model=model,
        data=read_json(metrics / "data.json"),
        classes=_read_table(plots / "data_classes.csv"),
        leakage=read_json(metrics / "leakage.json"),
        nearest=_read_table(nearest) if nearest.exists() else None,
        test=read_json(metrics / "test.json"),
        trained=trained,
        by_length=_read_table(plots / "by_length.csv"),
        by_class=_read_table(plots / "by_class.csv"),
        by_distance=_by_distance(plots, seed if trained else None),
        mistakes=_read_table(folders.mistakes),
        ablation=read_json(metrics / "ablation.json"),
        faithfulness=faithfulness,
        checks=checks,
        verdict=verdict,
        deletion=_read_table(plots / "faithfulness_deletion.csv"),
        insertion=_read_table(plots / "faithfulness_insertion.csv"),
    )


def check_unchanged(folders: Folders) -> None:
    """Compare the files that the report is made of with what their stages wrote.

    Raises:
        BioBlobsError: naming the file that differs.
    """
    sums = Sums({"metrics": folders.metrics, "plots": folders.plots, "output": folders.output})
    metrics = ("data", "leakage", "test", "ablation", "faithfulness")
    groups = ("by_length", "by_class", "by_distance")
    plots = ("data_classes", *groups, "faithfulness_deletion", "faithfulness_insertion")
    read = [folders.metrics / f"{name}.json" for name in metrics]
    read += [folders.plots / f"{name}.csv" for name in plots]
    read += [folders.mistakes, folders.output / "leakage" / "nearest.csv"]
    for path in [*read, *folders.interpretability.rglob("*")]:
        sums.check(path)


def need(path: Path) -> Path:
    """Return the path of a file that is there.

    Raises:
        BioBlobsError: it is not, and which command makes it.
    """
    if not path.exists():
        raise BioBlobsError(f"{path}: not there; run the stage that makes it first (dvc repro)")
    return path


def read_json(path: Path) -> Any:
    """Read a file of results.

    Raises:
        BioBlobsError: it is missing, or no JSON.
    """
    return io.read_json(need(path), dict, "run the stage that makes it again")


def _made_for(path: Path, model: Mapping[str, Any], credited: Credited, stage: int) -> Any:
    """Results of `make seeds` or `make baselines` if they hold for this model; else None."""
    found = read_json(path) if path.exists() else None
    return found if found and credited(found.get("made_with"), model, stage) else None


def _of_seed(found: Any, seed: str) -> dict[str, Any]:
    """Scores of each trained baseline with this seed."""
    if found is None:
        return {}
    return {name: own["runs"][seed] for name, own in found["baselines"].items() if seed in own["runs"]}


def _by_distance(plots: Path, seed: str | None) -> pd.DataFrame:
    """Rows of plots/by_distance.csv, and of trained baselines with one seed unless that is None."""
    table, more = _read_table(plots / "by_distance.csv"), plots / "baselines_by_distance.csv"
    if seed is None or not more.exists():
        return table
    trained = _read_table(more)
    return pd.concat([table, trained[trained["seed"].astype(str) == seed]])


def _read_table(path: Path) -> pd.DataFrame:
    kept_as_text = dict.fromkeys(("class", "name", "id", "length", "actual", "predicted"), str)
    empty = {name: [""] for name in ("identity", "tm_score", "probability_of_actual", "low", "high", "value")}
    try:
        return pd.read_csv(need(path), dtype=kept_as_text, keep_default_na=False, na_values=empty)
    except (OSError, ValueError) as error:
        said = " ".join(str(error).split())
        raise BioBlobsError(f"{path}: not a table ({said}); run the stage that makes it again") from error
