"""The stage of catalytic sites from end to end on a small model, and several models' measurements joined."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from stub import made_model

from bioblobs.checkpoints.build import architecture
from bioblobs.checkpoints.file import FORMAT, write_checkpoint
from bioblobs.config.schema import ModelConfig
from bioblobs.errors import BioBlobsError
from bioblobs.faithfulness.site_seeds import over_seeds, read_measurements, table
from bioblobs.stages import sites
from bioblobs.store.packed import Store
from conftest import ROOT


def interval(value: float, width: float = 0.05) -> dict[str, float]:
    return {"value": value, "low": round(value - width, 5), "high": round(value + width, 5)}


def measurement(split: str, seed: int, area: float) -> dict[str, Any]:
    part = {
        "chains": 30,
        "sites": 120,
        "accuracy": area,
        "auc": {"contribution": interval(area), "random_patches": interval(0.5)},
        "auc_gain": {"random_patches": interval(area - 0.5)},
        "odds_ratio": {"contribution": None if seed else 2.0},
    }
    return {
        "data_split": split,
        "seed": seed,
        "task": "enzymecommission",
        "recipe": {"train.batch_size": 8},
        "val": {"all": part, "curated": None},
        "test": {"all": part, "curated": {**part, "chains": 20}},
    }


def files_of(folder: Path, *contents: Any) -> list[Path]:
    made = [folder / f"{number}.json" for number in range(len(contents))]
    for path, content in zip(made, contents, strict=True):
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return made


def test_mean_and_range_over_seeds(tmp_path: Path) -> None:
    models = [
        measurement("random", 1, 0.6),
        measurement("sequence 0.3", 0, 0.9),
        measurement("random", 0, 0.7),
    ]
    made = over_seeds(read_measurements(files_of(tmp_path, *models)))
    assert list(made) == ["random", "sequence 0.3"]
    assert made["random"]["seeds"] == [0, 1]
    found = made["random"]["test"]["all"]
    assert found["chains"] == 30
    assert found["auc"]["contribution"] == {
        "mean": 0.65,
        "low": 0.6,
        "high": 0.7,
        "least_low_end": 0.55,
        "greatest_high_end": 0.75,
    }
    assert found["accuracy"] == {"mean": 0.65, "low": 0.6, "high": 0.7}
    assert found["odds_ratio"]["contribution"] == {"mean": 2.0, "low": 2.0, "high": 2.0}
    assert made["random"]["val"]["curated"] is None
    assert made["random"]["test"]["curated"]["chains"] == 20
    assert made["sequence 0.3"]["test"]["all"]["auc"]["contribution"]["mean"] == 0.9


def test_table_of_the_plot() -> None:
    made = table([measurement("random", 0, 0.7), measurement("random", 1, 0.6)])
    assert list(made) == ["split", "chains", "ranking", "seed", "auc", "low", "high"]
    assert len(made) == 2 * 3 * 2
    assert set(made["chains"]) == {"val", "test", "test, M-CSA"}
    row = made[(made["chains"] == "test") & (made["ranking"] == "contribution") & (made["seed"] == 1)]
    assert row[["auc", "low", "high"]].to_numpy().tolist() == [[0.6, 0.55, 0.65]]


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (["{"], "0.json: cannot be read"),
        (["[1]"], "0.json: not a sites_model.json of the stage sites"),
        ([{"data_split": "random"}], "0.json: not a sites_model.json of the stage sites (no seed)"),
        ([measurement("random", 0, 0.5)] * 2, "1.json: same split (random) and seed (0)"),
        (
            [measurement("random", 0, 0.5), {**measurement("random", 1, 0.5), "recipe": {}}],
            "0.json; join models of one preset",
        ),
        (
            [{**measurement("random", 0, 0.5), "recipe": None}],
            "0.json: not a sites_model.json of the stage sites (no recipe)",
        ),
    ],
)
def test_files_that_cannot_be_joined_are_named(tmp_path: Path, contents: list[Any], message: str) -> None:
    with pytest.raises(BioBlobsError) as error:
        read_measurements(files_of(tmp_path, *contents))
    assert message in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(BioBlobsError, match=r"absent\.json: cannot be read"):
        read_measurements([tmp_path / "absent.json"])


@pytest.fixture
def checkpoint(sample_store: Store, tmp_path: Path) -> Path:
    config = ModelConfig(node_h_dim=(16, 2), edge_h_dim=(8, 1), num_layers=1, codebook_size=8)
    card = {
        "format": FORMAT,
        "stage": 1,
        "architecture": architecture(config, True),
        "recipe": {"train.batch_size": 8},
        "with_codebook": True,
        "task": "scop",
        "multilabel": False,
        "classes": sample_store.classes,
        "class_names": sample_store.class_names,
        "data": {},
        "seed": 4,
    }
    path = tmp_path / "model.ckpt"
    write_checkpoint(path, made_model(sample_store), card)
    return path


def arguments(store: Store, checkpoint: Path, table: Path, target: Path) -> list[str]:
    data = {"data_dir": ROOT / "data", "subset": 120, "max_length": 100, "edge_types": "knn_8"}
    paths = {"prepared": store.path, "checkpoint": checkpoint, "metrics": target, "plots": target}
    return [
        *(f"--data.{key}={value}" for key, value in data.items()),
        *(f"--paths.{key}={value}" for key, value in paths.items()),
        f"--interpretability.sites={table}",
    ]


def planted(store: Store, path: Path, splits: tuple[str, ...]) -> Path:
    """A site in every chain of some splits, those of even rows from M-CSA; and one that is not there."""
    lines, ids = ["id,number,icode,aa,mcsa,source", "absent,1,,A,1,M-CSA"], store.table()["id"]
    for row in np.concatenate([store.rows(split) for split in splits]):
        at = int(store.offsets[row]) + 9
        code = store.insertion_codes[at].decode()
        source = "homolog40:1ABC_A" if row % 2 else "M-CSA"
        lines.append(f"{ids[row]},{store.residue_numbers[at]},{code},,1,{source}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_stage_from_checkpoint_to_the_joined_file(
    sample_store: Store, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = planted(sample_store, tmp_path / "sites.csv", ("train", "val", "test"))
    sites.main(arguments(sample_store, checkpoint, given, tmp_path))
    said = capsys.readouterr().out
    assert "sites of no prepared chain: absent" in said
    path = tmp_path / "sites_model.json"
    made = json.loads(path.read_text())
    assert (made["data_split"], made["seed"], made["task"]) == ("structure 0.7", 4, "scop")
    assert made["not_found"] == {"missing_chains": 1, "missing_residues": 0, "other_residue_type": 0}
    for split in ("val", "test"):
        rows = sample_store.rows(split)
        assert made[split]["all"]["chains"] == made[split]["all"]["sites"] == len(rows)
        assert made[split]["curated"]["chains"] == (rows % 2 == 0).sum()
        assert "depth_and_type_of_blobs" in made[split]["all"]["auc"]
    sites.main(["join", str(path), f"--paths.metrics={tmp_path}", f"--paths.plots={tmp_path}"])
    joined = json.loads((tmp_path / "sites.json").read_text())
    area = made["test"]["all"]["auc"]["contribution"]["value"]
    assert joined["structure 0.7"]["test"]["all"]["auc"]["contribution"]["mean"] == area
    assert set(pd.read_csv(tmp_path / "sites.csv")["chains"]) == {"val", "test", "val, M-CSA", "test, M-CSA"}


def test_stage_without_sites_to_learn_from_or_to_measure(
    sample_store: Store, checkpoint: Path, tmp_path: Path
) -> None:
    given = planted(sample_store, tmp_path / "sites.csv", ("test",))
    sites.main(arguments(sample_store, checkpoint, given, tmp_path))
    made = json.loads((tmp_path / "sites_model.json").read_text())
    assert made["val"] is None
    assert "residue_type" not in made["test"]["all"]["auc"] and "depth" in made["test"]["all"]["auc"]


def test_stage_refuses_an_empty_table(sample_store: Store, checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"interpretability\.sites: .* has no residue"):
        sites.main(arguments(sample_store, checkpoint, ROOT / "data" / "sites.csv", tmp_path))
    assert not (tmp_path / "sites_model.json").exists()
