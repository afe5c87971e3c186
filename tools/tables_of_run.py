"""Tables of the default run and its seeds, from metrics/, as README and docs/results.md show them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bioblobs.io import interval
from bioblobs.report.chart import RANKINGS
from bioblobs.report.score_rows import PREDICTORS
from marked import ROOT, over_seeds, spread, table


def results() -> str:
    """Test metrics of the default run."""
    scores = json.loads((ROOT / "metrics" / "test.json").read_text())
    names = list(scores["stage1"])
    rows = [["test set", *(name.replace("_", " ") for name in names)]]
    shown = [key for key in PREDICTORS if scores.get(key, {}).keys() >= set(names)]  # not the scaled
    rows += [[PREDICTORS[key], *(interval(scores[key][n]) for n in names)] for key in shown]
    return table(rows)


def baselines() -> str:
    """Trained baselines (`make baselines`) below stage 0, which differs from them in the partition alone."""
    found = json.loads((ROOT / "metrics" / "baselines.json").read_text())["baselines"]
    others = json.loads((ROOT / "metrics" / "seeds.json").read_text())["runs"]
    scores = {"accuracy": "stage0_accuracy", "macro_recall": "stage0_macro_recall"}
    shown = [key for key in PREDICTORS if key in found]
    seeds = [seed for seed in others if all(seed in found[key]["runs"] for key in shown)]
    rows = [["test set", "seeds", *(name.replace("_", " ") for name in scores), "validation accuracy"]]
    learned = [{name: others[seed][own] for name, own in scores.items()} for seed in seeds]
    validation = [others[seed]["stage0_validation_score"] for seed in seeds]
    rows.append(["learned blobs (stage 0)", *_cells(learned, scores, validation)])
    for key in shown:
        runs = [found[key]["runs"][seed] for seed in seeds]
        validation = [found[key]["validation"][seed]["score"] for seed in seeds]
        rows.append([PREDICTORS[key], *_cells(runs, scores, validation)])
    return table(rows)


def _cells(runs: Sequence[Mapping[str, Any]], names: Iterable[str], validation: Sequence[float]) -> list[str]:
    """Number of runs, each test score over them, and the validation score."""
    scores = [over_seeds([run[name] for run in runs]) for name in names]
    alone = [{"value": value, "low": None, "high": None} for value in validation]
    return [str(len(runs)), *scores, over_seeds(alone)]


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
