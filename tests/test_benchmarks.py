"""The benchmarks run on this code, and the page shows what they left."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from bioblobs.checkpoints.build import build_model
from bioblobs.config.parsing import parse
from bioblobs.config.recipe import of_stage0, recipe
from bioblobs.proteins.alphabet import UNKNOWN
from bioblobs.store.batches import collate
from bioblobs.store.packed import Store
from conftest import ROOT
from runs import run
from tiny_model import tiny_checkpoint

SMALL = [
    "--proteins",
    "2",
    "--length",
    "20",
    "--k",
    "5",
    "--width",
    "8",
    "4",
    "--codes",
    "8",
    "--repeats",
    "1",
]


def measured(*words: str) -> dict[str, Any]:
    """What a benchmark prints on its last line."""
    done = run([sys.executable, *words], ROOT, PYTHONPATH="src")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("variant", [[], ["--bf16"], ["--no-compiler", "--recompute", "--step-only"]])
def test_a_case_measures_every_part(variant: list[str]) -> None:
    found = measured("-m", "benchmarks.case", *SMALL, *variant)
    parts = (
        {"step"} if "--step-only" in variant else {"step", "encoder", "partitioner", "inference", "graphs"}
    )
    assert set(found["median_s"]) == set(found["least_s"]) == parts
    assert all(0 < found["least_s"][part] <= found["median_s"][part] for part in parts)
    assert found["peak_mib"] >= found["before_mib"] > 0 and 1 <= found["mean_blob"] <= 15


def test_the_page_shows_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks.speed_pictures import PAGE, RESULTS, accuracy, busy, table

    from marked import between

    text = (ROOT / PAGE).read_text()
    monkeypatch.chdir(ROOT)
    shown = between(text, "speed", table(json.loads(RESULTS.read_text())["sizes"]))
    assert between(between(shown, "busy", busy()), "accuracy", accuracy()) == text


def test_preparing_and_opening_a_simulated_corpus_are_measured(tmp_path: Path) -> None:
    rest = ["--scales", "1", "--folder", str(tmp_path / "store"), "--workers", "1"]
    made, opened = (
        measured("benchmarks/data_scaling.py", "--measure", what, *rest)
        for what in ("prepare", "first_batch")
    )
    assert made["chains"] == 1000 and made["chains_per_second"] > 0
    assert 0 < opened["open_seconds"] < opened["first_batch_seconds"]


def a_run(folder: Path, *keys: str) -> Path:
    """Outputs of a stage 0, as far as they are read: an untrained model, and a curve of four epochs."""
    (folder / "stage_0").mkdir(parents=True)
    head = "epoch,train_cls,val_acc,val_macro_recall,val_cls,val_blob_size,val_coverage"
    epochs = ["0,2.0,0.5,0.3,1.9,20,0.9", "1,1.5,0.8,0.4,1.2,21,0.91", "2,1.0,0.7,0.6,1.4,22,0.92"]
    epochs.append("3,0.9,0.6,0.5,1.1,23,0.93")
    (folder / "stage_0" / "metrics.csv").write_text("\n".join([head, *epochs]))
    config, _ = parse("", ["--config", str(ROOT / "params.yaml"), *keys])
    made_with = {"code": {"commit": "0123456789", "changed": False}}
    place = folder / "stage_0" / "stage_0_final.ckpt"
    about = {"recipe": of_stage0(recipe(config)), "data": config.data.identity(), "made_with": made_with}
    tiny_checkpoint(place, with_codebook=False, epoch=2, seed=3, **about)
    return folder


def test_what_was_tried_is_read_of_its_curve_and_kept_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks import choices

    run, preset = a_run(tmp_path, "--train.residue_mask=0.3"), str(ROOT / "params.yaml")
    monkeypatch.setattr(choices, "RESULTS", tmp_path / "choices.json")
    words = ["first", "--config", preset, "--stages", "1", "--of", str(run), "--train.residue_mask=0.3"]
    choices.main([*words, "--train.seed=3"])
    (row,) = json.loads((tmp_path / "choices.json").read_text())
    stage = row.pop("stage_0")
    keys = ["--train.residue_mask=0.3", "--train.seed=3"]
    assert row == {"name": "first", "config": preset, "arguments": keys}
    chosen = stage.pop("if_chosen_by")
    assert {by: (found["epoch"], found["val_acc"]) for by, found in chosen.items()} == {
        "score": (1, 0.8),
        "macro_recall": (2, 0.7),
        "loss": (3, 0.6),
    }
    assert stage == {
        "code": "0123456",
        "seed": 3,
        "epochs": 4,
        "best_epoch": 2,
        "val_acc": 0.7,
        "val_macro_recall": 0.6,
        "val_acc_last_3": 0.7,
        "train_cls": 1.0,
        "val_cls": 1.4,
        "val_cls_least": 1.1,
        "blob_size": 22,
        "coverage": 0.92,
        "val_acc_by_epoch": {},
    }
    for wrong, said in (
        (words, "has a run of this name"),
        (["second", *words[1:-1]], "trained with another train.residue_mask than these keys say"),
        (["second", *words[1:], "--data.max_length=90"], "another max_length than these keys say"),
        (["second", *words[1:-2], str(tmp_path / "none")], "no such checkpoint"),
        (["second", "--start", str(run), "--stages", "1"], "leave --stages out"),
    ):
        with pytest.raises(SystemExit, match=said):
            choices.main(wrong)
    assert len(json.loads((tmp_path / "choices.json").read_text())) == 1


def test_a_stage_0_is_taken_without_what_came_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks import choices

    run = a_run(tmp_path / "run")
    for name in (
        "stage_1/metrics.csv",
        "codebook/codebook_init.ckpt",
        "metrics/stage_0.json",
        "metrics/stage_1.json",
    ):
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).touch()
    commands: list[str] = []
    monkeypatch.setattr(choices, "exit_status", lambda stage, words: commands.append(stage))
    choices.train(tmp_path / "new", "params.yaml", 2, [], run)
    assert commands == ["prepare", "init_codebook", "train_stage1"]
    copied = sorted(str(path.relative_to(tmp_path / "new")) for path in (tmp_path / "new").rglob("*.*"))
    assert copied == ["metrics/stage_0.json", "stage_0/metrics.csv", "stage_0/stage_0_final.ckpt"]


@pytest.mark.filterwarnings("ignore:.*LeafSpec")
def test_a_start_sees_no_test_chain_and_no_type_that_it_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks.masked_start import HiddenResidues, started

    keys = [f"--data.data_dir={ROOT / 'data'}", "--data.subset=40", "--data.max_length=100"]
    config, _ = parse("", ["--config", str(ROOT / "params" / "enzymecommission.yaml"), *keys])
    about = started(tmp_path, config, 1)
    store = Store(tmp_path / "every_chain")
    splits = store.table()["split"].value_counts()
    assert about["chains"] == splits["train"] > splits["val"] > 0 and set(splits.index) == {"train", "val"}
    assert 0 <= about["named"] <= 1
    encoder = build_model(config.model, 2, with_codebook=False).blob_encoder
    assert encoder is not None
    encoder.load_state_dict(torch.load(tmp_path / "start.pt", weights_only=True))
    module, batch = HiddenResidues(encoder, config), collate(store, store.rows("val"))
    torch.manual_seed(0)
    logits, types = module.guesses(batch)
    torch.manual_seed(0)
    hidden = (torch.rand(batch.residue_types.shape) < 0.25) & (batch.residue_types != UNKNOWN)
    other = torch.where(hidden, (batch.residue_types + 1) % 20, batch.residue_types)
    torch.manual_seed(0)
    assert 0 < len(types) < len(batch.residue_types)
    assert torch.equal(module.guesses(replace(batch, residue_types=other))[0], logits)
