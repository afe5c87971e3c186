"""Tell what is the method's from what is the seed's: the pipeline for several training seeds (`make seeds`).

No stage of dvc.yaml: it takes as many default runs as there are seeds. Each seed has a folder of its own,
``<output>/seeds/seed_N``; what is finished there is not done again, and an interrupted training goes on.
"""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bioblobs.checkpoints.file import load_model, read_checkpoint
from bioblobs.config.parsing import flat_values, parse
from bioblobs.config.schema import Config, Paths
from bioblobs.errors import BioBlobsError, one_line_errors
from bioblobs.faithfulness.chains import Chains
from bioblobs.faithfulness.explained import explain
from bioblobs.faithfulness.stability import compare
from bioblobs.inference.process import begin
from bioblobs.io import write_json, write_table
from bioblobs.stages.faithfulness import chosen_rows
from bioblobs.store.packed import Store, open_store
from bioblobs.training.unfinished import work_identity

IDENTITY = "identity.json"
OF_NO_SEED = ("train.seed", "interpretability.seeds", "report.", "leakage.")
"""Keys that a seed's folder may differ in and still be the same work."""
PARTS = (
    ("train_stage0", "output/stage_0/stage_0_final.ckpt"),
    ("init_codebook", "output/codebook/codebook_init.ckpt"),
    ("train_stage1", "output/stage_1/stage_1_final.ckpt"),
    ("evaluate", "metrics/test.json"),
    ("faithfulness", "metrics/faithfulness.json"),
)
"""Stages in order, and the file whose presence says that one is done: each is written whole or not at all."""
MEASURES: dict[str, tuple[str, ...]] = {
    "accuracy": ("test", "stage1", "accuracy"),
    "fmax": ("test", "stage1", "fmax"),
    "macro_recall": ("test", "stage1", "macro_recall"),
    "macro_f1": ("test", "stage1", "macro_f1"),
    "stage0_accuracy": ("test", "stage0", "accuracy"),
    "stage0_macro_recall": ("test", "stage0", "macro_recall"),
    "deletion_gain": ("faithfulness", "deletion_gain", "random_blobs"),
    "insertion_gain": ("faithfulness", "insertion_gain", "random_blobs"),
    "fall_top_blob": ("faithfulness", "top_blob", "fall_top_blob"),
    "fall_random_patch": ("faithfulness", "top_blob", "fall_random_patch"),
    "masking_correlation": ("faithfulness", "masking", "correlation"),
    "top_is_costliest": ("faithfulness", "masking", "top_is_costliest"),
    "noise_blobs": ("faithfulness", "noise", "0.1", "blobs"),
    "noise_contribution": ("faithfulness", "noise", "0.1", "contribution"),
    "validation_score": ("stage_1", "val_score"),
    "validation_coverage": ("stage_1", "val_coverage"),
    "stage0_validation_score": ("stage_0", "val_score"),
}
"""Name -> file of a seed's metrics, and place in it."""


def run(config: Config, paths: Paths, args: Sequence[str]) -> None:
    """Run what is missing for every seed, and write metrics/seeds.json and plots/seeds.csv."""
    keys = config.interpretability
    if not keys.seeds:
        raise BioBlobsError("interpretability.seeds: expected at least one seed; got none")
    store = open_store(paths.prepared, config.data.identity())
    folders = {seed: Path(paths.output) / "seeds" / f"seed_{seed}" for seed in keys.seeds}
    for seed, folder in folders.items():
        begin_folder(folder, config, store)
        for stage, result in PARTS:
            if not (folder / result).is_file():
                print(f"== seed {seed}: {stage}", flush=True)
                run_stage(stage, seed, folder, paths, args)
    begin(config.train.num_threads)
    chains = Chains(store, chosen_rows(store, keys.split, keys.proteins, min(folders)))
    runs = {seed: measures(folder) for seed, folder in folders.items()}
    card = read_checkpoint(folders[min(folders)] / PARTS[2][1])["card"]
    write_json(
        Path(paths.metrics) / "seeds.json",
        {
            "split": keys.split,
            "proteins": len(chains),
            "seeds": list(folders),
            "made_with": {"architecture": card["architecture"], "data": card["data"]},
            "over_seeds": over_seeds(runs),
            "between": between(folders, chains),
            "runs": {str(seed): values for seed, values in runs.items()},
        },
    )
    write_table(Path(paths.plots) / "seeds.csv", table(runs))
    print(f"written: {Path(paths.metrics) / 'seeds.json'}")


