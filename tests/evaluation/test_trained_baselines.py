"""`make baselines`: each trained once per work and seed, and scored beside the others of the same work."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bioblobs.checkpoints.file import load_model
from bioblobs.evaluation.trained_baselines import TRAINED
from bioblobs.models.selects import RandomBlobs, TopResidues, WholeChain
from bioblobs.stages import baselines
from bioblobs.stages.baselines import RESULT
from bioblobs.stages.baselines import main as run_baselines
from bioblobs.store.packed import Store
from bioblobs.training import unfinished
from bioblobs.training.stage import Stage0CLI
from runs import ONE_STAGE

pytestmark = pytest.mark.filterwarnings("ignore")  # of the command line's libraries, about each other


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Partition and seed of each training that is run, in this process and not in one of its own."""
    made: list[str] = []

    def run_stage(stage: str, seed: int, folder: Path, paths: Any, args: Sequence[str]) -> None:
        places = [f"--paths.{name}={folder / name}" for name in ("output", "metrics", "plots")]
        words = [*args, f"--train.seed={seed}", f"--paths.prepared={paths.prepared}", *places]
        Stage0CLI(["fit", "--trainer.enable_progress_bar=false", *words])
        made.append(f"{folder.parent.name} {seed}")

    monkeypatch.setattr(baselines, "run_stage", run_stage)
    monkeypatch.setattr(unfinished, "code_digest", lambda parts=(): "as it is")  # whoever edits it meanwhile
    return made


def words(store: Store, folder: Path, **more: Any) -> list[str]:
    places = {f"paths.{name}": folder / name for name in ("output", "metrics", "plots")}
    keys = {"multistage.stage0.epochs": 1, "evaluation.bootstrap": 10, "paths.prepared": store.path}
    return [f"--{key}={value}" for key, value in {**ONE_STAGE, **keys, **places, **more}.items()]


def test_every_baseline_is_trained_once_per_seed_and_scored(
    sample_store: Store, tmp_path: Path, trained: list[str]
) -> None:
    ids = sample_store.table()["id"].to_numpy(str)[sample_store.rows("test")]
    (tmp_path / "output/leakage").mkdir(parents=True)
    alike = pd.DataFrame({"id": ids, "identity": np.linspace(0, 1, len(ids)), "nearest_by_identity": ids[0]})
    alike.to_csv(tmp_path / "output/leakage/nearest.csv", index=False)
    run_baselines(words(sample_store, tmp_path))
    assert trained == [f"{name} 0" for name in TRAINED]
    kinds = {"none": WholeChain, "topk": TopResidues, "random": RandomBlobs}
    for name, partition in TRAINED.items():
        model, card = load_model(tmp_path / "output/baselines" / name / "seed_0" / RESULT)
        assert isinstance(model.partitioner, kinds[partition])
        assert card["architecture"]["partition"] == partition
    first = json.loads((tmp_path / "metrics/baselines.json").read_text())["baselines"]

    run_baselines(words(sample_store, tmp_path, **{"train.seed": 1, "evaluation.bootstrap": 12}))
    assert trained[3:] == [f"{name} 1" for name in TRAINED]
    found = json.loads((tmp_path / "metrics/baselines.json").read_text())["baselines"]
    for name in TRAINED:
        runs = found[name]["runs"]
        assert list(runs) == ["0", "1"] and set(found[name]["validation"]) == {"0", "1"}
        values = [run["accuracy"]["value"] for run in runs.values()]
        assert runs["0"]["accuracy"]["value"] == first[name]["runs"]["0"]["accuracy"]["value"]
        over = found[name]["over_seeds"]["accuracy"]
        assert over == {
            "mean": pytest.approx(sum(values) / 2, abs=1e-5),
            "low": pytest.approx(min(values), abs=1e-5),
            "high": pytest.approx(max(values), abs=1e-5),
        }
    rows = pd.read_csv(tmp_path / "plots/baselines_by_distance.csv")
    assert set(rows["predictor"]) == set(TRAINED) and set(rows["seed"]) == {0, 1}
    for (name, seed), own in rows.groupby(["predictor", "seed"]):  # bins hold all test chains, each once
        assert own["chains"].sum() == len(ids)
        mean = (own["value"] * own["chains"]).sum() / len(ids)
        assert mean == pytest.approx(found[name]["runs"][str(seed)]["accuracy"]["value"], abs=1e-5)
    assert found["mean_pooling"]["validation"]["0"]["blobs"] == 1
    assert found["random_blobs"]["validation"]["0"]["blobs"] > 1

    run_baselines(words(sample_store, tmp_path))
    assert len(trained) == 6

    run_baselines(words(sample_store, tmp_path, **{"model.codebook_size": 8, "train.num_workers": 0}))
    assert len(trained) == 6  # neither shapes stage 0
    folder = tmp_path / "output/baselines/mean_pooling/seed_0"
    with pytest.raises(SystemExit, match=r"seed_0 was trained with another multistage\.stage0\.lr; remove"):
        run_baselines(words(sample_store, tmp_path, **{"multistage.stage0.lr": 1e-3}))
    assert (folder / RESULT).is_file()
    for name in TRAINED:
        shutil.rmtree(tmp_path / f"output/baselines/{name}/seed_0")
    run_baselines(words(sample_store, tmp_path, **{"multistage.stage0.lr": 1e-3}))
    assert trained[6:] == [f"{name} 0" for name in TRAINED]
    other = json.loads((tmp_path / "metrics/baselines.json").read_text())
    assert list(other["baselines"]["topk_pooling"]["runs"]) == ["0"]  # seed 1 is of other work


def test_one_baseline_may_be_chosen_and_the_network_is_said_whichever_it_is(
    sample_store: Store, tmp_path: Path, trained: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    said = []
    for name in ("mean_pooling", "random_blobs"):
        run_baselines(words(sample_store, tmp_path, **{"evaluation.baselines": f"[majority, {name}]"}))
        found = json.loads((tmp_path / "metrics/baselines.json").read_text())
        assert list(found["baselines"]) == [name]
        said.append(found["made_with"])
    assert trained == ["mean_pooling 0", "random_blobs 0"]
    assert said[0] == said[1] and said[0]["data"] == sample_store.meta["parameters"]
    keys = said[0]["recipe"]
    assert (keys["model.blob_view"], keys["model.partition"]) == ("alone", "learned")
    assert not {"train.seed", "multistage.stage1.lr", "model.codebook_size"} & set(keys)
    assert "run the stage leakage" in capsys.readouterr().out
    with pytest.raises(SystemExit, match=r"evaluation\.baselines: none of mean_pooling"):
        run_baselines(words(sample_store, tmp_path, **{"evaluation.baselines": "[majority]"}))
