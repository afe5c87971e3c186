"""Run the pipeline for several training seeds and compare the runs (`make seeds`).

No stage of dvc.yaml: it takes as many default runs as there are seeds. Each seed has a folder of its own,
``<output>/seeds/seed_N``; what is finished there is not done again, and an interrupted training goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bioblobs.checkpoints.file import load_model
from bioblobs.config.parsing import parse
from bioblobs.config.recipe import recipe
from bioblobs.config.schema import Config, Paths
from bioblobs.errors import BioBlobsError, one_line_errors
from bioblobs.evaluation.over_seeds import measures, over_seeds, spread, table
from bioblobs.faithfulness.chains import Chains, chosen_rows
from bioblobs.faithfulness.stability import agreements
from bioblobs.inference.process import begin
from bioblobs.io import write_json, write_table
from bioblobs.stages.runs import seed_folders
from bioblobs.store.packed import open_store


def run(config: Config, paths: Paths, args: Sequence[str]) -> None:
    """Run what is missing for every seed, and write metrics/seeds.json and plots/seeds.csv."""
    keys = config.interpretability
    if not keys.seeds:
        raise BioBlobsError("interpretability.seeds: expected at least one seed; got none")
    store = open_store(paths.prepared, config.data.identity())
    folders = {seed: Path(paths.output) / "seeds" / f"seed_{seed}" for seed in keys.seeds}
    for seed, folder in folders.items():
        seed_folders.begin_folder(folder, recipe(config), store)
        seed_folders.forget_old_measurements(folder, config)
        for stage, result in seed_folders.PARTS:
            if not (folder / result).is_file():
                print(f"== seed {seed}: {stage}", flush=True)
                seed_folders.run_stage(stage, seed, folder, paths, args)
    begin(config.train.num_threads)
    chains = Chains(store, chosen_rows(store, keys.split, keys.proteins, config.data.seed))
    runs = {seed: measures(folder) for seed, folder in folders.items()}
    pairs = agreements([load_model(folder / seed_folders.FINAL)[0] for folder in folders.values()], chains)
    content = {
        **{"split": keys.split, "proteins": len(chains), "seeds": list(folders)},
        "made_with": {"recipe": recipe(config), "data": store.meta["parameters"]},
        "over_seeds": over_seeds(runs),
        "between": {name: spread(values) for name, values in pairs.items()},
        "runs": {str(seed): values for seed, values in runs.items()},
    }
    write_json(Path(paths.metrics) / "seeds.json", content)
    write_table(Path(paths.plots) / "seeds.csv", table(runs))
    print(f"written: {Path(paths.metrics) / 'seeds.json'}")


def main(args: Sequence[str]) -> None:
    """Command line of the comparison."""
    with one_line_errors():
        run(*parse(__doc__ or "", args), args)
