"""The packed store: bit-exact, written whole or not at all, and refused when it is not what was asked for."""

from __future__ import annotations

import dataclasses
import json
import pickle
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from bioblobs.config.schema import DataConfig
from bioblobs.errors import BioBlobsError
from bioblobs.graphs.neighbours import PADDING
from bioblobs.proteins.alphabet import SYMBOLS
from bioblobs.proteins.record import Protein
from bioblobs.store.packed import ARRAYS, Store
from bioblobs.store.writer import StoreWriter
from conftest import random_chain

FIELDS = ("coordinates", "residue_types", "residue_numbers", "insertion_codes", "chain_ids")
META = {"task": "scop", "multilabel": False, "classes": ["a"], "class_names": ["alpha"]}


def protein(length: int, seed: int) -> Protein:
    rng = np.random.default_rng(seed)
    coordinates = random_chain(length, seed)
    coordinates[rng.random(length) < 0.2, 3] = np.nan  # O may be missing
    return Protein(
        id=f"{seed}",
        residue_types=rng.integers(0, len(SYMBOLS), length).astype(np.uint8),
        residue_numbers=np.sort(rng.integers(-5, 3 * length, length)).astype(np.int32),
        insertion_codes=rng.choice(np.array([b"", b"A", b"B"], "S1"), length),
        chain_ids=np.sort(rng.choice(np.array([b"A", b"B", b"AA-1"], "S4"), length)),
        coordinates=coordinates,
    )


def write(path: Path, proteins: list[Protein], edge_types: str = "knn_4") -> Store:
    table = pd.DataFrame({"id": [p.id for p in proteins]})
    meta = META | {"parameters": {"edge_types": edge_types, "subset": None, "seed": 0}}
    with StoreWriter(path, edge_types) as writer:
        for each in proteins:
            writer.add(each)
        writer.finish(np.zeros(len(proteins), np.int64), np.zeros(len(proteins), np.uint8), table, meta)
    return Store(path)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_holds(store: Store, proteins: list[Protein]) -> None:
    assert store.lengths.tolist() == [len(each) for each in proteins]
    for row, each in enumerate(proteins):
        span = slice(store.offsets[row], store.offsets[row + 1])
        for name in FIELDS:
            stored, given_ = np.asarray(getattr(store, name)[span]), getattr(each, name)
            assert stored.dtype == given_.dtype
            assert stored.tobytes() == given_.tobytes(), f"{name} of protein {row} changed"


@st.composite
def proteins_of_any_kind(draw: st.DrawFn) -> Protein:
    length = draw(st.integers(1, 40))
    made = protein(length, draw(st.integers(0, 1000)))
    scale = draw(st.sampled_from([1.0, 1e-3, 50.0]))
    return dataclasses.replace(made, coordinates=(made.coordinates * np.float32(scale)))


@settings(max_examples=25, derandomize=True, database=None)
@given(
    proteins=st.lists(proteins_of_any_kind(), min_size=1, max_size=4),
    edge_types=st.sampled_from(["knn_4", "eps_8"]),
)
def test_any_proteins_come_back_bit_for_bit(proteins: list[Protein], edge_types: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = write(Path(folder) / "store", proteins, edge_types)
        assert_holds(store, proteins)
        store.verify()
        assert store.table()["id"].tolist() == [each.id for each in proteins]


@pytest.mark.parametrize("edge_types", ["knn_4", "eps_7.5"])
def test_neighbours_are_those_of_brute_force(tmp_path: Path, edge_types: str) -> None:
    proteins = [protein(length, length) for length in (1, 3, 30)]
    store = write(tmp_path / "store", proteins, edge_types)
    kind, value = edge_types.split("_")
    for row, each in enumerate(proteins):
        distance = cdist(each.coordinates[:, 1].astype(float), each.coordinates[:, 1].astype(float))
        np.fill_diagonal(distance, np.inf)
        lists = store.neighbours[store.offsets[row] : store.offsets[row + 1]]
        mutual = store.mutual[store.offsets[row] : store.offsets[row + 1]]
        found = [[j for j in line if j != PADDING] for line in lists.tolist()]
        for i, near in enumerate(found):
            nearest = np.sort(distance[i][np.isfinite(distance[i])])  # infinite: to itself
            wanted = nearest[: int(value)] if kind == "knn" else nearest[nearest <= float(value)]
            # By distance, not by row: steps of a chain are equally long up to rounding, so orders tie.
            np.testing.assert_allclose(distance[i][near], wanted, rtol=1e-5)
            assert len(set(near)) == len(near)
            assert mutual[i, : len(near)].tolist() == [i in found[j] for j in near]
            assert not mutual[i, len(near) :].any()


@pytest.mark.parametrize("when", ["before any protein", "between proteins", "while finishing"])
def test_exception_leaves_the_previous_store_untouched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    path = tmp_path / "store"
    write(path, [protein(12, 1)])
    before = contents(tmp_path)

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), StoreWriter(path, "knn_4") as writer:
        if when == "before any protein":
            fail()
        writer.add(protein(9, 2))
        if when == "between proteins":
            fail()
        monkeypatch.setattr("bioblobs.store.writer.seal", fail)
        writer.finish(np.zeros(1, np.int64), np.zeros(1, np.uint8), pd.DataFrame({"id": ["2"]}), META)
    assert contents(tmp_path) == before
    assert [each.name for each in tmp_path.iterdir()] == ["store"], "scratch was left behind"


