"""Redraw what README and docs/ show: tables of metrics/ and benchmarks/, pictures of `dvc plots show`.

`make readme` runs it. With ``--check`` it changes nothing and fails where a page's tables are not those that
these hold.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import tables_of_choices as choices
import tables_of_run as run
import tables_of_tasks as tasks
from marked import ROOT, between

README, DOCS = ROOT / "README.md", ROOT / "docs"
RESULTS, CHOICES, EMBEDDINGS = (DOCS / f"{name}.md" for name in ("results", "choices", "embeddings"))
PICTURES = DOCS / "pictures"
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
    "By likeness to training": "by_distance",
    "plots/by_length.csv": "by_length",
    "plots/by_class.csv": "by_class",
}
"""Plot of dvc.yaml -> file in docs/pictures."""


PAGES: dict[Path, dict[str, Callable[[], str]]] = {
    README: {"summary": run.summary, "task_summary": tasks.task_summary},
    RESULTS: {
        "results": run.results,
        "baselines": run.baselines,
        "calibration": run.calibration,
        "ablation": run.ablation,
        "explanations": run.explanations,
        "faithfulness": run.faithfulness,
        "trust": run.trust,
        "seeds": run.seeds,
        "verdicts": tasks.verdicts,
        "tasks": tasks.tasks,
        "far": partial(tasks.far, *tasks.FAR[0]),
        "far_by_structure": partial(tasks.far, *tasks.FAR[1]),
        "task_calibration": tasks.task_calibration,
        "task_baselines": tasks.task_baselines,
    },
    CHOICES: {
        "stage0": partial(choices.singly, choices.STAGE0, choices.STAGE0_COLUMNS),
        "enzyme_class": partial(choices.singly, choices.ENZYME_CLASS, choices.ENZYME_CLASS_COLUMNS),
        "stage1": choices.stage1,
        "more_codes": partial(choices.variants, choices.MORE_CODES, 1),
        "epochs_kept": choices.epochs_kept,
        "pull": choices.pull,
        "optimizers": choices.optimizers,
        "regular": choices.regular,
        "noise": partial(choices.variants, choices.NOISE),
        "noise_apart": partial(choices.variants, choices.NOISE_APART),
        "one_key": partial(choices.variants, choices.ONE_KEY),
        "start": partial(choices.variants, choices.START),
        "rates": partial(choices.variants, choices.RATES),
        "scop_class_muon": partial(choices.variants, choices.SCOP_CLASS),
        "codes_as_input": choices.codes_as_input,
    },
    EMBEDDINGS: {"mean_embedding": tasks.mean_embedding},
    **{ROOT / "params" / f"{task}.yaml": {"result": partial(tasks.of_preset, task)} for task in tasks.TITLES},
}
"""Page -> block between its marks (``<!-- name -->``; in presets ``# [name]``) -> what makes it."""


def updated(page: Path) -> str:
    """A page with every block made anew."""
    text, mark = page.read_text(), "# [{}]" if page.suffix == ".yaml" else "<!-- {} -->"
    for name, make in PAGES[page].items():
        text = between(text, name, make(), mark)
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
