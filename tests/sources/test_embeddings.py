"""Embeddings of any encoder: read as others write them, checked against the chains, packed into the store."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from bioblobs.checkpoints.file import load_model
from bioblobs.config.schema import DataConfig
from bioblobs.errors import BioBlobsError
from bioblobs.faithfulness.chains import Chains
from bioblobs.inference.predict import class_probabilities
from bioblobs.proteins.record import Protein, ProteinError
from bioblobs.sources.embeddings import Embeddings, embeddings_state, kind_of
from bioblobs.sources.preparation import DataReport, prepare_store
from bioblobs.sources.source import open_source, source_state
from bioblobs.store.batches import collate
from bioblobs.store.packed import Store, open_store
from conftest import ROOT, random_chain
from runs import run_stage_0

WIDTH = 6
Made = dict[str, np.ndarray]


def as_prottrans(path: Path, made: Made) -> Path:
    """Datasets named by the id, with / and . replaced."""
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        for name, values in made.items():
            file.create_dataset(name.replace("/", "_").replace(".", "_"), data=values)
    return path.with_suffix(".h5")


def as_bio_embeddings(path: Path, made: Made) -> Path:
    """Datasets named by number; the id is an attribute."""
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        for number, (name, values) in enumerate(made.items()):
            file.create_dataset(str(number), data=values).attrs["original_id"] = name
    return path.with_suffix(".h5")


def as_folder(path: Path, made: Made) -> Path:
    path.mkdir()
    for name, values in made.items():
        np.save(path / f"{name.replace('/', '_')}.npy", values)
    return path


FORMS: dict[str, Callable[[Path, Made], Path]] = {
    "ProtTrans": as_prottrans,
    "bio_embeddings": as_bio_embeddings,
    "folder": as_folder,
}


def protein(name: str, length: int) -> Protein:
    types = np.arange(length, dtype=np.uint8) % 20
    codes, chains = np.full(length, b"", "S1"), np.full(length, b"A", "S4")
    return Protein(name, types, np.arange(length, dtype=np.int32), codes, chains, random_chain(length, 0))


def values_of(length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(length, WIDTH)).astype(np.float32)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_rows_of_the_chain(tmp_path: Path, form: str) -> None:
    made = {"1abc_A": values_of(9), "d1e.2/x": values_of(12, 1)}
    found = Embeddings(FORMS[form](tmp_path / "made", made))
    assert found.width == WIDTH
    for name, values in made.items():
        np.testing.assert_array_equal(found.of(protein(name, len(values))), values.astype(np.float16))


@pytest.mark.parametrize("form", FORMS)
def test_a_worker_gets_a_copy_that_reads_anew(tmp_path: Path, form: str) -> None:
    made = {"a": values_of(9), "b": values_of(5)}
    found = Embeddings(FORMS[form](tmp_path / "made", made))
    found.of(protein("a", 9))
    copy = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(copy.of(protein("b", 5)), made["b"].astype(np.float16))


def test_rows_of_residues_with_a_backbone_alone_go_to_these(tmp_path: Path) -> None:
    """A store leaves the others out, so its own sequences have no row for them."""
    chain = protein("a", 9)
    chain.coordinates[[2, 7], 0] = np.nan
    complete = np.delete(np.arange(9), [2, 7])
    for values in (values_of(9), values_of(7)):
        found = Embeddings(as_prottrans(tmp_path / "made", {"a": values})).of(chain)
        expected = values if len(values) == 7 else values[complete]
        np.testing.assert_array_equal(found[complete], expected.astype(np.float16))


NAN, HUGE = values_of(9), values_of(9)
NAN[3, 2], HUGE[0, 0] = np.nan, 1e6
UNFIT = {
    "no embedding": {"Other": values_of(9)},
    "embedding of another length": {"a": values_of(8)},
    "embedding not finite": {"a": NAN},
    "embedding not finite, too large": {"a": HUGE},
    "embedding not readable": {"Other": values_of(9), "a": values_of(9)[:, :4]},
    "embedding not readable, one row per chain": {"Other": values_of(9), "a": values_of(9)[0]},
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("fault", UNFIT)
def test_an_embedding_that_does_not_fit_is_an_error_of_its_kind(
    tmp_path: Path, form: str, fault: str
) -> None:
    found = Embeddings(FORMS[form](tmp_path / "made", UNFIT[fault]))
    with pytest.raises(ProteinError) as error:
        found.of(protein("a", 9))
    assert kind_of(str(error.value)) == fault.partition(",")[0]
    assert isinstance(found.given(protein("a", 9)), ProteinError)


def test_what_is_no_set_of_embeddings_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.h5").write_text("not HDF5")
    pooled = as_prottrans(tmp_path / "pooled", {"a": values_of(9).mean(0)})
    layers = as_prottrans(tmp_path / "layers", {"a": np.zeros((3, 9, WIDTH))})
    for path, said in (
        (tmp_path / "absent.h5", "not there"),
        (tmp_path / "empty", "holds no arrays"),
        (tmp_path / "text.h5", "expected an HDF5 file"),
        (pooled, "not one per chain"),
        (layers, "or per layer"),
    ):
        with pytest.raises(BioBlobsError, match=said) as error:
            Embeddings(path)
        assert str(error.value).startswith(f"data.embeddings: {path}: ") and "\n" not in str(error.value)


# In a store

DATA = {"data_dir": str(ROOT / "data"), "subset": 60, "max_length": 80, "edge_types": "knn_6"}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A small store without embeddings."""
    path = tmp_path_factory.mktemp("plain") / "prepared"
    prepare_store(DataConfig(**DATA), path)
    return Store(path)