def test_exception_where_nothing_was_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), StoreWriter(tmp_path / "store", "knn_4") as writer:
        writer.add(protein(9, 2))
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_new_store_replaces_the_old_one_and_its_scratch(tmp_path: Path) -> None:
    path = tmp_path / "store"
    write(path, [protein(12, 1)])
    (path / "stale.npy").write_bytes(b"of an older format")
    (tmp_path / ".store.partial").mkdir()  # of a run that was killed
    (tmp_path / ".store.partial" / "coordinates.raw").write_bytes(b"half")
    fresh = [protein(5, 3), protein(7, 4)]
    assert_holds(write(path, fresh), fresh)
    assert not (path / "stale.npy").exists()
    assert [each.name for each in tmp_path.iterdir()] == ["store"]


def test_no_store_names_the_path_and_the_stage(tmp_path: Path) -> None:
    with pytest.raises(BioBlobsError, match="prepare") as error:
        Store(tmp_path / "nothing here")
    assert str(tmp_path / "nothing here") in str(error.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 99}', '"format"', "\xff"])
def test_foreign_meta_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "store"
    write(path, [protein(12, 1)])
    (path / "meta.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(BioBlobsError) as error:
        Store(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "foreign"])
def test_damaged_array_is_refused(tmp_path: Path, name: str, damage: str) -> None:
    path = tmp_path / "store"
    write(path, [protein(12, 1), protein(20, 2)])
    file = path / f"{name}.npy"
    whole = file.read_bytes()
    file.unlink()
    if damage != "missing":
        file.write_bytes({"empty": b"", "cut": whole[:-3], "foreign": b"not numpy" * 30}[damage])
    with pytest.raises(BioBlobsError) as error:
        Store(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("name", ARRAYS)
def test_array_of_another_store_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "store"
    write(path, [protein(12, 1), protein(20, 2)])
    write(tmp_path / "other", [protein(15, 5), protein(11, 6), protein(4, 7)])
    shutil.copy(tmp_path / "other" / f"{name}.npy", path / f"{name}.npy")
    with pytest.raises(BioBlobsError) as error:
        Store(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("name", ARRAYS)
def test_verify_finds_a_flipped_byte(tmp_path: Path, name: str) -> None:
    path = tmp_path / "store"
    write(path, [protein(12, 1), protein(20, 2)]).verify()
    with (path / f"{name}.npy").open("r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)
        file.seek(-1, 2)
        file.write(bytes([last[0] ^ 1]))
    with pytest.raises(BioBlobsError) as error:
        Store(path).verify()
    assert str(path) in str(error.value)


@pytest.mark.parametrize("name", ["coordinates.npy", "labels.npy", "proteins.csv"])
@pytest.mark.parametrize("change", ["longer", "shorter"])
def test_a_file_of_another_size_is_refused_by_name(tmp_path: Path, name: str, change: str) -> None:
    path = tmp_path / "store"
    write(path, [protein(12, 1), protein(20, 2)])
    whole = (path / name).read_bytes()
    (path / name).write_bytes(whole + b"x" if change == "longer" else whole[:-1])
    with pytest.raises(BioBlobsError, match=name if change == "longer" else "damaged") as error:
        Store(path)
    assert str(path) in str(error.value)


def test_numbers_of_another_type_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "store"
    store = write(path, [protein(12, 1)])
    np.save(path / "residue_numbers.npy", store.residue_numbers.astype("<f4"))  # of the same size
    with pytest.raises(BioBlobsError, match=r"residue_numbers\.npy: holds <f4"):
        Store(path)


def test_offsets_that_fall_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "store"
    store = write(path, [protein(12, 1), protein(20, 2)])
    np.save(path / "offsets.npy", np.array([0, 40, store.offsets[-1]]))
    with pytest.raises(BioBlobsError, match=r"offsets\.npy"):
        Store(path)


def test_changed_parameters_are_refused(tmp_path: Path) -> None:
    """A store cannot be passed off as prepared with other keys."""
    path = tmp_path / "store"
    write(path, [protein(12, 1)])
    text = (path / "meta.json").read_text()
    changed = text.replace('"knn_4"', '"knn_5"')
    assert changed != text
    (path / "meta.json").write_text(changed)
    with pytest.raises(BioBlobsError, match=r"meta\.json was changed"):
        Store(path)


def test_verify_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "store"
    write(path, [protein(12, 1), protein(20, 2)])
    table = (path / "proteins.csv").read_bytes()
    (path / "proteins.csv").write_bytes(table.replace(b"1", b"7"))
    with pytest.raises(BioBlobsError, match=r"proteins\.csv"):
        Store(path).verify()


def test_two_writers_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with StoreWriter(path, "knn_4") as first:
        first.add(protein(12, 1))
        with (
            pytest.raises(BioBlobsError, match="another process is preparing"),
            StoreWriter(path, "knn_4"),
        ):
            pass
        first.add(protein(20, 2))
        first.finish(np.zeros(2, np.int64), np.zeros(2, np.uint8), pd.DataFrame({"id": ["1", "2"]}), META)
    Store(path).verify()
    assert Store(path).lengths.tolist() == [12, 20]
    assert [each.name for each in tmp_path.iterdir()] == ["store"]


def test_other_processes_get_the_path_not_the_arrays(tmp_path: Path) -> None:
    store = write(tmp_path / "store", [protein(300, 1)])
    sent = pickle.dumps(store)
    assert len(sent) < 1000
    np.testing.assert_array_equal(pickle.loads(sent).coordinates, store.coordinates)


def test_store_is_read_only(tmp_path: Path) -> None:
    store = write(tmp_path / "store", [protein(12, 1)])
    with pytest.raises(ValueError, match="read-only"):
        store.coordinates[0] = 0


CHANGED = {
    "source": "proteinshake",
    "dataset_name": "proteinfamily",
    "ec_level": 2,
    "scop_level": "fold",
    "split": "random",
    "split_similarity_threshold": 0.5,
    "split_fractions": [0.7, 0.2, 0.1],
    "min_class_size": 7,
    "subset": 100,
    "max_length": 300,
    "edge_types": "eps_8",
    "folder": "elsewhere",
    "table": "other.csv",
    "seed": 1,
    "embeddings": "made.h5",
}


def test_every_data_key_is_tried() -> None:
    """A key added to the schema has to be added here, or to the exception."""
    assert {*CHANGED, "data_dir", "task_title", "workers"} == {
        field.name for field in dataclasses.fields(DataConfig)
    }


@pytest.mark.parametrize("key", CHANGED)
def test_every_key_that_shapes_a_store_is_in_its_identity(tmp_path: Path, key: str) -> None:
    store = write(tmp_path / "store", [protein(12, 1)])
    store.meta["parameters"] = json.loads(json.dumps(DataConfig().identity()))
    store.require(DataConfig().identity())
    with pytest.raises(BioBlobsError) as error:
        store.require(DataConfig(**{key: CHANGED[key]}).identity())
    assert f"data.{key}" in str(error.value)
    assert str(CHANGED[key]) in str(error.value)
    assert str(store.path) in str(error.value)


def test_where_the_files_lie_is_no_part_of_the_identity() -> None:
    assert DataConfig(data_dir="here").identity() == DataConfig(data_dir="there").identity()
