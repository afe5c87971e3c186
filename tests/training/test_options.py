"""Options of a stage: averaged weights, early stopping, live views, precision, memory, provenance."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bioblobs.checkpoints.file import load_model, read_checkpoint
from bioblobs.errors import BioBlobsError
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.inference.predict import class_probabilities
from bioblobs.inference.process import is_out_of_memory
from bioblobs.store.packed import Store
from bioblobs.training.callbacks import Averaged
from bioblobs.training.loggers import make_loggers
from bioblobs.training.module import BlobModule
from bioblobs.training.provenance import code_revision
from bioblobs.training.stage import Stage0CLI
from conftest import ROOT
from runs import ONE_STAGE, run

pytestmark = pytest.mark.filterwarnings("ignore")  # of the command line's libraries, about each other
KEYS = {
    **ONE_STAGE,
    "multistage.stage0.epochs": 2,
    "multistage.stage0.lr": 3e-3,
}


def stage_0(store: Store, folder: Path, **changes: Any) -> dict[str, Any]:
    """Run the stage's command; returns its metrics."""
    places = {f"paths.{name}": folder / name for name in ("output", "metrics", "plots")}
    values = {**KEYS, **places, "paths.prepared": store.path, **changes}
    words = [f"--{key}={value}" for key, value in values.items()]
    Stage0CLI(["fit", "--trainer.enable_progress_bar=false", *words])
    metrics: dict[str, Any] = json.loads((folder / "metrics/stage_0.json").read_text())
    return metrics


# Averaged weights


def averages(averaged: Averaged, weights: np.ndarray) -> list[float]:
    average, seen = torch.zeros(()), []
    for count, weight in enumerate(weights):
        now = torch.tensor(float(weight))
        average = now if count == 0 else averaged._average(average, now, torch.tensor(count))
        seen.append(float(average))
    return seen


def test_ema_is_the_written_recursion_and_swa_the_mean_of_the_last_steps() -> None:
    weights = np.random.default_rng(0).normal(size=40)
    expected = weights[0]
    ema = averages(Averaged("ema", 0.6), weights)
    for count in range(1, 40):
        decay = min(0.6, (1 + count) / (10 + count))
        expected = decay * expected + (1 - decay) * weights[count]
        assert ema[count] == pytest.approx(expected, abs=1e-5)
    swa = Averaged("swa", 0.6)
    swa.start = 30
    found = averages(swa, weights)
    np.testing.assert_allclose(found[:31], weights[:31], rtol=1e-6)
    np.testing.assert_allclose(found[31:], [weights[30 : n + 1].mean() for n in range(31, 40)], atol=1e-5)


@pytest.mark.parametrize("kind", ["ema", "swa"])
def test_the_best_checkpoint_holds_the_averaged_weights_that_were_scored(
    sample_store: Store, tmp_path: Path, kind: str
) -> None:
    metrics = stage_0(sample_store, tmp_path, **{"train.weight_averaging": kind, "train.ema_decay": 0.9})
    (best,) = (tmp_path / "output/stage_0").glob("best-*.ckpt")
    content = read_checkpoint(best)
    name = "model.encoder.out.w_s.weight"
    if kind == "ema" or content["epoch"] == 1:  # swa has not begun in the first half of the steps
        assert not torch.equal(content["state_dict"][name], content["current_model_state"][name])
    model, _ = load_model(tmp_path / "output/stage_0/stage_0_final.ckpt")
    assert torch.equal(model.state_dict()[name.removeprefix("model.")], content["state_dict"][name])
    rows = sample_store.rows("val")
    right = class_probabilities(model, sample_store, rows).argmax(1) == sample_store.labels[rows]
    assert metrics["val_acc"] == pytest.approx(right.mean(), abs=1e-6)


# Early stopping, learning rate


def test_a_stage_stops_where_the_score_rises_no_more(sample_store: Store, tmp_path: Path) -> None:
    still = {"multistage.stage0.epochs": 6, "multistage.stage0.lr": 1e-12}
    metrics = stage_0(sample_store, tmp_path, **still, **{"train.early_stopping_patience": 2})
    assert (metrics["epochs"], metrics["best_epoch"]) == (3, 0)