def made_for(store: Store) -> Made:
    return {name: values_of(length, seed) for seed, (name, length) in
            enumerate(zip(store.table()["id"], store.lengths, strict=True))}  # fmt: skip


def prepared(folder: Path, made: Made, **more: object) -> tuple[Store, DataReport]:
    data = DataConfig(**DATA, embeddings=str(as_prottrans(folder / "made", made)), **more)
    report = prepare_store(data, folder / "prepared")
    return open_store(folder / "prepared", data.identity()), report


@pytest.mark.parametrize("workers", [1, 2])
def test_a_store_holds_them_beside_what_it_holds_without(tmp_path: Path, plain: Store, workers: int) -> None:
    made = made_for(plain)
    store, report = prepared(tmp_path, made, workers=workers)
    assert store.embedding_dim == WIDTH and store.embeddings.dtype == np.float16 and not len(report.skipped)
    np.testing.assert_array_equal(store.embeddings, np.concatenate([*made.values()]).astype(np.float16))
    for name in ("coordinates", "residue_types", "neighbours", "labels", "split"):
        np.testing.assert_array_equal(getattr(store, name), getattr(plain, name))
    rows = store.rows("train")[[3, 0]]
    batch = collate(store, rows)
    ids = store.table()["id"].to_numpy()[rows]
    expected = np.concatenate([made[name] for name in ids]).astype(np.float16)
    np.testing.assert_array_equal(batch.embeddings.numpy(), expected)
    assert isinstance(np.lib.format.open_memmap(tmp_path / "prepared/embeddings.npy", "r"), np.memmap)


def test_a_store_without_is_as_it_was(plain: Store) -> None:
    assert plain.embedding_dim == 0 and plain.embeddings is None
    assert not (plain.path / "embeddings.npy").exists() and "embeddings" not in plain.meta["parameters"]
    assert collate(plain, plain.rows("train")[:2]).embeddings is None


def test_chains_without_a_fitting_embedding_are_counted_by_kind(tmp_path: Path, plain: Store) -> None:
    made = made_for(plain)
    table = plain.table()
    names = table.loc[table["split"] == "train", "id"].tolist()
    for name in names[:4]:
        del made[name]
    made[names[4]] = made[names[4]][1:]
    made[names[5]][0, 0] = np.nan
    store, report = prepared(tmp_path, made)
    assert len(store) == len(plain) - 6
    dropped = report.summary["dropped"]
    assert (dropped["no embedding"], dropped["embedding of another length"]) == (4, 1)
    assert dropped["embedding not finite"] == 1 and "not usable" not in dropped
    lines = list(report.skipped_lines())
    assert len(lines) == 3
    (missing,) = (line for line in lines if "no embedding" in line)
    assert missing.startswith("skipped 4 ") and names[0] in missing and "..." in missing


