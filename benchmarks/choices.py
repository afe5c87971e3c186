"""Train one variant of a preset and keep its validation figures, as a row of benchmarks/results/choices.json.

Keys of params.yaml follow as they do for a stage. Of a run that ``make tasks`` or ``make seeds`` has made,
the figures are read (``--of``) or stage 0 is taken (``--start``)::

    python -m benchmarks.choices noise_s1 --stages 1 --train.coordinate_noise=0.1 --train.seed=1
    python -m benchmarks.choices task_geneontology_muon_s2 --config params/geneontology.yaml \\
        --of outputs/tasks/geneontology-random-2 --train.seed=2
    python -m benchmarks.choices pull1_s2 --start outputs/seeds/seed_2 --multistage.stage1.lambda_vq=1 \\
        --train.seed=2

docs/choices.md shows them. No test chain is looked at.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from bioblobs.checkpoints.file import load_model
from bioblobs.config.parsing import parse
from bioblobs.config.recipe import of_stage0, recipe
from bioblobs.config.schema import Config
from bioblobs.errors import BioBlobsError, one_line_errors
from bioblobs.io import write_json
from bioblobs.stages.runs.own_process import exit_status
from bioblobs.stages.runs.run_folder import path_words

RESULTS = Path("benchmarks") / "results" / "choices.json"
SCORES = ("val_fmax", "val_acc")
STAGES = ("prepare", "train_stage0", "init_codebook", "train_stage1")
AFTER_STAGE0 = shutil.ignore_patterns("store", "unfinished", "codebook*", "stage_1*")
"""Not copied from a run whose stage 0 is taken: another stage 1 takes their place."""
DIGITS = 4


def main(words: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("name", help="of the run in the table")
    parser.add_argument("--config", default="params.yaml", help="preset that the keys are changed in")
    parser.add_argument("--stages", type=int, choices=[1, 2], default=2, help="1: stage 0 only")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--of", type=Path, help="folder of outputs of a finished run; nothing is trained")
    source.add_argument("--start", type=Path, help="folder of outputs of a run whose stage 0 is taken")
    args, keys = parser.parse_known_args(words)
    with one_line_errors():
        keep(new_row(args, keys))


def new_row(args: argparse.Namespace, keys: Sequence[str]) -> dict[str, Any]:
    """Train where that is asked for, and read what came of it.

    Raises:
        BioBlobsError: the name or the folder is taken, a stage failed, or the run is not what the keys say.
    """
    folder = args.of or Path("outputs") / "choices" / args.name
    check_name(args.name)
    if args.start and args.stages == 1:
        raise BioBlobsError("--start gives stage 0 already; leave --stages out")
    if args.start and folder.exists():
        raise BioBlobsError(f"{folder}: is there already; remove it")
    config, _ = parse("", ["--config", args.config, *keys])
    if args.of is None:
        train(folder, args.config, args.stages, keys, args.start)
    figures = {
        f"stage_{stage}": reached(folder, stage, None if args.start and stage == 0 else config)
        for stage in range(args.stages)
    }
    return {"name": args.name, "config": args.config, "arguments": keys, **figures}


def kept_rows() -> list[dict[str, Any]]:
    """Rows that are kept so far."""
    return list(json.loads(RESULTS.read_text())) if RESULTS.is_file() else []


def check_name(name: str) -> None:
    """Refuse a name that a row has.

    Raises:
        BioBlobsError: one has it.
    """
    if name in [row["name"] for row in kept_rows()]:
        raise BioBlobsError(f"{name}: {RESULTS} has a run of this name; take another, or delete its row")


def keep(row: dict[str, Any]) -> None:
    """Add a row, and print it."""
    write_json(RESULTS, [*kept_rows(), row])  # read anew: another run may have ended meanwhile
    print(json.dumps(row))


def train(folder: Path, config: str, stages: int, keys: Sequence[str], start: Path | None) -> None:
    """Run the pipeline to the last stage asked for, or from the stage 0 of another run."""
    wanted = list(STAGES[: 2 * stages])
    if start is not None:
        shutil.copytree(start, folder, ignore=AFTER_STAGE0)
        wanted.remove("train_stage0")
    for stage in wanted:
        run_stage(stage, stage_words(folder, config, keys))


def stage_words(folder: Path, config: str, keys: Sequence[str]) -> list[str]:
    """Return the arguments of a stage that reads and writes within ``folder``."""
    places = {"prepared": folder / "store", "output": output_of(folder)}
    places |= {name: folder / name for name in ("metrics", "plots")}
    return ["--config", config, *path_words(places), *keys]


def run_stage(stage: str, words: Sequence[str]) -> None:
    """Run a stage; a failed one has said why.

    Raises:
        BioBlobsError: it failed.
    """
    if exit_status(stage, words):
        raise BioBlobsError(f"{stage} failed, as said above")


def output_of(folder: Path) -> Path:
    """Find the outputs of a run: its folder, or that within the folder of a seed."""
    return folder / "output" if (folder / "output").is_dir() else folder


def reached(folder: Path, stage: int, config: Config | None) -> dict[str, Any]:
    """Read the validation figures of one stage from its ``metrics.csv``.

    Args:
        config: keys that it must have been trained with; None: any.

    Returns:
        Revision of the code; scores and losses at the epoch that was kept; the mean score of the last three;
        the least validation loss; the score of every tenth epoch; and what each way to choose an epoch would
        have kept.

    Raises:
        BioBlobsError: no such stage, or it was trained by another recipe, or on other data.
    """
    place = output_of(folder) / f"stage_{stage}"
    _, card = load_model(place / f"stage_{stage}_final.ckpt")
    if config is not None:
        held, asked = card.get("recipe") or {}, recipe(config)
        held, asked = (keys if stage else of_stage0(keys) for keys in (held, asked))
        held, asked = {**held, **card["data"]}, {**asked, **config.data.identity()}
        if other := sorted(key for key in {**asked, **held} if asked.get(key) != held.get(key)):
            raise BioBlobsError(f"{place}: trained with another {', '.join(other[:3])} than these keys say")
    with (place / "metrics.csv").open() as file:
        epochs = [{name: float(text) for name, text in row.items() if text} for row in csv.DictReader(file)]
    score = next(name for name in SCORES if name in epochs[0])
    best = next(row for row in epochs if row["epoch"] == card["epoch"])
    figures = {
        **{name: best[name] for name in (score, "val_macro_recall")},
        f"{score}_last_3": fmean(row[score] for row in epochs[-3:]),
        **{name: best[name] for name in ("train_cls", "val_cls")},
        "val_cls_least": min(row["val_cls"] for row in epochs),
        "blob_size": best["val_blob_size"],
        "coverage": best["val_coverage"],
    }
    code = card["made_with"]["code"]
    return {
        "code": code["commit"] and f"{code['commit'][:7]}{' and changes' if code['changed'] else ''}",
        "seed": card["seed"],
        "epochs": len(epochs),
        "best_epoch": card["epoch"],
        **_rounded(figures),
        f"{score}_by_epoch": _rounded(
            {str(number): row[score] for number, row in enumerate(epochs, 1) if number % 10 == 0}
        ),
        "if_chosen_by": {
            by: _rounded({name: row[name] for name in ("epoch", score, "val_macro_recall", "val_cls")})
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
