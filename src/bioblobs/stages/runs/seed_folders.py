"""Folders of the runs of `make seeds` and `make baselines`: what is done in each, and what runs next."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bioblobs.config.parsing import flat_values
from bioblobs.config.schema import Config, Paths
from bioblobs.errors import BioBlobsError
from bioblobs.io import read_json, write_json
from bioblobs.stages.runs.own_process import exit_status
from bioblobs.stages.runs.run_folder import path_words
from bioblobs.store.packed import Store
from bioblobs.training import unfinished

IDENTITY, MEASURED = "identity.json", "measured.json"
"""What the trainings of a folder were made with, and its measurements."""
OF_MEASUREMENT = ("evaluation.", "interpretability.")
MEASURING = (
    *("checkpoints", "evaluation", "faithfulness", "graphs", "inference", "models", "ops", "store"),
    *("stages/evaluate.py", "stages/faithfulness.py"),
)
"""Folders and files of this package behind the measurements."""
PARTS = (
    ("train_stage0", "output/stage_0/stage_0_final.ckpt"),
    ("init_codebook", "output/codebook/codebook_init.ckpt"),
    ("train_stage1", "output/stage_1/stage_1_final.ckpt"),
    ("evaluate", "metrics/test.json"),
    ("faithfulness", "metrics/faithfulness.json"),
)
"""Stages in order, and the file whose presence says that one is done: each is written whole or not at all."""
FINAL = PARTS[2][1]
MEASUREMENTS = [result for _, result in PARTS[3:]]


def begin_folder(folder: Path, keys: Mapping[str, Any], store: Store) -> None:
    """Make a seed's folder, or take one that holds the same work.

    Args:
        keys: the recipe of what is trained there.

    Raises:
        BioBlobsError: it holds trainings with other parameters, data or code, which took hours: nothing is
            removed.
    """
    inputs = {"data sha256": store.meta["content_sha256"]}
    wanted = _plain(unfinished.work_identity(keys, inputs))
    place, remedy = folder / IDENTITY, f"remove {folder} to begin anew"
    held = read_json(place, dict, remedy) if place.is_file() else wanted
    if other := [key for key in {**wanted, **held} if held.get(key) != wanted.get(key)]:
        named = ", ".join(other[:3]) + (f" and {len(other) - 3} more" if len(other) > 3 else "")
        raise BioBlobsError(
            f"{folder} was trained with another {named}; {remedy}, or name another paths.output"
        )
    write_json(place, wanted)


def forget_old_measurements(folder: Path, config: Config) -> None:
    """Remove what was measured with other parameters or code in a folder, so that it is measured again."""
    asked = {k: v for k, v in flat_values(config).items() if k.startswith(OF_MEASUREMENT)}
    asked.pop("interpretability.seeds")
    wanted, place = _plain({**asked, "code": unfinished.code_digest(MEASURING)}), folder / MEASURED
    if any((folder / name).is_file() for name in MEASUREMENTS) and (
        not place.is_file() or read_json(place, dict, f"remove {place}") != wanted
    ):
        print(f"{folder}: measured with other parameters or code; measuring again", flush=True)
        for name in MEASUREMENTS:
            (folder / name).unlink(missing_ok=True)
    write_json(place, wanted)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """As JSON gives it back."""
    return dict(json.loads(json.dumps(values, sort_keys=True, default=str)))


def run_stage(stage: str, seed: int, folder: Path, paths: Paths, args: Sequence[str]) -> None:
    """Run a stage of the pipeline in a process of its own, as DVC does.

    Raises:
        BioBlobsError: it failed; its own message stands above.
    """
    places = {"prepared": paths.prepared, **{name: folder / name for name in ("output", "metrics", "plots")}}
    if exit_status(stage, [*args, f"--train.seed={seed}", *path_words(places)]):
        raise BioBlobsError(f"seed {seed}: stage {stage} failed; mend what it says and run this again")


def finished(folder: Path, result: str) -> dict[str, Path]:
    """Find the finished runs of the same work as this one, among the folders beside it: seed -> folder.

    Args:
        result: file that is there when a run is finished.
    """
    wanted = json.loads((folder / IDENTITY).read_text())
    every = sorted(folder.parent.glob("seed_*"), key=lambda each: int(each.name.removeprefix("seed_")))
    return {
        each.name.removeprefix("seed_"): each
        for each in every
        if (each / result).is_file() and json.loads((each / IDENTITY).read_text()) == wanted
    }
