"""Tables of the other tasks, from metrics/tasks/."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd

from bioblobs.evaluation.trained_baselines import TRAINED
from bioblobs.report.score_rows import PREDICTORS, score_title
from marked import ROOT, over_seeds, table

TITLES = {
    "enzymecommission": "enzyme class",
    "superfamily": "SCOP superfamily",
    "proteinfamily": "Pfam family",
    "geneontology": "GO terms",
}
TASK_COLUMNS = {
    "stage0": "stage 0",
    "stage1": "stage 1",
    "composition": "composition",
    "kmers": "3-mers",
    "nearest_sequence": "nearest by sequence",
    "nearest_structure": "nearest by structure",
    "majority": "majority",
}


def tasks() -> str:
    """What `make tasks` found: per task and split, over its seeds."""
    rows = [["task", "split", "score", "seeds", *TASK_COLUMNS.values()]]
    for (task, split), seeds in _scores().items():
        name = next(iter(seeds[0]["stage1"]))  # accuracy, or Fmax
        cells = [over_seeds([scores[key][name] for scores in seeds]) for key in TASK_COLUMNS]
        rows.append([f"`{task}`", split, name, str(len(seeds)), *cells])
    return table(rows)


def of_preset(task: str) -> str:
    """What a preset reached on each split, as comment lines of its file."""
    found = {split: seeds for (name, split), seeds in _scores().items() if name == task}
    score = next(iter(next(iter(found.values()))[0]["stage1"]))
    head = "mean and range over the seeds, or one seed's 95 % interval"
    lines = [f"Stage 1 on the test chains, {score_title(score)}: {head}:"]
    for split, seeds in found.items():
        value = over_seeds([scores["stage1"][score] for scores in seeds])
        lines.append(f"  {split}: {value}, {len(seeds)} {'seeds' if len(seeds) > 1 else 'seed'}")
    return "\n".join(f"# {line}" for line in lines)


SUMMARY = ("stage1", "composition", "nearest_sequence", "nearest_structure")
SPLITS = ("random", "sequence 0.3", "structure 0.7")


def task_summary() -> str:
    """The model beside what is simple, on all four tasks: means over the seeds, in the order of SUMMARY."""
    rows, scores = [["task", *SPLITS]], _scores()
    for task, title in TITLES.items():
        rows.append([title, *(_means(scores.get((task, split), [])) for split in SPLITS)])
    return table(rows)


def _means(seeds: list[dict[str, Any]]) -> str:
    """Mean over the seeds of the first score of each of SUMMARY."""
    if not seeds:
        return "not trained"
    name = next(iter(seeds[0]["stage1"]))
    means = [fmean(scores[key][name]["value"] for scores in seeds) for key in SUMMARY]
    return f"**{means[0]:.2f}** · " + " · ".join(f"{mean:.2f}" for mean in means[1:])


FEWEST = 10
"""Test chains that a row of chains unlike training must have."""
FAR = (("identity", "0 to 0.3"), ("tm_score", "0 to 0.5"))
"""Measure and bin of the test chains that are unlike training."""
ABOVE, LEVEL, BELOW, TOO_FEW = "+", "=", "-", "·"


def verdicts() -> str:
    """Stage 1 beside each baseline: above, level or below, on all test chains and on those of FAR."""
    beside = {key: title for key, title in TASK_COLUMNS.items() if key not in ("stage0", "stage1")}
    tables = _task_files(".csv")
    rows = [["task", "split", *beside.values()]]
    for run, seeds in _scores().items():
        name = next(iter(seeds[0]["stage1"]))
        regimes = [{key: [scores[key][name] for scores in seeds] for key in TASK_COLUMNS}]
        for measure, bin_ in FAR:
            chains, scores = _in_bin(tables[run], measure, bin_)
            regimes.append(scores if chains >= FEWEST else {})
        cells = [" ".join(_verdict(each, key) for each in regimes) for key in beside]
        rows.append([f"`{run[0]}`", run[1], *cells])
    return table(rows)


def _verdict(scores: Mapping[str, list[Any]], baseline: str) -> str:
    """Sign of stage 1 beside a baseline, by its interval: a mean over seeds, and at least their range."""
    if not scores:
        return TOO_FEW
    own, other = scores["stage1"], scores[baseline][0]
    values = [each["value"] for each in own]
    low = min(fmean(each["low"] for each in own), *values)
    high = max(fmean(each["high"] for each in own), *values)
    return ABOVE if low > other["high"] else BELOW if high < other["low"] else LEVEL


def far(measure: str, bin_: str) -> str:
    """Scores on the test chains in one bin of likeness to training: per task and split, over its seeds.

    Args:
        measure: identity or tm_score.
        bin_: as metrics/tasks/*.csv names it: ``0 to 0.3``.
    """
    rows = [["task", "split", "chains", *TASK_COLUMNS.values()]]
    for (task, split), paths in _task_files(".csv").items():
        chains, scores = _in_bin(paths, measure, bin_)
        if chains < FEWEST:
            continue
        cells = [over_seeds(scores[key]) for key in TASK_COLUMNS]
        rows.append([f"`{task}`", split, str(chains), *cells])
    return table(rows)


def mean_embedding() -> str:
    """Regression on the mean embedding of a chain, beside that on composition (benchmarks/embeddings.py)."""
    found = json.loads((ROOT / "benchmarks" / "results" / "embeddings.json").read_text())["rows"]
    rows = [["task", "split", "train, val, test", "mean embedding", "composition"]]
    for made, simple in zip(found[::2], found[1::2], strict=True):
        chains = ", ".join(str(made[part]) for part in ("train", "val", "test"))
        rows.append(
            [made["task"], made["split"], chains, *(over_seeds([x["test_accuracy"]]) for x in (made, simple))]
        )
    return table(rows)


def task_calibration() -> str:
    """Temperature of stage 1 on the tasks, and its calibration error before and after."""
    rows = [["task", "split", "seeds", "temperature", "calibration error before", "after"]]
    for (task, split), seeds in _scores().items():
        places = (("stage1_scaled", "temperature"), ("stage1", "ece"), ("stage1_scaled", "ece"))
        cells = [over_seeds([scores[key][name] for scores in seeds]) for key, name in places]
        rows.append([f"`{task}`", split, str(len(seeds)), *cells])
    return table(rows)


def task_baselines() -> str:
    """Trained baselines of the tasks (`make tasks BASELINES=yes`) beside stage 0 of the same seeds."""
    heads = {"stage0": "learned blobs (stage 0)", **{key: PREDICTORS[key] for key in TRAINED}}
    if not (files := _task_files(".csv", "baselines")):
        return "Not trained yet."
    rows = [["task", "split", "test chains", "seeds", *heads.values()]]
    for (task, split), paths in files.items():
        stages = [path.parents[1] / path.name for path in paths]
        chains, near = _in_bin([*stages, *paths], "identity", "0 to 0.3")
        for name, runs in (("all", _all_chains(paths)), (f"{chains} below 30 % identity", near)):
            cells = [over_seeds(runs[key]) if key in runs else "not trained" for key in heads]
            rows.append([f"`{task}`", split, name, str(len(paths)), *cells])
    return table(rows)


def _all_chains(paths: list[Path]) -> dict[str, list[Any]]:
    """First score of stage 0 and of the baselines that were trained, one per seed."""
    found: dict[str, list[Any]] = {}
    for path in paths:
        own = json.loads((path.parents[1] / path.name).with_suffix(".json").read_text())["stage0"]
        name, trained = next(iter(own)), json.loads(path.with_suffix(".json").read_text())["baselines"]
        found.setdefault("stage0", []).append(own[name])
        for key, each in trained.items():
            found.setdefault(key, []).append(next(iter(each["runs"].values()))[name])
    return found


def _scores() -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Task and split -> test scores of each seed: predictor -> score -> {value, low, high}."""
    files = _task_files(".json").items()
    return {run: [json.loads(path.read_text()) for path in paths] for run, paths in files}


def _in_bin(paths: list[Path], measure: str, bin_: str) -> tuple[int, dict[str, list[Any]]]:
    """Test chains in one bin of likeness, and predictor -> its rows there, one per seed."""
    found = pd.concat([pd.read_csv(path) for path in paths])
    found = found[(found["measure"] == measure) & (found["bin"] == bin_)]
    chains = int(found["chains"].iloc[0]) if len(found) else 0
    return chains, {str(name): each.to_dict("records") for name, each in found.groupby("predictor")}


def _task_files(ending: str, folder: str = ".") -> dict[tuple[str, str], list[Path]]:
    """Task and split -> files of its seeds (metrics/tasks/TASK-SPLIT-SEED.*, or those of a folder there)."""
    found: dict[tuple[str, str], list[Path]] = {}
    for path in sorted((ROOT / "metrics" / "tasks" / folder).glob(f"*-*-*{ending}")):
        task, split, _ = path.stem.rsplit("-", 2)
        found.setdefault((task, split.replace("_", " ")), []).append(path)
    return found
