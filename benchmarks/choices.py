"""What was tried: train one variant of a preset, and keep what it reached on validation chains.

A row per run in ``benchmarks/results/choices.json``; docs/choices.md reads it. Keys of params.yaml follow as
they do for a stage. A run that ``make tasks`` or ``make seeds`` has made is only read, or lends its stage 0::

    python -m benchmarks.choices noise_s1 --stages 1 --train.coordinate_noise=0.1 --train.seed=1
    python -m benchmarks.choices task_geneontology_muon_s2 --config params/geneontology.yaml \\
        --of outputs/tasks/geneontology-random-2 --code ac9c02b --train.seed=2
    python -m benchmarks.choices pull1_s2 --start outputs/seeds/seed_2 --multistage.stage1.lambda_vq=1 \\
        --train.seed=2

No test chain is looked at.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import record
from bioblobs.io import write_json

RESULTS = Path("benchmarks") / "results" / "choices.json"
SCORES = ("val_fmax", "val_acc")
STAGES = (("prepare", "train_stage0 fit"), ("init_codebook", "train_stage1 fit"))
"""Commands of stage 0, and those that stage 1 adds."""
DIGITS = 4


def main(words: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("name", help="of the run in the table")
    parser.add_argument("--config", default="params.yaml", help="preset that the keys are changed in")
    parser.add_argument("--stages", type=int, choices=[1, 2], default=2, help="1: stage 0 only")
    parser.add_argument("--of", type=Path, help="folder of outputs of a finished run; nothing is trained")
    parser.add_argument("--start", type=Path, help="folder of outputs whose stage 0 is taken")
    parser.add_argument("--code", default=record()["revision"], help="revision that trained it, with --of")
    args, keys = parser.parse_known_args(words)
    if args.name in [row["name"] for row in kept_rows()]:
        parser.error(f"{args.name}: {RESULTS} has a run of this name; take another, or delete its row")
    folder = args.of or Path("outputs") / "choices" / args.name
    if args.of is None:
        train(folder, args.config, args.stages, keys, args.start)
    row = {
        "name": args.name,
        "code": args.code,
        "config": args.config,
        "arguments": keys,
        **{f"stage_{stage}": reached(folder, stage) for stage in range(args.start is not None, args.stages)},
    }
    write_json(RESULTS, [*kept_rows(), row])  # read anew: others may have ended meanwhile
    print(json.dumps(row))


def kept_rows() -> list[dict[str, Any]]:
    """Rows that are kept so far."""
    return list(json.loads(RESULTS.read_text())) if RESULTS.is_file() else []


def train(folder: Path, config: str, stages: int, keys: Sequence[str], start: Path | None) -> None:
    """Run the commands of the pipeline to the last stage asked for, or from a stage 0 that there is."""
    groups = list(STAGES[:stages])
    if start is not None:
        shutil.copytree(start, folder)
        groups = [("prepare",), *groups[1:]]
    paths = {"prepared": folder / "store", "output": _part(folder, "output"), "metrics": folder / "metrics"}
    paths["plots"] = folder / "plots"
    flags = ["--config", config, *(f"--paths.{name}={path}" for name, path in paths.items()), *keys]
    for command in [command for group in groups for command in group]:
        subprocess.run([sys.executable, "-m", "bioblobs.stages", *command.split(), *flags], check=True)


def _part(folder: Path, name: str) -> Path:
    """Folder of outputs: within that of a seed, or the folder itself."""
    return folder / name if (folder / name).is_dir() else folder


def reached(folder: Path, stage: int) -> dict[str, Any]:
    """Validation figures of one stage, by its ``metrics.csv`` and the epoch that it kept.

    Returns:
        Scores and losses at that epoch (of a training that was stopped: the last); the mean score of the last
        three; the least validation loss; the score of every tenth epoch; and what each way to choose an epoch
        would have kept.
    """
    place, kept = _part(folder, "output") / f"stage_{stage}", None
    if stopped := not place.is_dir():
        place = next((folder / "unfinished").glob(f"stage_{stage}-*"))
    else:
        kept = json.loads((folder / "metrics" / f"stage_{stage}.json").read_text())["best_epoch"]
    with (place / "metrics.csv").open() as file:
        epochs = [{name: float(text) for name, text in row.items() if text} for row in csv.DictReader(file)]
    score = next(name for name in SCORES if name in epochs[0])
    best = next((row for row in epochs if row["epoch"] == kept), epochs[-1])
    figures = {
        **{name: best[name] for name in (score, "val_macro_recall")},
        f"{score}_last_3": sum(row[score] for row in epochs[-3:]) / len(epochs[-3:]),
        **{name: best[name] for name in ("train_cls", "val_cls")},
        "val_cls_least": min(row["val_cls"] for row in epochs),
        "blob_size": best["val_blob_size"],
        "coverage": best["val_coverage"],
    }
    return {
        **({"stopped": True} if stopped else {}),
        "epochs": len(epochs),
        "best_epoch": int(best["epoch"]),
        **_rounded(figures),
        f"{score}_by_epoch": _rounded(
            {str(number): row[score] for number, row in enumerate(epochs, 1) if number % 10 == 0}
        ),
        "if_chosen_by": {
            by: _rounded({name: row[name] for name in (score, "val_macro_recall", "val_cls")})
            for by, row in {
                "score": max(epochs, key=lambda row: row[score]),
                "macro_recall": max(epochs, key=lambda row: row["val_macro_recall"]),
                "loss": min(epochs, key=lambda row: row["val_cls"]),
            }.items()
        },
    }


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, DIGITS) for name, value in figures.items()}


if __name__ == "__main__":
    main()
