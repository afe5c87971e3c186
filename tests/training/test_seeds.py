"""Two seeds: that of the data belongs to the store, that of training does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bioblobs.checkpoints.file import read_checkpoint
from bioblobs.config.schema import DataConfig
from bioblobs.errors import BioBlobsError
from bioblobs.sources.preparation import prepare_store
from bioblobs.store.packed import Store, open_store
from bioblobs.training.datamodule import ProteinDataModule
from conftest import ROOT
from runs import run_stage_0

DATA = {"data_dir": str(ROOT / "data"), "subset": 120, "max_length": 100, "edge_types": "knn_8"}


@pytest.mark.filterwarnings("ignore")  # of the command line's libraries, about each other
def test_a_store_opens_for_another_seed_of_training(sample_store: Store, tmp_path: Path) -> None:
    made = {}
    for seed in (0, 1):
        folder = run_stage_0(sample_store, tmp_path / str(seed), f"--train.seed={seed}")
        made[seed] = read_checkpoint(folder / "stage_0_final.ckpt")
        assert made[seed]["card"]["data"]["seed"] == 0
    name = "model.encoder.node_in.w_s.weight"
    assert not np.allclose(made[0]["state_dict"][name], made[1]["state_dict"][name])


@pytest.mark.filterwarnings("ignore")
def test_a_store_is_refused_for_another_seed_of_the_data(sample_store: Store, tmp_path: Path) -> None:
    with pytest.raises(BioBlobsError, match=r"prepared with data\.seed=0, but 1 is asked for") as error:
        run_stage_0(sample_store, tmp_path, "--data.seed=1")
    assert str(sample_store.path) in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(BioBlobsError, match=r"data\.seed=0, but 1"):
        open_store(sample_store.path, DataConfig(**DATA, seed=1).identity())


def test_the_seed_of_training_orders_batches_and_the_seed_of_data_draws_the_subset(
    sample_store: Store, tmp_path: Path
) -> None:
    orders = []
    for order_seed in (0, 0, 1):
        module = ProteinDataModule(str(sample_store.path), batch_size=8, order_seed=order_seed, **DATA)
        orders.append([batch.proteins.tolist() for batch in module.train_dataloader()])
    assert orders[0] == orders[1] != orders[2]
    assert set(map(frozenset, orders[0])) != set(map(frozenset, orders[2]))
    assert DataConfig(seed=3).identity()["seed"] == 3
    small = {**DATA, "subset": 30}
    chains = {}
    for seed in (0, 1):
        prepare_store(DataConfig(**small, seed=seed), tmp_path / str(seed))
        chains[seed] = (tmp_path / str(seed) / "proteins.csv").read_text()
    assert chains[0] != chains[1]
