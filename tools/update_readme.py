"""Redraw what README and docs/results.md show: tables from metrics/, pictures from `dvc plots show`.

`make readme` runs it. With ``--check`` it changes nothing and fails where a page's tables are not those that
metrics/ holds.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bioblobs.evaluation import over_seeds
from bioblobs.io import interval
from bioblobs.report.chart import RANKINGS
from marked import between, spread, table

ROOT = Path(__file__).resolve().parents[1]
README, RESULTS, CHOICES = ROOT / "README.md", ROOT / "docs" / "results.md", ROOT / "docs" / "choices.md"
PICTURES = ROOT / "docs" / "pictures"
SHOWN = {
    "plots/test_scores.csv": "test_scores",
    "plots/confusion.csv": "confusion",
    "Validation score": "validation_score",
    "plots/calibration.csv": "calibration",
    "plots/blob_importance.csv": "blob_importance",
    "plots/blob_sizes.csv": "blob_sizes",
    "plots/codebook_usage.csv": "codebook_usage",
    "Deletion": "deletion",
    "Insertion": "insertion",
    "plots/faithfulness_masking.csv": "hidden_blobs",
    "Stability": "stability",
    "Seeds": "seeds",
    "plots/data_classes.csv": "chains_per_class",
    "plots/data_lengths.csv": "chain_lengths",
    "plots/leakage.csv": "leakage",
    "Baselines": "by_distance",
    "plots/by_length.csv": "by_length",
    "plots/by_class.csv": "by_class",
}
"""Plot of dvc.yaml -> file in docs/pictures."""
PREDICTORS = {
    "stage1": "stage 1 (fine-tuned, codebook)",
    "stage0": "stage 0 (baseline)",
    "nearest_sequence": "nearest training chain by sequence",
    "nearest_structure": "nearest training chain by structure (TM-align)",
    "kmers": "logistic regression on 3-mers",
    "composition": "logistic regression on composition",
    "majority": "majority class",
}


def results() -> str:
    """Test metrics of the default run."""
    scores = json.loads((ROOT / "metrics" / "test.json").read_text())
    names = list(scores["stage1"])
    rows = [["test set", *(name.replace("_", " ") for name in names)]]
    shown = {key: title for key, title in PREDICTORS.items() if key in scores}
    rows += [[title, *(interval(scores[key][n]) for n in names)] for key, title in shown.items()]
    return table(rows)


TRAINED = {
    "random_blobs": "connected blobs grown at random",
    "topk_pooling": "TopKPooling's residues, no blobs",
    "mean_pooling": "mean of all residues, no blobs",
}
"""Baseline that `make baselines` trains -> what is read."""


def baselines() -> str:
    """Trained baselines (`make baselines`) below stage 0, which differs from them in the partition alone."""
    found = json.loads((ROOT / "metrics" / "baselines.json").read_text())["baselines"]
    others = json.loads((ROOT / "metrics" / "seeds.json").read_text())["runs"]
    scores = {"accuracy": "stage0_accuracy", "macro_recall": "stage0_macro_recall"}
    shown = {key: title for key, title in TRAINED.items() if key in found}
    seeds = [seed for seed in others if all(seed in found[key]["runs"] for key in shown)]
    rows = [["test set", "seeds", *(name.replace("_", " ") for name in scores), "validation accuracy"]]
    learned = [{name: others[seed][own] for name, own in scores.items()} for seed in seeds]
    validation = [others[seed]["stage0_validation_score"] for seed in seeds]
    rows.append(["learned blobs (stage 0)", *_cells(learned, scores, validation)])
    for key, title in shown.items():
        runs = [found[key]["runs"][seed] for seed in seeds]
        validation = [found[key]["validation"][seed]["score"] for seed in seeds]
        rows.append([title, *_cells(runs, scores, validation)])
    return table(rows)


def _cells(runs: Sequence[Mapping[str, Any]], names: Iterable[str], validation: Sequence[float]) -> list[str]:
    """Number of runs, each test score over them, and the validation score."""
    scores = [_over_seeds([run[name] for run in runs]) for name in names]
    alone = [{"value": value, "low": None, "high": None} for value in validation]
    return [str(len(runs)), *scores, _over_seeds(alone)]


def calibration() -> str:
    """Temperature scaling of both stages, before and after."""
    scores = json.loads((ROOT / "metrics" / "test.json").read_text())
    if "stage1_scaled" not in scores:
        return "Not measured yet: `make repro`."
    rows = [["test set", "temperature", "calibration error before", "after"]]
    for key in ("stage1", "stage0"):
        scaled = scores[f"{key}_scaled"]
        values = (scaled["temperature"], scores[key]["ece"], scaled["ece"])
        rows.append([PREDICTORS[key], *(interval(value) for value in values)])
    return table(rows)


def ablation() -> str:
    """Ablation of the default run."""
    found = json.loads((ROOT / "metrics" / "ablation.json").read_text())
    score = next(iter(found["as_trained"]))
    rows = [["stage 1 read out with", score, "mean change of a probability"]]
    rows += [
        [name.replace("_", " "), f"{v[score]:.3f}", f"{v['mean_probability_change']:.4f}"]
        for name, v in found.items()
    ]
    return table(rows)


def explanations() -> str:
    """Blobs and codes of the default run."""
    m = json.loads((ROOT / "metrics" / "interpretability.json").read_text())
    blobs, codes = m["blobs"], m["codebook"]
    rows = [
        ["measured on the test set", "value"],
        ["blobs per protein; mean size", f"{blobs['per_protein']:.1f}; {blobs['mean_size']:.1f} residues"],
        ["residues in a blob", f"{blobs['mean_coverage']:.1%}"],
        ["blobs at the size cap", f"{blobs['share_at_cap']:.1%}"],
        ["codes in use; perplexity", f"{codes['codes_used']} of {codes['codes']}; {codes['perplexity']:.1f}"],
        ["importance of the top blob", f"{m['importance']['mean_of_top_blob']:.3f}"],
    ]
    return table(rows)


def faithfulness() -> str:
    """Areas under the deletion and insertion curves, and how much better importance is."""
    m = json.loads((ROOT / "metrics" / "faithfulness.json").read_text())
    rows = [["residues ranked by", "deletion area", "importance gains", "insertion area", "importance gains"]]
    for name, (title, *_) in RANKINGS.items():
        gains = [
            interval(m[f"{mode}_gain"][name]) if name in m[f"{mode}_gain"] else ""
            for mode in ("deletion", "insertion")
        ]
        rows.append(
            [
                title,
                interval(m["deletion"][name]),
                gains[0],
                interval(m["insertion"][name]),
                gains[1],
            ]
        )
    return table(rows)


def trust() -> str:
    """Importance inside the model, single removals, sanity checks and stability."""
    m = json.loads((ROOT / "metrics" / "faithfulness.json").read_text())
    hidden, top, noise = m["masking"], m["top_blob"], m["noise"]["0.1"]
    rows = [
        ["measured on the test set", "value"],
        [
            "hidden from the readout: rank correlation of fall and contribution",
            interval(hidden["correlation"]),
        ],
        ["hidden from the readout: fall, top blob", interval(hidden["fall_top_blob"])],
        ["hidden from the readout: fall, another blob", interval(hidden["fall_other_blob"])],
        ["out of the structure: fall, top blob", interval(top["fall_top_blob"])],
        ["out of the structure: fall, random patch of as many", interval(top["fall_random_patch"])],
        ["out of the structure: fall, random residues, as many", interval(top["fall_random_residues"])],
        ["blobs under 0.1 angstrom of noise: adjusted Rand index", interval(noise["blobs"])],
        ["contributions under that noise: rank correlation per residue", interval(noise["contribution"])],
        [
            "blobs of an untrained model: adjusted Rand index",
            interval(m["untrained"]["encoder"]["blobs"]),
        ],
    ]
    return table(rows)


SEED_ROWS = {
    "accuracy": "test accuracy",
    "macro_recall": "macro recall",
    "macro_f1": "macro F1",
    "stage0_accuracy": "test accuracy of stage 0 (no codebook)",
    "deletion_gain": "deletion area: gain over importance exchanged among the blobs",
    "insertion_gain": "insertion area: the same",
    "fall_top_blob": "out of the structure: fall, top blob",
    "fall_random_patch": "out of the structure: fall, a patch of as many residues",
    "masking_correlation": "hidden from the readout: rank correlation of fall and contribution",
    "top_is_costliest": "hidden from the readout: the top blob is the one that costs most",
    "noise_blobs": "blobs under 0.1 angstrom of noise: adjusted Rand index",
    "noise_contribution": "contributions under that noise: rank correlation per residue",
}
BETWEEN_ROWS = {
    "contribution": "between seeds: rank correlation of contributions per residue",
    "blobs": "between seeds: adjusted Rand index of blobs",
    "same_class": "between seeds: same class predicted",
}


def seeds() -> str:
    """Mean and range over seeds, beside those of the attention model."""
    paths = {"this model": ROOT / "metrics/seeds.json", "attention": ROOT / "metrics/attention/seeds.json"}
    found = {name: json.loads(path.read_text()) for name, path in paths.items() if path.is_file()}
    heads = [f"{name} ({len(m['seeds'])} seeds, {m['proteins']} chains)" for name, m in found.items()]
    rows = [["on the test set", *heads]]
    for group, titles in (("over_seeds", SEED_ROWS), ("between", BETWEEN_ROWS)):
        for key, title in titles.items():
            rows.append([title, *(spread(m[group][key]) if key in m[group] else "" for m in found.values())])
    return table(rows)


SUMMARY_ROWS = {
    "accuracy": "test accuracy",
    "macro_recall": "macro recall",
    "deletion_gain": "deletion: gain of importance over the same blobs exchanged",
    "top_blob_to_patch": "top blob removed, against a random patch of its size",
}


def summary() -> str:
    """A few lines over seeds, beside the best simple baseline."""
    found = json.loads((ROOT / "metrics" / "seeds.json").read_text())
    simple = json.loads((ROOT / "metrics" / "test.json").read_text())["composition"]
    head = f"{len(found['seeds'])} trainings: mean (range)"
    rows = [["on the test set", head, "logistic regression on composition"]]
    for key, title in SUMMARY_ROWS.items():
        value = f"{simple[key]['value']:.3f}" if key in simple else ""
        rows.append([title, spread(found["over_seeds"][key]), value])
    rows.append(
        [
            "agreement of two trainings per residue (rank correlation)",
            spread(found["between"]["contribution"]),
            "",
        ]
    )
    return table(rows)


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
    for (task, split), paths in _task_files(".json").items():
        seeds = [json.loads(path.read_text()) for path in paths]
        name = next(iter(seeds[0]["stage1"]))  # accuracy, or Fmax
        cells = [_over_seeds([scores[key][name] for scores in seeds]) for key in TASK_COLUMNS]
        rows.append([f"`{task}`", split, name, str(len(seeds)), *cells])
    return table(rows)


def far() -> str:
    """The same for the test chains that are least alike to any training chain."""
    rows = [["task", "split", "chains", *TASK_COLUMNS.values()]]
    for (task, split), paths in _task_files(".csv").items():
        found = pd.concat([pd.read_csv(path) for path in paths])
        found = found[(found["measure"] == "identity") & (found["bin"] == "0 to 0.3")]
        if not len(found):
            continue
        scores = {name: each.to_dict("records") for name, each in found.groupby("predictor")}
        cells = [_over_seeds(scores[key]) for key in TASK_COLUMNS]
        rows.append([f"`{task}`", split, str(found["chains"].iloc[0]), *cells])
    return table(rows)


def task_calibration() -> str:
    """Temperature of stage 1 on the tasks, and its calibration error before and after."""
    rows = [["task", "split", "seeds", "temperature", "calibration error before", "after"]]
    for (task, split), paths in _task_files(".json").items():
        seeds = [json.loads(path.read_text()) for path in paths]
        found = {
            "temperature": [scores["stage1_scaled"]["temperature"] for scores in seeds],
            "before": [scores["stage1"]["ece"] for scores in seeds],
            "after": [scores["stage1_scaled"]["ece"] for scores in seeds],
        }
        rows.append([f"`{task}`", split, str(len(seeds)), *map(_over_seeds, found.values())])
    return table(rows)


def task_baselines() -> str:
    """Trained baselines of the tasks (`make tasks BASELINES=yes`) beside stage 0 of the same seeds."""
    heads = {"stage0": "learned blobs (stage 0)", **TRAINED}
    rows = [["task", "split", "test chains", "seeds", *heads.values()]]
    for (task, split), paths in _task_files(".csv", "baselines").items():
        tables = [pd.concat([pd.read_csv(path.parents[1] / path.name), pd.read_csv(path)]) for path in paths]
        scores = [_all_chains(path.with_suffix(".json")) for path in paths]
        cells = [_over_seeds([run[key] for run in scores]) for key in heads]
        rows.append([f"`{task}`", split, "all", str(len(paths)), *cells])
        far = [found[(found["measure"] == "identity") & (found["bin"] == "0 to 0.3")] for found in tables]
        if any(not len(found) for found in far):
            continue
        chains = far[0]["chains"].iloc[0]
        runs = [{row["predictor"]: row for row in found.to_dict("records")} for found in far]
        cells = [_over_seeds([run[key] for run in runs]) for key in heads]
        rows.append([f"`{task}`", split, f"{chains} below 30 % identity", str(len(paths)), *cells])
    return table(rows)


def _all_chains(path: Path) -> dict[str, Any]:
    """First score of stage 0 and of the trained baselines in metrics/tasks/baselines/TASK-SPLIT-SEED.json."""
    own = json.loads((path.parents[1] / path.name).read_text())["stage0"]
    name, trained = next(iter(own)), json.loads(path.read_text())["baselines"]
    return {"stage0": own[name], **{key: next(iter(trained[key]["runs"].values()))[name] for key in TRAINED}}


def _task_files(ending: str, folder: str = ".") -> dict[tuple[str, str], list[Path]]:
    """Task and split -> files of its seeds (metrics/tasks/TASK-SPLIT-SEED.*, or those of a folder there)."""
    found: dict[tuple[str, str], list[Path]] = {}
    for path in sorted((ROOT / "metrics" / "tasks" / folder).glob(f"*-*-*{ending}")):
        task, split, _ = path.stem.rsplit("-", 2)
        found.setdefault((task, split.replace("_", " ")), []).append(path)
    return found


def _over_seeds(scores: Sequence[Mapping[str, float]]) -> str:
    """Mean and range of several seeds, the 95 % interval of one; the value alone where all are equal."""
    if len(scores) == 1:
        return interval(scores[0])
    found = over_seeds.spread([score["value"] for score in scores])
    return spread(found) if found["low"] != found["high"] else f"{found['mean']:.3f}"


OPTIMIZER = re.compile(r"task_(?P<task>[a-z]+)_(?P<optimizer>adamw|muon)")
"""Name of a run in choices.json that trained a preset of params/ with one optimizer or the other."""


def optimizers() -> str:
    """Both optimizers on the tasks' presets, by validation: means over the seeds that were trained."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for run in json.loads((ROOT / "benchmarks" / "results" / "choices.json").read_text()):
        if named := OPTIMIZER.match(run["name"]):
            found.setdefault((named["task"], named["optimizer"]), []).append(run)
    head = ["task", "optimizer", "seeds", "epochs", "training loss, last", "least validation loss"]
    rows = [[*head, "stage 0: accuracy or Fmax", "last three", "stage 1"]]
    for (task, optimizer), runs in sorted(found.items()):
        score = "val_fmax" if "val_fmax" in runs[0]["stage_0"] else "val_acc"
        cells = [("stage_0", name) for name in ("train_cls", "val_cls_least", score, f"{score}_last_3")]
        cells.append(("stage_1", score))
        means = [f"{sum(run[stage][name] for run in runs) / len(runs):.3f}" for stage, name in cells]
        rows.append([f"`{task}`", optimizer, str(len(runs)), str(runs[0]["stage_0"]["epochs"]), *means])
    return table(rows)


