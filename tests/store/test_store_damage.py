"""Each file of a store, damaged in each way: the same content or one line, never another or a crash."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bioblobs.config.schema import Config, DataConfig, Paths
from bioblobs.errors import BioBlobsError
from bioblobs.io import write_json
from bioblobs.sources.preparation import prepare_store
from bioblobs.stages import prepare
from bioblobs.store.array_file import HEADER, write_array
from bioblobs.store.packed import ARRAYS, META, TABLE, Store, open_store, seal
from conftest import ROOT
from damage import KINDS, damage

FILES = (*(f"{name}.npy" for name in ARRAYS), TABLE, META, "report/data.json", "report/data_classes.csv")


def data(**changes: Any) -> DataConfig:
    return DataConfig(
        data_dir=str(ROOT / "data"), subset=40, max_length=60, edge_types="knn_4", workers=1, **changes
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "prepared"
    prepare_store(data(), path)
    return path


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of other chains, of as many classes."""
    path = tmp_path_factory.mktemp("other") / "prepared"
    prepare_store(data(seed=1), path)
    return path


@pytest.fixture
def store(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "store")


def content(path: Path) -> dict[str, Any]:
    """Everything that stages see of a store."""
    store = open_store(path, data().identity())
    return {
        **{name: np.asarray(getattr(store, name)).tobytes() for name in ARRAYS},
        "table": store.table().to_csv(),
        "meta": store.meta,
        "report": store.report,
    }


@pytest.fixture(scope="module")
def expected(whole: Path) -> dict[str, Any]:
    return content(whole)


def same_or_refused(path: Path, expected: dict[str, Any], name: str) -> bool:
    """True if the store is refused, in one line that names it and what to do; else it is as it was."""
    try:
        found = content(path)
    except BioBlobsError as error:
        said = str(error)
        assert said.startswith(f"{path}: ") and "\n" not in said and len(said) < 600
        assert "run the prepare stage" in said
        assert name == META or Path(name).name in said, said
        return True
    assert found == expected, f"{name}: another store, and nothing said"
    return False


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_store_is_never_believed(
    name: str, kind: str, store: Path, expected: dict[str, Any]
) -> None:
    damage(store / name, kind)
    refused = same_or_refused(store, expected, name)
    assert refused or (name == META and kind.startswith(("bit", "cut by one")))  # white space


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_store_is_refused(
    name: str, store: Path, other: Path, expected: dict[str, Any]
) -> None:
    shutil.copy(other / name, store / name)
    same_or_refused(store, expected, "" if name in (META, "offsets.npy") else name)


@pytest.mark.parametrize("one", FILES)
def test_files_that_change_places_are_refused(one: str, store: Path, expected: dict[str, Any]) -> None:
    for another in FILES:
        if another != one:
            first, second = (store / one).read_bytes(), (store / another).read_bytes()
            (store / one).write_bytes(second)
            assert same_or_refused(store, expected, ""), another
            (store / one).write_bytes(first)


@pytest.mark.parametrize("name", ["neighbours.npy", "coordinates.npy", "labels.npy"])
def test_every_bit_of_a_header_counts_or_changes_nothing(
    name: str, store: Path, expected: dict[str, Any]
) -> None:
    """fortran_order: True is one letter less, and gives a matrix of the same shape with other values."""
    file = store / name
    before = file.read_bytes()
    refused = 0
    for place in range(HEADER):
        file.write_bytes(before[:place] + bytes([before[place] ^ (1 << place % 8)]) + before[place + 1 :])
        refused += same_or_refused(store, expected, name)
    assert refused > HEADER / 3
    turned = before[:HEADER].replace(b"False", b"True ")
    file.write_bytes(turned + before[HEADER:])
    assert same_or_refused(store, expected, name) or name == "labels.npy"


def test_every_byte_of_meta_counts_or_changes_nothing(store: Path, expected: dict[str, Any]) -> None:
    file = store / META
    before = file.read_bytes()
    refused = 0
    for place in range(0, len(before), 7):
        file.write_bytes(before[:place] + bytes([before[place] ^ (1 << place % 8)]) + before[place + 1 :])
        refused += same_or_refused(store, expected, META)
    assert refused > len(before) / 7 / 3


OUT_OF_RANGE: dict[str, Callable[[Any], Any]] = {
    "neighbours": lambda values: np.where(values == values.max(), 2**30, values),
    "residue_types": lambda values: values + 200,
    "labels": lambda values: values + 50,
    "split": lambda values: values + 3,
    "offsets": lambda values: values[::-1].copy(),
}


@pytest.mark.parametrize("name", OUT_OF_RANGE)
def test_numbers_that_lead_out_of_an_array_are_refused_even_with_right_hashes(name: str, store: Path) -> None:
    opened = Store(store)
    values = OUT_OF_RANGE[name](np.asarray(getattr(opened, name)))
    entry = write_array(store / f"{name}.npy", values.astype(getattr(opened, name).dtype))
    meta = {**opened.meta, "arrays": {**opened.meta["arrays"], name: entry}}
    write_json(store / META, {**meta, "content_sha256": seal(meta)})
    with pytest.raises(BioBlobsError, match=rf"damaged store \({name}\.npy "):
        open_store(store, data().identity())


def test_a_store_of_another_format_says_so(store: Path) -> None:
    text = (store / META).read_text()
    (store / META).write_text(text.replace('"format": 3', '"format": 2'))
    with pytest.raises(
        BioBlobsError, match=r"of format 2, this version reads 3; run the prepare stage again"
    ):
        Store(store)


def test_a_damaged_report_is_not_published(store: Path, tmp_path: Path) -> None:
    paths = Paths(
        prepared=str(store),
        output=str(tmp_path),
        metrics=str(tmp_path / "metrics"),
        plots=str(tmp_path / "plots"),
    )
    prepare.publish_report(Config(), paths)
    assert (tmp_path / "metrics" / "data.json").read_bytes() == (store / "report" / "data.json").read_bytes()
    assert len(pd.read_csv(tmp_path / "plots" / "data_classes.csv"))
    damage(store / "report" / "data.json", "bit 0")
    with pytest.raises(BioBlobsError, match=r"report/data\.json is not what was written"):
        prepare.publish_report(Config(), paths)
