"""Tables of what was tried, from benchmarks/results/choices.json (`make tried`)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
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
STAGE0 = {
    "attention, context (the default before)": "attn",
    "additive, alone, first encoder as large as the second ([32, 4], two layers)": "base12x45",
    "**first encoder [16, 2], one layer; weights averaged (ema)**": "cut16",
    "[16, 2], one layer, ema; seed 0 of today's default": "default_s0",
    "[16, 2], one layer, ema; second encoder [48, 6] (stopped after 7 epochs)": "w48",
    "[16, 2], one layer, ema; `train.class_weights=balanced` (stopped after 6 epochs)": "bal",
    "second encoder [48, 6], three layers; seed 0": "w48x3",
    "second encoder [48, 6], no dropout, rate 1e-3; seed 0": "d0",
    "rate 4e-3; seed 0": "lr4",
    "seeds of blobs by centrality in the graph (`seed_prior`), core first": "p3",
    "the same, rim first": "m3",
    "rim first, ema; seed 0": "m3ema",
    "rim first, ema; seed 1": "m3ema_s1",
    "rim first, ema, the cut at a twentieth of the learning rate; seed 0": "cl05",
    "the same; seed 1": "cl05_s1",
}
"""What a run tried -> its name."""
STAGE0_COLUMNS = {
    "epochs": "{epochs}",
    "accuracy": "{val_acc:.3f}",
    "macro recall": "{val_macro_recall:.3f}",
    "last three": "{val_acc_last_3:.3f}",
    "blob size; coverage": "{blob_size:.0f}; {coverage:.2f}",
}
ENZYME_CLASS = {
    "[64, 8], rate 2e-3, batches of 8": "ecw64",
    "[32, 4], three layers, no dropout, rate 5e-3, batches of 8": "ecv1",
    "**[48, 6], two layers, no dropout, rate 1e-3, batches of 16**": "ecv2",
}
ENZYME_CLASS_COLUMNS = {
    "epochs": "{epochs}",
    "training loss": "{train_cls:.2f}",
    "validation accuracy, best": "{val_acc:.3f}",
}
STAGE1 = {
    "512 codes, l2, rate 5e-4": "m3k512",
    "512 codes, cosine, rate 5e-4": "m3k512cos",
    "512 codes, cosine, k-means over all training batches, rate 2e-4": "cosA",
    "the same, rate 5e-5 (the default until the change below)": "cosB",
}
NOISE = {"none": "default", "noise of 0.2 angstrom, 0.1 of the residue types hidden": "noise02_mask01"}
NOISE_APART = {
    "none": "default",
    "noise of 0.1 angstrom": "noise01",
    "0.15 of the residue types hidden": "mask015",
}
ONE_KEY = {
    "the preset": "ec10",
    "20 neighbours in place of 10 (`data.edge_types=knn_20`)": "ec10_knn20",
    "weights not averaged (`train.weight_averaging=none`)": "ec10_noema",
}
START = {"drawn at random (the preset)": "ec10", "has learned to name hidden residues": "ec10_start"}
RATES = {
    "**Muon's matrices at 3e-3, all else at 1e-3, batches of 8** (the preset)": "ec_muon6",
    "both at 3e-3": "ec_muon6_rate3e-3",
}
SCOP_CLASS = {"AdamW, 2e-3 (the default)": "default", "Muon's matrices at 3e-3, all else at 1e-3": "muon"}
MORE_CODES = {"512 (the default)": "default", "1,024": "codes1024_now"}
CODES = {
    "superfamily": ("superfamily_raw", "superfamily_codes512", "superfamily_codes2048"),
    "proteinfamily": ("task_proteinfamily_muon", "proteinfamily_codes512", "proteinfamily_codes2048"),
    "enzymecommission": ("ec_structure_raw", "ec_structure_codes512"),
}
"""Task -> runs with blobs as they are, and with codes, as the readout's input."""
FIGURES = {
    "accuracy": "val_acc",
    "macro recall": "val_macro_recall",
    "last three": "val_acc_last_3",
    "training loss": "train_cls",
    "validation loss": "val_cls",
}
OVER_SEEDS = ("seeds", "epochs", *FIGURES)
"""Headings of what :func:`_variants` gives after the title."""


def singly(runs: Mapping[str, str], columns: Mapping[str, str]) -> str:
    """Stage 0 of single runs.

    Args:
        columns: heading -> how its cell is written, with figures of the run by their names.
    """
    named = _named("stage_0")
    rows = [["run", *columns]]
    for title, name in runs.items():
        rows.append([title, *(cell.format(**named[name]["stage_0"]) for cell in columns.values())])
    return table(rows)


def stage1() -> str:
    """Stage 1 of the variants that led to the default, each beside the stage 0 that it began with."""
    named = _named("stage_1")
    rows = [["codes", "epochs", "stage 0", "stage 1", "last three"]]
    for title, name in STAGE1.items():
        before, after = (named[name][f"stage_{stage}"] for stage in (0, 1))
        scores = (before["val_acc"], after["val_acc"], after["val_acc_last_3"])
        rows.append([title, str(after["epochs"]), *(f"{score:.3f}" for score in scores)])
    return table(rows)


def variants(runs: Mapping[str, str], stage: int = 0) -> str:
    """One stage of some variants, over the seeds that all of them have."""
    return table([["run", *OVER_SEEDS], *_variants(runs, stage)])


def codes_as_input() -> str:
    """Stage 1 with blobs as they are, and with codes, as the readout's input."""
    titles = ("**blobs as they are**, 512 codes", "codes: 512", "codes: 2,048, ten epochs at 5e-4")
    rows = [["task", "readout gets", *OVER_SEEDS]]
    for task, names in CODES.items():
        of_task = _variants(dict(zip(titles, names, strict=False)), 1)
        rows += [[f"`{task}`", *row] for row in of_task]
    return table(rows)


def _variants(runs: Mapping[str, str], stage: int) -> list[list[str]]:
    """Title, number of seeds, epochs and mean figures at the epoch that was kept, per variant."""
    found = {title: _of(name) for title, name in runs.items()}
    seeds = set.intersection(*map(set, found.values()))
    rows = []
    for title, of_seed in found.items():
        kept = [of_seed[seed][f"stage_{stage}"] for seed in sorted(seeds)]
        means = [_mean(run[name] for run in kept) for name in FIGURES.values()]
        rows.append([title, str(len(kept)), str(kept[0]["epochs"]), *means])
    return rows


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
    named = _named("stage_0")
    for preset, other in REGULAR.items():
        task = preset.split("_")[1]
        for title, run in (("preset", preset), ("dropout, masking, noise", other)):
            figures = named[run]["stage_0"]
            scores = next(values for name, values in figures.items() if name.endswith("_by_epoch"))
            after = [f"{scores[epoch]:.3f}" if epoch in scores else "stopped" for epoch in ("10", "20", "40")]
            rows.append([f"`{task}`", title, str(figures["epochs"]), *after])
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


def _named(stage: str) -> dict[str, Run]:
    """Runs that have a stage, by name."""
    return {run["name"]: run for run in _runs() if stage in run}


def _of(name: str) -> dict[int, Run]:
    """Runs called ``NAME_sSEED``, by seed."""
    found = [(re.fullmatch(rf"{name}_s(\d+)", run["name"]), run) for run in _runs()]
    return {int(named[1]): run for named, run in found if named}


def _mean(values: Iterable[float]) -> str:
    return f"{fmean(values):.3f}"
