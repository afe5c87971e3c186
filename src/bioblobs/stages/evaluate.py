"""DVC stage ``evaluate``: the test set, read once, by both stages' best models and by baselines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bioblobs.checkpoints.card import completed_card
from bioblobs.checkpoints.file import load_model, write_checkpoint
from bioblobs.config.parsing import parse
from bioblobs.config.schema import Config, Paths
from bioblobs.errors import BioBlobsError, one_line_errors
from bioblobs.evaluation.on_test_set import measure_test_set
from bioblobs.evaluation.run_summary import checkpoint_summary
from bioblobs.evaluation.untrained_baselines import left_out, read_nearest
from bioblobs.inference.device import choose
from bioblobs.inference.process import begin
from bioblobs.io import few_chains, write_json, write_table
from bioblobs.store.packed import open_store
from bioblobs.sums import Sums, with_sums


@with_sums
def run(config: Config, paths: Paths) -> None:
    """Write test metrics, ablation, plots, the worst mistakes, the final model and the checkpoint summary."""
    keys, device = config.evaluation, choose(config.train.accelerator)
    begin(config.train.num_threads)
    store = open_store(paths.prepared, config.data.identity())
    if not (count := len(store.rows("test"))):
        raise BioBlobsError(f"{paths.prepared}: no test protein; see data.split and data.subset")
    nearest = read_nearest(Sums(paths.folders).check(Path(paths.output) / "leakage" / "nearest.csv"))
    files = [paths.final_checkpoint(stage) for stage in (0, 1)]
    loaded = [load_model(file, store.classes) for file in files]
    models = {f"stage{stage}": model.to(device) for stage, (model, _) in enumerate(loaded)}
    found = measure_test_set(models, store, keys.baselines, nearest, keys.bootstrap, config.train.seed)
    write_json(Path(paths.metrics) / "test.json", found.scores)
    write_json(Path(paths.metrics) / "ablation.json", found.ablation)
    for name, table in found.plots.items():
        write_table(Path(paths.plots) / f"{name}.csv", table)
    write_table(Path(paths.output) / "worst_mistakes.csv", found.mistakes)
    made, cards = Path(paths.output) / "final_multistage_model.ckpt", [card for _, card in loaded]
    card = completed_card(cards[1], store, found.scores, config.data.task_title)
    write_checkpoint(made, models["stage1"].cpu(), card)
    summary = checkpoint_summary(made, files, cards, found.scores)
    write_json(made.with_name("checkpoint_summary.json"), summary)
    for name, values in found.scores.items():
        print(f"{name}: " + ", ".join(f"{key} {value['value']}" for key, value in values.items()))
    if lacking := left_out(keys.baselines, found.scores):
        print(lacking)
    if note := few_chains(count):
        print(f"WARNING: {note}")


def main(args: Sequence[str] | None = None) -> None:
    """Command line of the stage."""
    with one_line_errors():
        run(*parse(__doc__ or "", args))