def test_embeddings_of_other_chains_stop_the_preparation(tmp_path: Path, plain: Store) -> None:
    with pytest.raises(
        BioBlobsError, match=r"^data.embeddings: .* fits none of \d+ chains; the first, .*: no"
    ):
        prepared(tmp_path, {f"other{name}": values for name, values in made_for(plain).items()})
    assert not (tmp_path / "prepared").exists()


def test_damage_and_other_embeddings_are_refused(tmp_path: Path, plain: Store) -> None:
    store, _ = prepared(tmp_path, made_for(plain))
    with pytest.raises(BioBlobsError, match=r"prepared with data.embeddings=.*, but None is asked for"):
        store.require(DataConfig(**DATA).identity())
    with pytest.raises(BioBlobsError, match=r"data.embeddings=None, but made.h5 is asked for"):
        plain.require(DataConfig(**DATA, embeddings="made.h5").identity())
    file = store.path / "embeddings.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(BioBlobsError, match=r"embeddings\.npy is not what was written"):
        Store(store.path).verify()
    file.write_bytes(bytes(content[:-2]))
    with pytest.raises(BioBlobsError, match=r"embeddings\.npy"):
        Store(store.path)


def test_a_changed_file_is_another_state(tmp_path: Path) -> None:
    """The store of a run without DVC is named by it."""
    path = as_folder(tmp_path / "made", {"a": values_of(3)})
    data = DataConfig(**DATA, embeddings=str(path))
    before = source_state(data)
    assert {*before} - {*source_state(DataConfig(**DATA))} == {*embeddings_state(path)}
    np.save(path / "b.npy", values_of(4))
    assert len(source_state(data)) == len(before) + 1
    assert embeddings_state(tmp_path / "absent") == []


@pytest.mark.filterwarnings("ignore")  # of the command line's libraries, about each other
def test_training_takes_the_width_from_the_store_and_every_reader_gets_the_rows(
    tmp_path: Path, plain: Store
) -> None:
    store, _ = prepared(tmp_path, made_for(plain))
    folder = run_stage_0(
        store, tmp_path, *(f"--data.{key}={value}" for key, value in DATA.items()),
        f"--data.embeddings={store.meta['parameters']['embeddings']}", "--model.seq_in=false",
    )  # fmt: skip
    model, card = load_model(folder / "stage_0_final.ckpt")
    assert card["embedding_dim"] == model.encoder.embedding_dim == WIDTH
    rows = store.rows("test")
    assert class_probabilities(model, store, rows).shape == (len(rows), len(store.classes))
    with pytest.raises(BioBlobsError, match=r"^data.embeddings: the model reads 6 .* come with none$"):
        class_probabilities(model, plain, rows)
    chains = Chains(store, rows)
    kept = chains.position % 3 > 0
    found = np.concatenate([batch.embeddings for batch in chains.batches(kept)])
    np.testing.assert_array_equal(found, store.embeddings[chains.residue[kept]])


def test_a_protein_keeps_its_rows_when_residues_are_left_out() -> None:
    from bioblobs.proteins.record import usable

    chain = replace(protein("a", 5), embeddings=values_of(5).astype(np.float16))
    chain.coordinates[1] = np.nan
    kept, missing = usable(chain)
    assert missing == 1
    np.testing.assert_array_equal(kept.embeddings, chain.embeddings[[0, 2, 3, 4]])


def test_files_of_one_name_have_embeddings_of_their_own(tmp_path: Path) -> None:
    """Names are the ids of the table, which tell such files apart."""
    folder = tmp_path / "structures"
    for place in ("a", "b"):
        (folder / place).mkdir(parents=True)
        shutil.copy(ROOT / "tests/data/structures/1BD2_short.pdb.gz", folder / place)
    rows = [f"{place}/1BD2_short.pdb.gz,D,{place},train" for place in ("a", "b")]
    (folder / "labels.csv").write_text("\n".join(["file,chain,label,split", *rows]) + "\n")
    source = open_source(DataConfig(source="folder", folder=str(folder)))
    ids = source.table()["id"].tolist()
    found = [protein.id for item in source.items([0, 1]) for protein in source.read(item)]
    assert found == ids and len(set(ids)) == 2
