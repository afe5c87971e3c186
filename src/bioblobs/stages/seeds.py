"""Run the pipeline for several training seeds and compare the runs (`make seeds`).

No stage of dvc.yaml: it takes as many default runs as there are seeds. Each seed has a folder of its own,
``<output>/seeds/seed_N``; what is finished there is not done again, and an interrupted training goes on.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bioblobs.checkpoints.file import load_model
from bioblobs.config.parsing import flat_values, parse
from bioblobs.config.schema import Config, Paths
from bioblobs.errors import BioBlobsError, one_line_errors
from bioblobs.faithfulness.chains import Chains, chosen_rows
from bioblobs.faithfulness.seed_runs import between, measures, over_seeds, table
from bioblobs.inference.process import begin
from bioblobs.io import write_json, write_table
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
    loaded = [load_model(folder / PARTS[2][1]) for folder in folders.values()]
    card = loaded[list(folders).index(min(folders))][1]
    write_json(
        Path(paths.metrics) / "seeds.json",
        {
            "split": keys.split,
            "proteins": len(chains),
            "seeds": list(folders),
            "made_with": {"architecture": card["architecture"], "data": card["data"]},
            "over_seeds": over_seeds(runs),
            "between": between([model for model, _ in loaded], chains),
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
    """Run a stage of the pipeline in a process of its own, as DVC does.

    Raises:
        BioBlobsError: it failed; its own message stands above.
    """
    places = {"prepared": paths.prepared, **{name: folder / name for name in ("output", "metrics", "plots")}}
    command = [
        *(sys.executable, "-m", "bioblobs.stages", stage),
        *(["fit"] if stage.startswith("train") else []),
        *args,
        f"--train.seed={seed}",
        *(f"--paths.{name}={place}" for name, place in places.items()),
    ]
    if subprocess.run(command).returncode:
        raise BioBlobsError(f"seed {seed}: stage {stage} failed; mend what it says and run this again")


def main(args: Sequence[str] | None = None) -> None:
    """Command line of the comparison."""
    words = list(sys.argv[1:] if args is None else args)
    with one_line_errors():
        run(*parse(__doc__ or "", words), words)


if __name__ == "__main__":
    main()
