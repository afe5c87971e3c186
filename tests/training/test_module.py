"""Stage 1 fitted on real chains: schedules, freezing, resuming, checkpoints, predictions."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from lightning import Callback, Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint

from bioblobs.checkpoints.file import check_architecture, load_model, read_checkpoint, write_checkpoint
from bioblobs.config.schema import (
    Config,
    ModelConfig,
    MultistageConfig,
    Stage0Config,
    Stage1Config,
    TrainConfig,
)
from bioblobs.config.train_keys import LossRampConfig
from bioblobs.errors import BioBlobsError
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.inference.predict import class_probabilities, predictions
from bioblobs.models.bioblobs import BioBlobs
from bioblobs.store.packed import Store
from bioblobs.training.datamodule import ProteinDataModule
from bioblobs.training.epoch_sums import EpochSums
from bioblobs.training.losses import ramp, temperature
from bioblobs.training.module import BlobModule
from bioblobs.training.stage import Stage0CLI, Stage1CLI
from conftest import ROOT

# Lightning's advice, and its use of what torch calls old; all other warnings stay errors.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*does not have many workers", "ignore:.*LeafSpec", "ignore:Checkpoint directory"
)
DATA = {"data_dir": str(ROOT / "data"), "subset": 120, "max_length": 100, "edge_types": "knn_8"}
"""Those that the sample store was prepared with; any other are refused."""
NETWORK: dict[str, Any] = {"node_h_dim": (16, 4), "num_layers": 1, "max_clusters": 4, "codebook_size": 8}
TAU = {"tau_init": 0.9, "tau_min": 0.1, "tau_decay": 0.7}
LAMBDAS = {"lambda_card": 0.05, "lambda_vq": 1.0, "lambda_psc": 0.2, "lambda_ent": 0.1}
EPOCHS, FIRST_EPOCH, RAMP_EPOCHS = 4, 3, 4
CONFIG = Config(
    model=ModelConfig(**NETWORK, **TAU),
    multistage=MultistageConfig(
        Stage0Config(epochs=FIRST_EPOCH),
        Stage1Config(
            epochs=EPOCHS, lr=2e-3, freeze_epochs=1, **LAMBDAS, loss_ramp=LossRampConfig(True, RAMP_EPOCHS)
        ),
    ),
)
ONE = torch.ones(())
TERMS = ("cls", "card", "commit", "psc", "ent", "loss")
CODEBOOK = ("vectors", "counts", "sums")


class Diary(Callback):
    """What was logged, and the state of what follows the epoch, at the end of each epoch."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.stop_after = stop_after
        self.logged: dict[int, dict[str, float]] = {}
        self.tau: dict[int, float] = {}
        self.codebook: dict[int, dict[str, torch.Tensor]] = {}

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        epoch = trainer.current_epoch
        self.logged[epoch] = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.tau[epoch] = float(pl_module.model.partitioner.tau)
        self.codebook[epoch] = {name: getattr(pl_module.model.codebook, name).clone() for name in CODEBOOK}
        if epoch + 1 == self.stop_after:
            trainer.should_stop = True


def fit(
    store: Store, folder: Path, seed: int = 0, stop_after: int | None = None, resume: Path | None = None
) -> tuple[BlobModule, Diary, Path]:
    """Train stage 1 with all its weights; returns the module, the diary, and the last epoch's checkpoint."""
    seed_everything(seed, verbose=False)
    data = ProteinDataModule(str(store.path), batch_size=16, order_seed=0, **DATA)
    module = BlobModule(replace(CONFIG, train=TrainConfig(seed=seed)), 1, data.num_classes)
    diary = Diary(stop_after)
    checkpoints = ModelCheckpoint(folder, filename="last", enable_version_counter=False)
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=EPOCHS,
        callbacks=[diary, checkpoints],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        reload_dataloaders_every_n_epochs=1,
        use_distributed_sampler=False,
    )
    trainer.fit(module, datamodule=data, ckpt_path=resume, weights_only=True if resume else None)
    return module, diary, folder / "last.ckpt"


Fitted = tuple[BlobModule, Diary, Path]


