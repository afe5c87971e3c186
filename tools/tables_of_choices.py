"""Tables of what was tried, from benchmarks/results/choices.json (`make tried`)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from statistics import fmean
from typing import Any

from marked import ROOT, table

Run = dict[str, Any]
OPTIMIZER = re.compile(r"task_(?P<task>[a-z]+)_(?P<optimizer>adamw|muon)")
"""Name of a run that trained a preset of params/ with one optimizer or the other."""
KEPT = {
    "score": "accuracy (`train.choose_by=score`; the default before)",
    "macro_recall": "**macro recall** (`train.choose_by=macro_recall`)",
    "loss": "cross-entropy",
}
PULL = {"pull1": "1, 5e-5 (the default before)", "default": "**10, 2e-4**"}
"""Runs of stage 1 -> pull toward the codes, and rate."""
REGULAR = {
    "task_enzymecommission_muon_s0": "ec_regular_s0",
    "task_geneontology_muon_s2": "go_regular_s2",
}
"""Run of a preset -> the same with more against overfitting."""


def epochs_kept() -> str:
    """Figures of the epochs that each way to choose one would keep: stage 0 of the default run, all seeds."""
    runs = [run["stage_0"]["if_chosen_by"] for run in _of("default").values()]
    rows = [["the epoch of best", "seeds", "validation accuracy", "macro recall; least", "cross-entropy"]]
    for by, title in KEPT.items():
        kept = [run[by] for run in runs]
        recalls = [each["val_macro_recall"] for each in kept]
        rows.append(
            [
                title,
                str(len(runs)),
                _mean(each["val_acc"] for each in kept),
                f"{_mean(recalls)}; {min(recalls):.3f}",
                _mean(each["val_cls"] for each in kept),
            ]
        )
    return table(rows)


def pull() -> str:
    """Stage 1 with two strengths of the pull toward the codes, each from the stage 0 of its seed."""
    before, now = (_of(name) for name in PULL)
    rows = [["seed", "stage 0: accuracy; macro recall", *PULL.values()]]
    for seed in sorted(set(before) & set(now)):
        stages = (now[seed]["stage_0"], before[seed]["stage_1"], now[seed]["stage_1"])
        rows.append(
            [str(seed), *(f"{each['val_acc']:.3f}; {each['val_macro_recall']:.3f}" for each in stages)]
        )
    return table(rows)


def regular() -> str:
    """Presets of tasks beside the same with dropout, more masking and noise: one seed each."""
    rows = [["task", "run", "epochs", "score after 10", "after 20", "after 40"]]
    named = {run["name"]: run["stage_0"] for run in _runs() if "stage_0" in run}
    for preset, other in REGULAR.items():
        task = preset.split("_")[1]
        for title, run in (("preset", named[preset]), ("dropout, masking, noise", named[other])):
            scores = next(values for name, values in run.items() if name.endswith("_by_epoch"))
            after = [f"{scores[epoch]:.3f}" if epoch in scores else "stopped" for epoch in ("10", "20", "40")]
            rows.append([f"`{task}`", title, str(run["epochs"]), *after])
    return table(rows)


def optimizers() -> str:
    """Both optimizers on the tasks' presets, by validation: means over the seeds that were trained."""
    found: dict[tuple[str, str], list[Run]] = {}
    for run in _runs():
        if named := OPTIMIZER.match(run["name"]):
            found.setdefault((named["task"], named["optimizer"]), []).append(run)
    head = ["task", "optimizer", "seeds", "epochs", "training loss, epoch kept", "least validation loss"]
    rows = [[*head, "stage 0: accuracy or Fmax", "last three", "stage 1"]]
    for (task, optimizer), runs in sorted(found.items()):
        score = "val_fmax" if "val_fmax" in runs[0]["stage_0"] else "val_acc"
        cells = [("stage_0", name) for name in ("train_cls", "val_cls_least", score, f"{score}_last_3")]
        cells.append(("stage_1", score))
        means = [_mean(run[stage][name] for run in runs) for stage, name in cells]
        rows.append([f"`{task}`", optimizer, str(len(runs)), str(runs[0]["stage_0"]["epochs"]), *means])
    return table(rows)


def _runs() -> list[Run]:
    return list(json.loads((ROOT / "benchmarks" / "results" / "choices.json").read_text()))


def _of(name: str) -> dict[int, Run]:
    """Runs called ``NAME_sSEED``, by seed."""
    found = [(re.fullmatch(rf"{name}_s(\d+)", run["name"]), run) for run in _runs()]
    return {int(named[1]): run for named, run in found if named}


def _mean(values: Iterable[float]) -> str:
    return f"{fmean(values):.3f}"
