"""`make seeds`: what is done is not done again, other work begins anew, the summary is that of its runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bioblobs.config.schema import Config, Paths
from bioblobs.errors import BioBlobsError
from bioblobs.evaluation.over_seeds import measures, over_seeds
from bioblobs.io import write_json
from bioblobs.stages import faithfulness, seeds
from bioblobs.stages.runs import seed_folders
from bioblobs.store.packed import Store
from bioblobs.training import unfinished
from conftest import ROOT
from tiny_model import CLASSES, tiny_checkpoint

CONFIG = ["--data.subset=120", "--data.max_length=100", "--data.edge_types=knn_8"]


def interval(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.1, "high": value + 0.1}


def written(folder: Path, stage: str, seed: int) -> None:
    """Write the results of a stage, with figures that follow the seed."""
    value = 0.5 + seed / 10
    if stage in ("train_stage0", "train_stage1"):
        number = stage[-1]
        final = folder / f"output/stage_{number}/stage_{number}_final.ckpt"
        tiny_checkpoint(final, with_codebook=number == "1", classes=CLASSES)
        write_json(folder / f"metrics/stage_{number}.json", {"val_score": value, "val_coverage": 0.9})
    elif stage == "init_codebook":
        tiny_checkpoint(folder / "output/codebook/codebook_init.ckpt")
    elif stage == "evaluate":
        scores = {name: interval(value) for name in ("accuracy", "macro_recall", "macro_f1")}
        write_json(folder / "metrics/test.json", {"stage0": scores, "stage1": scores})
    else:
        gains = {"random_blobs": interval(value)}
        top = {"fall_top_blob": interval(3 * value), "fall_random_patch": interval(value)}
        noise = {"0.1": {"blobs": interval(value), "contribution": interval(value)}}
        inside = {"correlation": interval(value), "top_is_costliest": interval(value)}
        found = {"deletion_gain": gains, "insertion_gain": gains, "top_blob": top, "noise": noise}
        write_json(folder / "metrics/faithfulness.json", {**found, "masking": inside})


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    """The stages that were run, which leave their files without training anything."""
    done: list[tuple[int, str]] = []

    def run_stage(stage: str, seed: int, folder: Path, paths: Paths, args: Any) -> None:
        done.append((seed, stage))
        written(folder, stage, seed)

    monkeypatch.setattr(seed_folders, "run_stage", run_stage)
    return done


def arguments(store: Store, folder: Path, *more: str) -> list[str]:
    places = {"prepared": store.path, **{name: folder / name for name in ("output", "metrics", "plots")}}
    return [
        *(f"--paths.{name}={place}" for name, place in places.items()),
        f"--data.data_dir={ROOT / 'data'}",
        *CONFIG,
        "--interpretability.seeds=[1,2]",
        "--interpretability.proteins=4",
        *more,
    ]


def test_every_seed_is_measured_once_and_put_side_by_side(
    sample_store: Store, tmp_path: Path, stages: list[tuple[int, str]]
) -> None:
    seeds.main(arguments(sample_store, tmp_path))
    assert stages == [(seed, stage) for seed in (1, 2) for stage, _ in seed_folders.PARTS]
    found = json.loads((tmp_path / "metrics" / "seeds.json").read_text())
    assert found["seeds"] == [1, 2] and found["proteins"] == 4
    accuracy = found["over_seeds"]["accuracy"]
    assert accuracy == pytest.approx({"mean": 0.65, "low": 0.6, "high": 0.7, "least_low_end": 0.5})
    assert found["over_seeds"]["top_blob_to_patch"]["mean"] == pytest.approx(3)
    assert found["between"]["contribution"]["mean"] == 1  # both are the same tiny model
    assert found["runs"]["2"]["deletion_gain"]["value"] == pytest.approx(0.7)
    assert (tmp_path / "plots" / "seeds.csv").read_text().startswith("measure,seed,value\naccuracy,1,0.6\n")
    stages.clear()
    seeds.main(arguments(sample_store, tmp_path))
    assert not stages  # nothing is done twice


def test_a_measure_that_a_seed_lacks_is_over_the_others() -> None:
    whole = {"fall_top_blob": interval(0.6), "fall_random_patch": interval(0.2), "accuracy": interval(0.9)}
    no_fall = whole | {"fall_random_patch": {"value": 0.0, "low": 0.0, "high": 0.0}}
    made = over_seeds({0: {"accuracy": interval(0.7)}, 1: whole, 2: no_fall})
    assert made["accuracy"]["mean"] == pytest.approx(2.5 / 3, abs=1e-5)
    assert made["fall_top_blob"]["mean"] == pytest.approx(0.6)
    assert made["top_blob_to_patch"] == pytest.approx({"mean": 3, "low": 3, "high": 3})


def test_an_undefined_measure_is_left_out(tmp_path: Path) -> None:
    for stage, _ in seed_folders.PARTS:
        written(tmp_path, stage, 1)
    found = json.loads((tmp_path / "metrics/faithfulness.json").read_text())
    found["deletion_gain"]["random_blobs"] = dict.fromkeys(("value", "low", "high"))
    write_json(tmp_path / "metrics/faithfulness.json", found)
    assert "deletion_gain" not in measures(tmp_path) and "accuracy" in measures(tmp_path)


def test_an_interrupted_seed_goes_on_and_other_parameters_are_refused(
    sample_store: Store, tmp_path: Path, stages: list[tuple[int, str]]
) -> None:
    seeds.main(arguments(sample_store, tmp_path))
    (tmp_path / "output/seeds/seed_2/metrics/test.json").unlink()
    stages.clear()
    seeds.main(arguments(sample_store, tmp_path))
    assert stages == [(2, "evaluate")]
    stages.clear()
    with pytest.raises(SystemExit, match=r"seed_1 was trained with another model\.k_hop; remove"):
        seeds.main(arguments(sample_store, tmp_path, "--model.k_hop=3"))
    assert not stages
    assert (
        tmp_path / "output/seeds/seed_1" / seed_folders.FINAL
    ).is_file()  # hours of work: nothing is removed


def test_keys_that_shape_no_training_train_nothing_again(
    sample_store: Store, tmp_path: Path, stages: list[tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds.main(arguments(sample_store, tmp_path))
    stages.clear()
    seeds.main(arguments(sample_store, tmp_path, "--train.num_workers=1", "--train.logger=tensorboard"))
    assert not stages
    measured = [(seed, stage) for seed in (1, 2) for stage in ("evaluate", "faithfulness")]
    seeds.main(arguments(sample_store, tmp_path, "--evaluation.bootstrap=77"))
    assert stages == measured
    stages.clear()
    digest = unfinished.code_digest
    mended = {seed_folders.MEASURING: "of mended code"}
    monkeypatch.setattr(
        unfinished, "code_digest", lambda parts=unfinished.CODE: mended.get(parts) or digest(parts)
    )
    seeds.main(arguments(sample_store, tmp_path, "--evaluation.bootstrap=77"))
    assert stages == measured


def test_a_stage_that_fails_ends_the_comparison_with_its_name(tmp_path: Path) -> None:
    paths = Paths(prepared=str(tmp_path / "nowhere"))
    with pytest.raises(BioBlobsError, match="seed 3: stage evaluate failed"):
        seed_folders.run_stage("evaluate", 3, tmp_path, paths, [])


def test_no_seed_is_refused(sample_store: Store) -> None:
    config = Config()
    config.interpretability.seeds = ()
    with pytest.raises(BioBlobsError, match=r"interpretability\.seeds"):
        seeds.run(config, Paths(prepared=str(sample_store.path)), [])


def test_models_of_every_seed_are_measured_on_the_same_chains(sample_store: Store, tmp_path: Path) -> None:
    drawn = []
    for seed in (1, 2):
        folder = tmp_path / str(seed)
        places = {name: f"--paths.{name}={folder / name}" for name in ("output", "metrics", "plots")}
        tiny_checkpoint(folder / "output/stage_1/stage_1_final.ckpt", classes=sample_store.classes)
        keys = [f"--train.seed={seed}", "--interpretability.gradient_steps=1"]
        faithfulness.main([*arguments(sample_store, folder, *keys), *places.values()])
        drawn.append((folder / "output/faithfulness/proteins.csv").read_text().splitlines())
    ids = [[line.split(",")[0] for line in lines] for lines in drawn]
    assert len(ids[0]) == 5 and ids[0] == ids[1]