def begin_folder(folder: Path, config: Config, store: Store) -> None:
    """Make a seed's folder; one that holds other work (parameters, data or code) is begun anew."""
    keys = {k: v for k, v in flat_values(config).items() if not k.startswith(OF_NO_SEED)}
    identity = work_identity(keys, {"data sha256": store.meta["content_sha256"]})
    wanted = json.loads(json.dumps(identity, sort_keys=True, default=str))
    place = folder / IDENTITY
    if place.is_file() and json.loads(place.read_text()) != wanted:
        print(f"{folder} is of other parameters, data or code; starting anew", flush=True)
        shutil.rmtree(folder)
    write_json(place, wanted)


def run_stage(stage: str, seed: int, folder: Path, paths: Paths, args: Sequence[str]) -> None:
    """One stage of the pipeline in a process of its own, as DVC runs it.

    Raises:
        BioBlobsError: it failed; its own message stands above.
    """
    places = {"prepared": paths.prepared, **{name: folder / name for name in ("output", "metrics", "plots")}}
    command = [
        *(sys.executable, "-m", f"bioblobs.stages.{stage}"),
        *(["fit"] if stage.startswith("train") else []),
        *args,
        f"--train.seed={seed}",
        *(f"--paths.{name}={place}" for name, place in places.items()),
    ]
    if subprocess.run(command).returncode:
        raise BioBlobsError(f"seed {seed}: stage {stage} failed; mend what it says and run this again")


def measures(folder: Path) -> dict[str, Any]:
    """A seed's measures: {value, low, high} over proteins, or a number."""
    files = {name: json.loads((folder / "metrics" / f"{name}.json").read_text()) for name in
             ("test", "faithfulness", "stage_0", "stage_1")}  # fmt: skip
    found = {name: _at(files, place) for name, place in MEASURES.items()}
    return {name: value for name, value in found.items() if value is not None}


def over_seeds(runs: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """Mean, least and greatest value of each measure over the seeds; and the least low end of an interval."""
    made: dict[str, Any] = {}
    for name in next(iter(runs.values())):
        each = [run[name] for run in runs.values()]
        made[name] = spread([_value(entry) for entry in each])
        if isinstance(each[0], dict):
            lows = [entry["low"] for entry in each if entry["low"] is not None]
            made[name]["least_low_end"] = min(lows, default=None)
    ratios = [_value(run["fall_top_blob"]) / _value(run["fall_random_patch"]) for run in runs.values()]
    made["top_blob_to_patch"] = spread(ratios)
    return made


def between(folders: Mapping[int, Path], chains: Chains) -> dict[str, Any]:
    """How far each two seeds' models agree, mean over chains; then mean, least and greatest over the pairs.

    ``contribution``: Spearman per residue of the contributions to the class that the first predicts;
    ``blobs``: adjusted Rand index; ``same_class``: share of chains.
    """
    made = [explain(load_model(folder / PARTS[2][1])[0], chains) for folder in folders.values()]
    pairs = [compare(one, other, chains) for one, other in itertools.combinations(made, 2)]
    return {
        name: spread([pd.Series(getattr(pair, name)).mean() for pair in pairs])
        for name in ("contribution", "blobs", "same_class")
        if pairs
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Mean, least and greatest."""
    series = pd.Series(values, dtype=float)
    made = {"mean": series.mean(), "low": series.min(), "high": series.max()}
    return {name: round(float(value), 5) for name, value in made.items()}


def table(runs: Mapping[int, Mapping[str, Any]]) -> pd.DataFrame:
    """One row per measure and seed, for the plot."""
    rows = [
        {"measure": name.replace("_", " "), "seed": seed, "value": _value(entry)}
        for seed, values in runs.items()
        for name, entry in values.items()
    ]
    return pd.DataFrame(rows)


def _at(files: Mapping[str, Any], place: Sequence[str]) -> Any:
    found: Any = files
    for key in place:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _value(entry: Any) -> float:
    return float(entry["value"] if isinstance(entry, dict) else entry)


def main(args: Sequence[str] | None = None) -> None:
    """Command line of the comparison."""
    words = list(sys.argv[1:] if args is None else args)
    with one_line_errors():
        run(*parse(__doc__ or "", words), words)


if __name__ == "__main__":
    main()
