"""Redraw what the README shows of the results: tables from metrics/, pictures from `dvc plots show`.

`make readme` runs it. With ``--check`` it changes nothing and fails where the README's tables are not
those that metrics/ holds.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from bioblobs.marked import between
from bioblobs.report.curves import RANKINGS
from bioblobs.results import interval

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
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
    "plots/data_classes.csv": "chains_per_class",
    "plots/data_lengths.csv": "chain_lengths",
    "plots/leakage.csv": "leakage",
}
"""Plot of dvc.yaml -> file in docs/pictures."""
PREDICTORS = {
    "stage1": "stage 1 (fine-tuned, codebook)",
    "stage0": "stage 0 (baseline)",
    "composition": "logistic regression on composition",
    "majority": "majority class",
}


def table(rows: list[list[str]]) -> str:
    """A Markdown table; the first row is its head."""
    head, *body = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([head, "|" + " --- |" * len(rows[0]), *body])


def results() -> str:
    """Test metrics of the default run."""
    scores = json.loads((ROOT / "metrics" / "test.json").read_text())
    names = list(scores["stage1"])
    rows = [["test set", *(name.replace("_", " ") for name in names)]]
    rows += [[title, *(interval(scores[key][n]) for n in names)] for key, title in PREDICTORS.items()]
    return table(rows)


def ablation() -> str:
    """What the blobs add in the default run."""
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
        ["blobs a protein; mean size", f"{blobs['per_protein']:.1f}; {blobs['mean_size']:.1f} residues"],
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
            "hidden from the readout: rank correlation of fall and importance",
            interval(hidden["correlation"]),
        ],
        ["hidden from the readout: fall, top blob", interval(hidden["fall_top_blob"])],
        ["hidden from the readout: fall, another blob", interval(hidden["fall_other_blob"])],
        ["out of the structure: fall, top blob", interval(top["fall_top_blob"])],
        ["out of the structure: fall, random patch of as many", interval(top["fall_random_patch"])],
        ["out of the structure: fall, random residues, as many", interval(top["fall_random_residues"])],
        ["blobs under 0.1 angstrom of noise: adjusted Rand index", interval(noise["blobs"])],
        ["importance under that noise: rank correlation", interval(noise["importance"])],
        [
            "blobs of an untrained model: adjusted Rand index",
            interval(m["untrained"]["encoder"]["blobs"]),
        ],
    ]
    return table(rows)


def sanity() -> str:
    """Explanations of other trainings beside those of the default run (`make sanity`)."""
    m = json.loads((ROOT / "metrics" / "sanity.json").read_text())
    others = list(m["agreement"])
    rows = [["on the test set", *(name.replace("_", " ") for name in others)]]
    measured = {
        "blobs, with the default run's: adjusted Rand index": ("agreement", "blobs"),
        "importance of residues, with the default run's: rank correlation": ("agreement", "importance"),
        "same class predicted": ("agreement", "same_class"),
    }
    rows += [
        [title, *(interval(m[group][name][key]) for name in others)]
        for title, (group, key) in measured.items()
    ]
    for mode in ("deletion", "insertion"):
        by_chance = interval(m[mode]["random_residues"])
        rows.append(
            [f"{mode} area, ranked by it (random residues: {by_chance})"]
            + [interval(m[mode][name]) for name in others]
        )
    masked = m["masking_correlation"]
    rows.append(
        ["inside it: rank correlation of fall and importance", *(interval(masked[n]) for n in others)]
    )
    return table(rows)


def tasks() -> str:
    """The other tasks' shortened runs (`make tasks`)."""
    rows = [["task", "score", "stage 1", "stage 0", "composition", "majority"]]
    for path in sorted((ROOT / "metrics" / "tasks").glob("*.json")):
        scores = json.loads(path.read_text())
        name = next(iter(scores["stage1"]))  # accuracy, or Fmax
        order = ("stage1", "stage0", "composition", "majority")
        rows.append([f"`{path.stem}`", name, *(interval(scores[key][name]) for key in order)])
    return table(rows)


BLOCKS = {
    "results": results,
    "ablation": ablation,
    "explanations": explanations,
    "faithfulness": faithfulness,
    "trust": trust,
    "sanity": sanity,
    "tasks": tasks,
}


def updated(text: str) -> str:
    """The README with every block between ``<!-- name -->`` and ``<!-- /name -->`` made anew."""
    for name, make in BLOCKS.items():
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
    text = README.read_text()
    if "--check" in sys.argv[1:]:
        if updated(text) != text:
            sys.exit("error: README.md does not show what metrics/ holds; run make readme")
        return
    draw()
    README.write_text(updated(text))


if __name__ == "__main__":
    main()