PAGES: dict[Path, dict[str, Callable[[], str]]] = {
    README: {"summary": summary},
    RESULTS: {
        "results": results,
        "baselines": baselines,
        "calibration": calibration,
        "ablation": ablation,
        "explanations": explanations,
        "faithfulness": faithfulness,
        "trust": trust,
        "seeds": seeds,
        "tasks": tasks,
        "far": far,
        "task_calibration": task_calibration,
        "task_baselines": task_baselines,
    },
    CHOICES: {"optimizers": optimizers},
}
"""Page -> block between ``<!-- name -->`` and ``<!-- /name -->`` -> what makes it."""


def updated(page: Path) -> str:
    """A page with every block made anew."""
    text = page.read_text()
    for name, make in PAGES[page].items():
        text = between(text, name, make())
    return text


def draw() -> None:
    """Render the plots that DVC shows, without a browser."""
    import vl_convert

    shown = subprocess.run(
        ["dvc", "plots", "show", "--json"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    plots = json.loads(shown.stdout)["data"]
    PICTURES.mkdir(parents=True, exist_ok=True)
    for title, name in SHOWN.items():
        png = vl_convert.vegalite_to_png(plots[title][0]["content"], scale=1.5)
        (PICTURES / f"{name}.png").write_bytes(png)


def main() -> None:
    """Command line."""
    if "--check" in sys.argv[1:]:
        for page in PAGES:
            if updated(page) != page.read_text():
                sys.exit(f"error: {page.name} does not show what metrics/ holds; run make readme")
        return
    draw()
    for page in PAGES:
        page.write_text(updated(page))


if __name__ == "__main__":
    main()
