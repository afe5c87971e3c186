"""DVC stage ``interpret``: which parts of the test proteins decided, and what the codes stand for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bioblobs import __version__
from bioblobs.checkpoints.file import check_classes, load_model
from bioblobs.config.parsing import parse
from bioblobs.config.schema import Config, Paths
from bioblobs.errors import one_line_errors
from bioblobs.inference.chain import Chain
from bioblobs.inference.device import choose, on_cpu
from bioblobs.inference.predict import predictions
from bioblobs.inference.process import begin
from bioblobs.inference.records import chain_records, explanation
from bioblobs.interpretation.code_table import code_table
from bioblobs.interpretation.codebook_map import codebook_map
from bioblobs.interpretation.codes import CodeReport, describe_codes
from bioblobs.interpretation.logo import LOGOS
from bioblobs.interpretation.membership import blob_table
from bioblobs.interpretation.report_file import SCHEMA_VERSION
from bioblobs.interpretation.summary import dataset_summary
from bioblobs.io import write_json, write_table, write_text
from bioblobs.models.bioblobs import BioBlobs
from bioblobs.store.packed import open_store

MODEL = "model.json"


def run(config: Config, paths: Paths) -> None:
    """Write test_interpretability.json, its headline numbers, and plots."""
    seed, significance = config.train.seed, config.interpretability.significance
    device = choose(config.train.accelerator)
    begin(config.train.num_threads)
    store = open_store(paths.prepared, config.data.identity())
    path = paths.final_checkpoint(1)
    model, card = load_model(path)
    check_classes(path, card, store.classes)
    model = model.to(device)
    rows = store.rows("test")
    ids = store.table()["id"].tolist()
    records: list[Chain] = []
    for batch, prediction in predictions(model, store, rows, "interpret"):
        records += chain_records(store, ids, batch, prediction)
    summary = dataset_summary(records, model)
    scorecard = on_cpu(model.scorecard())
    rows_of_codes = None if scorecard is None else scorecard.double().numpy()
    codes = describe_codes(store, rows, records, significance, seed, rows_of_codes)
    summary |= codes.summary
    report = {
        "schema_version": SCHEMA_VERSION,
        "bioblobs_version": __version__,
        "split": "test",
        "seed": seed,
        "task": {
            "name": store.meta["task"],
            "multilabel": store.multilabel,
            "classes": dict(zip(store.classes, store.class_names, strict=True)),
        },
        "explanation": explanation(model, card["architecture"], store.classes),
        "dataset": summary,
        "proteins": [record.to_json() for record in records],
    }
    folder = Path(paths.output) / "interpretability"
    _write_codes(folder, codes, significance)
    write_text(folder / "test_interpretability.json", json.dumps(report, allow_nan=False) + "\n")
    write_json(folder / MODEL, about_model(model, card))
    headline = {name: summary[name] for name in ("importance", "blobs", "codebook", "code_tests")}
    write_json(Path(paths.metrics) / "interpretability.json", headline)
    _plots(Path(paths.plots), records, summary)
    _say(summary)


def about_model(model: BioBlobs, card: Mapping[str, Any]) -> dict[str, Any]:
    """Facts of the model for later stages: its keys, its data, and its codebook in two dimensions."""
    codebook = model.codebook
    return {
        "architecture": card["architecture"],
        "data": card["data"],
        "map": None if codebook is None else codebook_map(codebook.vectors.cpu().numpy(), codebook.distance),
    }


def _write_codes(folder: Path, codes: CodeReport, significance: float) -> None:
    """The code table, and the logos; those of an earlier run go."""
    shutil.rmtree(folder / LOGOS, ignore_errors=True)
    for name, picture in codes.logos.items():
        write_text(folder / name, picture)
    write_table(folder / "codes.csv", code_table(codes.summary["codes"], significance))


def _plots(plots: Path, records: list[Chain], summary: dict[str, Any]) -> None:
    blobs = blob_table(records)
    usage = [
        {"rank": rank, "code": code["code"], "blobs": code["blobs"]}
        for rank, code in enumerate(summary["codes"], start=1)
    ]
    write_table(plots / "codebook_usage.csv", pd.DataFrame(usage, columns=["rank", "code", "blobs"]))
    rank = blobs.groupby("protein")["importance"].rank(ascending=False, method="first").astype(int)
    importance = blobs["importance"].groupby(rank).mean().rename_axis("rank").reset_index()
    write_table(plots / "blob_importance.csv", importance)
    sizes = blobs["size"].value_counts().sort_index().rename_axis("size").rename("blobs").reset_index()
    write_table(plots / "blob_sizes.csv", sizes)


def _say(summary: dict[str, Any]) -> None:
    blobs, codebook, importance = summary["blobs"], summary["codebook"], summary["importance"]
    print(f"blobs: {blobs['per_protein']:.1f} per protein, {blobs['mean_size']:.1f} residues")
    if importance["share_against"] is not None:
        print(f"blobs that argue against the predicted class: {importance['share_against']:.0%}")
    if blobs["saturated"]:
        print(f"warning: {blobs['share_at_cap']:.0%} of blobs are at model.cluster_size_max")
    print(f"codebook: {codebook['codes_used']} of {codebook['codes']} codes used")
    print(f"perplexity of their use: {codebook['perplexity']:.1f}")
    for name, test in summary["code_tests"].items():
        if name != "significance":
            print(f"{name.replace('_', ' ')}: {test['significant']} of {test['tested']}")


def main(args: Sequence[str] | None = None) -> None:
    """Command line of the stage."""
    with one_line_errors():
        run(*parse(__doc__ or "", args))


if __name__ == "__main__":
    main()
