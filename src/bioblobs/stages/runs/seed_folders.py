"""Folders of the runs of `make seeds` and `make baselines`: what is done in each, and what runs next."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from bioblobs.config.parsing import flat_values
from bioblobs.config.schema import Config, Paths
from bioblobs.errors import BioBlobsError
from bioblobs.io import read_json, write_json
from bioblobs.stages.runs.own_process import exit_status
from bioblobs.stages.runs.run_folder import path_words
from bioblobs.store.packed import Store
from bioblobs.training.unfinished import work_identity

IDENTITY = "identity.json"
OF_NO_SEED = ("train.seed", "interpretability.seeds", "report.", "leakage.")
"""Keys that a seed's folder may differ in and still be the same work."""
NOT_OF_STAGE0 = (
    *("train.seed", "multistage.stage1."),
    *("evaluation.", "interpretability.", "report.", "leakage."),
)
"""Keys that a baseline's folder may differ in and still hold the same training."""
PARTS = (
    ("train_stage0", "output/stage_0/stage_0_final.ckpt"),
    ("init_codebook", "output/codebook/codebook_init.ckpt"),
    ("train_stage1", "output/stage_1/stage_1_final.ckpt"),
    ("evaluate", "metrics/test.json"),
    ("faithfulness", "metrics/faithfulness.json"),
)
"""Stages in order, and the file whose presence says that one is done: each is written whole or not at all."""
FINAL = PARTS[2][1]


def begin_folder(folder: Path, config: Config, store: Store, ignored: tuple[str, ...] = OF_NO_SEED) -> None:
    """Make a seed's folder; one that holds other work (parameters, data or code) is begun anew.

    Args:
        ignored: beginnings of the keys that may differ.
    """
    keys = {k: v for k, v in flat_values(config).items() if not k.startswith(ignored)}
    identity = work_identity(keys, {"data sha256": store.meta["content_sha256"]})
    wanted = json.loads(json.dumps(identity, sort_keys=True, default=str))
    place = folder / IDENTITY
    remedy = f"remove {folder} to begin anew"
    if place.is_file() and read_json(place, dict, remedy) != wanted:
        print(f"{folder} is of other parameters, data or code; starting anew", flush=True)
        shutil.rmtree(folder)
    write_json(place, wanted)


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