@pytest.fixture(scope="module")
def fitted(sample_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    return fit(sample_store, tmp_path_factory.mktemp("whole"))


def assert_same_state(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


# Schedules, as logged and as used


def test_temperature_goes_on_from_stage_0_and_is_the_one_used(fitted: Fitted) -> None:
    _, diary, _ = fitted
    assert set(diary.logged) == set(range(EPOCHS))
    for epoch, logged in diary.logged.items():
        expected = temperature(FIRST_EPOCH + epoch, 0.9, 0.1, 0.7)
        assert logged["tau"] == pytest.approx(expected)
        assert diary.tau[epoch] == pytest.approx(expected)


def test_the_logged_ramp_is_the_one_in_the_loss(fitted: Fitted) -> None:
    # Every term is averaged over the epoch in the same way, so the weighted sum holds for the averages.
    module, diary, _ = fitted
    for epoch, logged in diary.logged.items():
        share = logged["vq_share"]
        assert share == pytest.approx(ramp(epoch, True, RAMP_EPOCHS))
        for split in ("train", "val"):
            term = {
                name: logged[f"{split}_{name}"] for name in ("cls", "card", "commit", "psc", "ent", "loss")
            }
            vq = module.weights.beta * term["commit"] + 0.2 * term["psc"] + 0.1 * term["ent"]
            assert term["loss"] == pytest.approx(term["cls"] + 0.05 * term["card"] + share * vq, rel=1e-4)


def test_sizes_saturation_and_code_usage_are_reported(fitted: Fitted) -> None:
    for logged in fitted[1].logged.values():
        for split in ("train", "val"):
            assert 1 <= logged[f"{split}_blob_size"] <= 15
            assert logged[f"{split}_blob_expected_size"] >= 1
            assert 0 <= logged[f"{split}_blobs_at_cap"] <= 1
            assert 0 < logged[f"{split}_coverage"] <= 1
            assert 1 <= logged[f"{split}_perplexity"] <= 8 * logged[f"{split}_codes_used"] + 1e-4


def test_the_codebook_moves_until_it_is_frozen_then_stays_bit_identical(fitted: Fitted) -> None:
    _, diary, _ = fitted
    assert [diary.logged[epoch]["codebook_frozen"] for epoch in range(EPOCHS)] == [0, 0, 0, 1]
    last = EPOCHS - 1
    assert_same_state(diary.codebook[last], diary.codebook[last - 1])
    assert not torch.equal(diary.codebook[last - 1]["vectors"], diary.codebook[last - 2]["vectors"])


# Repeating and resuming


def test_the_same_seed_gives_the_same_weights_and_another_does_not(
    fitted: Fitted, sample_store: Store, tmp_path: Path
) -> None:
    state = fitted[0].state_dict()
    assert_same_state(fit(sample_store, tmp_path / "again")[0].state_dict(), state)
    other = fit(sample_store, tmp_path / "other", seed=1, stop_after=1)[0].state_dict()
    assert not torch.equal(other["model.encoder.out.w_s.weight"], state["model.encoder.out.w_s.weight"])


def test_an_interrupted_run_ends_as_the_uninterrupted_one(
    fitted: Fitted, sample_store: Store, tmp_path: Path
) -> None:
    _, stopped, checkpoint = fit(sample_store, tmp_path, stop_after=2)
    assert set(stopped.logged) == {0, 1}
    module, resumed, last = fit(sample_store, tmp_path, resume=checkpoint)
    assert set(resumed.logged) == {2, 3}
    whole, diary, whole_last = fitted
    assert_same_state(module.state_dict(), whole.state_dict())
    assert {**stopped.logged, **resumed.logged} == diary.logged
    moments, expected = (
        torch.load(path, weights_only=True)["optimizer_states"][0]["state"] for path in (last, whole_last)
    )
    for parameter, state in expected.items():
        assert_same_state(moments[parameter], state)


# Checkpoints


def test_a_checkpoint_is_plain_data_that_says_what_it_is(fitted: Fitted, sample_store: Store) -> None:
    module, diary, path = fitted
    content = torch.load(path, weights_only=True)
    card = content["card"]
    assert card["classes"] == sample_store.classes and card["class_names"] == sample_store.class_names
    assert (card["stage"], card["with_codebook"], card["multilabel"]) == (1, True, False)
    assert card["data"]["edge_types"] == "knn_8"
    assert card["architecture"]["max_clusters"] == 4
    assert content["state_dict"]["model.partitioner.tau"] == pytest.approx(diary.tau[EPOCHS - 1])
    model, again = load_model(path)
    assert again == card and not model.training
    assert_same_state(model.state_dict(), module.model.state_dict())


def test_another_architecture_is_refused_by_its_key(fitted: Fitted) -> None:
    module, _, path = fitted
    card = read_checkpoint(path)["card"]
    check_architecture(path, card, module.architecture)
    with pytest.raises(BioBlobsError, match=r"last\.ckpt: .*model\.k_hop=2, but 3"):
        check_architecture(path, card, {**module.architecture, "k_hop": 3})


def test_weights_of_another_network_are_refused(fitted: Fitted, tmp_path: Path) -> None:
    _, _, path = fitted
    model, card = load_model(path)
    wider = {**card, "architecture": {**card["architecture"], "node_h_dim": [32, 4]}}
    write_checkpoint(tmp_path / "other.ckpt", model, wider)
    with pytest.raises(BioBlobsError, match=r"other\.ckpt: weights and card disagree"):
        load_model(tmp_path / "other.ckpt")


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda good: b"",
    "text": lambda good: b"epoch,val_acc\n0,0.5\n",
    "an empty pickle": lambda good: b"\x80\x02.",
    "cut short": lambda good: good[: len(good) // 2],
    "head overwritten": lambda good: bytes(4096) + good[4096:],
    "tail overwritten": lambda good: good[:-4096] + bytes(4096),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_checkpoint_is_one_error_that_names_the_file(
    fitted: Fitted, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "broken.ckpt"
    path.write_bytes(DAMAGE[kind](fitted[2].read_bytes()))
    with pytest.raises(BioBlobsError, match=r"broken\.ckpt"):
        load_model(path)


@pytest.mark.parametrize("content", [{"state_dict": {}}, {"state_dict": {}, "card": None}, [1, 2], None])
def test_what_is_no_checkpoint_of_ours_is_one_error_that_names_the_file(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "other.ckpt"
    if content is not None:  # else there is no file
        torch.save(content, path)
    with pytest.raises(BioBlobsError, match=r"other\.ckpt"):
        load_model(path)


def run_stage_0(store: Store, folder: Path, epochs: int, *more: str) -> dict[str, Any]:
    """Run the stage's command; returns ``last.ckpt``. At this rate no epoch beats the first."""
    data = {f"data.{key}": value for key, value in DATA.items()}
    places = {f"paths.{name}": folder / name for name in ("output", "metrics", "plots")}
    keys = {"multistage.stage0.epochs": epochs, "multistage.stage0.lr": 1e-12, "train.num_threads": 1}
    tiny = {"model.node_h_dim": "[8,2]", "model.num_layers": 1, "train.accelerator": "cpu"}
    values = {**data, **places, **keys, **tiny, "paths.prepared": store.path}
    keys_and_values = [f"--{key}={value}" for key, value in values.items()]
    Stage0CLI(["fit", "--trainer.enable_progress_bar=false", *keys_and_values, *more])
    return torch.load(folder / "output/stage_0/last.ckpt", weights_only=True)


@pytest.mark.filterwarnings("ignore")  # of the command line's libraries, about each other
def test_the_last_checkpoint_is_of_the_last_epoch(sample_store: Store, tmp_path: Path) -> None:
    assert run_stage_0(sample_store, tmp_path, 3)["epoch"] == 2


@pytest.mark.filterwarnings("ignore")
def test_what_is_passed_on_is_the_best_epoch_by_validation(sample_store: Store, tmp_path: Path) -> None:
    run_stage_0(sample_store, tmp_path, 3, "--multistage.stage0.lr=3e-3")
    folder = tmp_path / "output/stage_0"
    scores = pd.read_csv(folder / "metrics.csv").dropna(subset="val_acc").set_index("epoch")["val_acc"]
    (best,) = folder.glob("best-*.ckpt")
    content = torch.load(best, weights_only=True)
    assert content["epoch"] == scores.idxmax()
    final = torch.load(folder / "stage_0_final.ckpt", weights_only=True)
    assert final["card"]["epoch"] == content["epoch"]
    for name, value in final["state_dict"].items():
        assert torch.equal(value, content["state_dict"][name]), name


@pytest.mark.filterwarnings("ignore")
def test_a_stage_resumes_from_its_own_last_checkpoint(sample_store: Store, tmp_path: Path) -> None:
    first = run_stage_0(sample_store, tmp_path, 1)
    resume = f"--ckpt_path={tmp_path / 'output/stage_0/last.ckpt'}"
    resumed = run_stage_0(sample_store, tmp_path, 2, resume)
    assert resumed["global_step"] == 2 * first["global_step"]


# Predictions


@pytest.fixture(scope="module")
def model(fitted: Fitted) -> BioBlobs:
    return load_model(fitted[2])[0]


def test_predictions_are_the_same_each_time(model: BioBlobs, sample_store: Store) -> None:
    rows = sample_store.rows("val")
    model.train()  # predicting is evaluation whatever state the model was left in
    once, twice = (class_probabilities(model, sample_store, rows) for _ in range(2))
    np.testing.assert_array_equal(once, twice)
    np.testing.assert_allclose(once.sum(1), 1)


def test_a_protein_is_predicted_the_same_in_any_company(model: BioBlobs, sample_store: Store) -> None:
    # Whole batch, or each protein alone: the same blobs and codes; sums may round differently.
    rows = sample_store.rows("train")[:20]
    ((batch, together),) = predictions(model, sample_store, rows)
    assert together.codes is not None
    for place, row in enumerate(rows):
        ((_, alone),) = predictions(model, sample_store, np.array([row]))
        mask = alone.blobs.mask[0]
        assert torch.equal(alone.blobs.assignment, together.blobs.assignment[batch.batch == place])
        assert torch.equal(mask, together.blobs.mask[place])
        assert alone.codes is not None and torch.equal(alone.codes[0, mask], together.codes[place, mask])
        torch.testing.assert_close(alone.importance[0], together.importance[place], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(alone.logits[0], together.logits[place], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("stage", "argument"), [(Stage0CLI, "model.lambda_vq=2"), (Stage1CLI, "model.bypass_codebook=true")]
)
def test_keys_of_a_stage_are_not_those_of_the_model(
    stage: type, argument: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        stage(["fit", f"--{argument}"])
    assert argument.split("=")[0] in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore")
def test_a_run_that_diverges_stops_with_one_error(sample_store: Store, tmp_path: Path) -> None:
    with pytest.raises(BioBlobsError, match=r"diverged in epoch 0, step \d+: the loss is (nan|inf)") as error:
        run_stage_0(sample_store, tmp_path, 1, "--multistage.stage0.lr=1e30", "--train.gradient_clip_val=0")
    named = re.search(r"for the proteins (.*); look at their structures, or lower (.*)", str(error.value))
    assert named is not None and named[2] == "multistage.stage0.lr"
    training = {*sample_store.table()["id"][sample_store.rows("train")]}
    assert 0 < len(named[1].split(", ")) <= 64 and {*named[1].split(", ")} <= training
    assert not (tmp_path / "output/stage_0/stage_0_final.ckpt").exists()


# What an epoch's steps draw and add up to


class Drawn(Callback):
    """The first number that each batch draws."""

    def __init__(self) -> None:
        self.numbers: list[float] = []

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        pl_module.on_train_batch_start(batch, batch_idx)
        self.numbers.append(float(torch.rand(())))


@pytest.mark.parametrize("together", [1, 3])
def test_every_batch_draws_anew_also_those_that_make_one_step(sample_store: Store, together: int) -> None:
    data = ProteinDataModule(str(sample_store.path), batch_size=16, order_seed=0, **DATA)
    module, drawn = BlobModule(CONFIG, 1, data.num_classes), Drawn()
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=2,
        limit_val_batches=0,
        callbacks=[drawn],
        accumulate_grad_batches=together,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    trainer.fit(module, datamodule=data)
    assert len(drawn.numbers) > 2 * together
    assert len(set(drawn.numbers)) == len(drawn.numbers)


def test_an_epochs_means_are_over_what_they_name() -> None:
    """Of losses: proteins of known classes; of sizes: blobs; of coverage: residues."""
    sums = EpochSums()
    for value, weight in ((1.0, 1.0), (4.0, 2.0), (9.0, 0.0)):
        sums.add("val", {"a": (torch.tensor(value), torch.tensor(weight)), "b": (torch.tensor(value), ONE)})
    made = EpochSums()
    made.load_state_dict(sums.state_dict(), torch.device("cpu"))
    assert {name: float(mean) for name, mean in made.means("val").items()} == pytest.approx(
        {"a": 3.0, "b": 14 / 3}
    )
    assert made.means("train") == {}


def test_a_batch_weighs_in_validation_losses_by_its_chains_of_known_classes(real_batch: ProteinBatch) -> None:
    module = BlobModule(CONFIG, 0, 5).eval()
    half = len(real_batch.labels) // 2
    labels = real_batch.labels.clone().clamp(0, 4)
    labels[:half] = -1
    prediction = module(real_batch)
    terms = {"loss": torch.tensor(2.0)}
    for some in (labels, torch.full_like(labels, -1)):
        module._so_far.add("val", module._means(replace(real_batch, labels=some), prediction.blobs, terms))
    found, blobs = module._so_far.means("val"), prediction.blobs
    assert float(module._so_far.sums["val"][1, 0]) == len(labels) - half
    assert float(found["loss"]) == pytest.approx(2)
    assert float(found["blob_size"]) == pytest.approx(float(blobs.size.sum() / blobs.mask.sum()))
    assert float(found["coverage"]) == pytest.approx(float((blobs.assignment >= 0).float().mean()))