def test_the_learning_rate_is_on_the_curve(sample_store: Store, tmp_path: Path) -> None:
    stage_0(sample_store, tmp_path, **{"multistage.stage0.epochs": 3, "train.precision": "bf16-mixed"})
    lines = (tmp_path / "plots/stage_0.csv").read_text().splitlines()
    column = lines[0].split(",").index("train_lr")
    rates = [float(line.split(",")[column]) for line in lines[1:]]
    assert 0 < rates[2] < rates[1] <= 3e-3  # the cosine after the warm-up of one epoch
    run_with = json.loads((tmp_path / "metrics/stage_0_run.json").read_text())
    assert (run_with["precision"], run_with["device"], run_with["processes"]) == ("bf16-mixed", "cpu", 1)


# Live views


@pytest.mark.parametrize("kind", ["dvclive", "tensorboard"])
def test_a_live_view_changes_no_result_and_stays_out_of_the_outputs(
    sample_store: Store, tmp_path: Path, kind: str
) -> None:
    plain = stage_0(sample_store, tmp_path / "plain")
    assert stage_0(sample_store, tmp_path / kind, **{"train.logger": kind}) == plain
    names = [
        sorted(path.name for path in (tmp_path / run / "output/stage_0").iterdir()) for run in ("plain", kind)
    ]
    assert names[0] == names[1]
    live = tmp_path / kind / "output" / "live" / "stage_0"
    if kind == "dvclive":
        rows = (live / "plots/metrics/val/acc.tsv").read_text().splitlines()
        assert len(rows) == 3  # header and two epochs
    else:
        assert list(live.glob("events.out.tfevents.*"))


@pytest.mark.parametrize(
    ("kind", "module", "package"),
    [("dvclive", "dvclive.lightning", "dvclive"), ("tensorboard", "tensorboard", "tensorboard")],
)
def test_a_missing_package_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, module: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr("bioblobs.training.loggers.find_spec", lambda name: None)
    with pytest.raises(
        BioBlobsError, match=f"train.logger={kind}: the package {package} is missing; pip install"
    ):
        make_loggers(kind, None, tmp_path, 0)


# Memory


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"
        ),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_memory_is_one_line_that_names_the_keys_and_their_values(
    sample_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def training_step(*args: object) -> None:
        raise error

    monkeypatch.setattr(BlobModule, "training_step", training_step)
    with pytest.raises(BioBlobsError) as said:
        stage_0(sample_store, tmp_path, **{"train.max_residues": 1234})
    text = str(said.value)
    assert "train.max_residues (1234), train.batch_size (16), train.recompute (False)" in text
    assert "\n" not in text


def test_the_allocators_own_words_are_known_and_others_are_not() -> None:
    with pytest.raises(RuntimeError) as refused:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(refused.value)
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


# Provenance


def test_a_card_says_what_made_it(sample_store: Store, tmp_path: Path) -> None:
    stage_0(sample_store, tmp_path)
    made = load_model(tmp_path / "output/stage_0/stage_0_final.ckpt")[1]["made_with"]
    code = made.pop("code")
    assert made == json.loads((tmp_path / "metrics/stage_0_run.json").read_text())
    assert (made["seed"], made["torch"]) == (0, str(torch.__version__))
    done = run(["git", "log", "-1", "--format=%H", "--", "src/bioblobs"], ROOT)
    assert code["commit"] == (done.stdout.strip() or None if done.returncode == 0 else None)


def test_a_card_has_the_recipe_and_what_the_trainer_was_told_beside_it(
    sample_store: Store, tmp_path: Path
) -> None:
    kept = []
    for told in ({}, {"trainer.accumulate_grad_batches": 2}):
        stage_0(sample_store, tmp_path, **told)
        kept.append(load_model(tmp_path / "output/stage_0/stage_0_final.ckpt")[1]["recipe"])
    assert kept[0]["multistage.stage0.lr"] == 3e-3
    assert not [key for key in kept[0] if "stage1" in key or key.startswith("trainer")]
    assert kept[1] == kept[0] | {"trainer.accumulate_grad_batches": 2}


def test_a_stage_ends_also_where_no_validation_chain_is_of_a_known_class(
    sample_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Macro recall, which chooses the epoch, is undefined then."""
    step = BlobModule.validation_step

    def unseen(self: BlobModule, batch: ProteinBatch, batch_idx: int) -> None:
        step(self, replace(batch, labels=torch.full_like(batch.labels, -1)), batch_idx)

    monkeypatch.setattr(BlobModule, "validation_step", unseen)
    summary = stage_0(sample_store, tmp_path, **{"train.choose_by": "macro_recall"})
    assert "val_monitored" not in summary and summary["val_loss"] == 0


def test_without_git_there_is_no_revision(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert code_revision() == {"commit": None, "changed": None}
