"""Writing embeddings: what preparation reads back, runs that were stopped, and the inputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest

from bioblobs.config.schema import DataConfig
from bioblobs.errors import BioBlobsError
from bioblobs.proteins.record import Protein, ProteinError
from bioblobs.sources.embedding_file import write_embeddings
from bioblobs.sources.embeddings import Embeddings
from bioblobs.sources.input_chains import Named, input_chains
from bioblobs.sources.preparation import prepare_store
from bioblobs.store.packed import Store
from conftest import ROOT, random_chain
from structure_files import DATA

WIDTH = 3


def chain(name: str, length: int, seed: int = 0) -> Protein:
    types = np.random.default_rng(seed).integers(0, 20, length).astype(np.uint8)
    codes, chains = np.full(length, b"", "S1"), np.full(length, b"A", "S4")
    return Protein(name, types, np.arange(length, dtype=np.int32), codes, chains, random_chain(length, seed))


class Stub:
    """Encoder that tells the type of each residue, and remembers its batches."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.batches: list[list[str]] = []
        self.stop_after = stop_after

    def __call__(self, batch: Sequence[Protein]) -> list[np.ndarray]:
        if len(self.batches) == self.stop_after:
            raise KeyboardInterrupt
        self.batches.append([protein.id for protein in batch])
        return [np.repeat(protein.residue_types[:, None], WIDTH, 1).astype(np.float32) for protein in batch]


def named(*chains: Protein) -> list[Named]:
    return [(each.id, each) for each in chains]


def test_what_is_written_fits_the_chains(tmp_path: Path) -> None:
    made = [chain("1abc_A", 9), chain("d1e.2/x", 12, 1)]
    written = write_embeddings(tmp_path / "made.h5", named(*made), Stub(), "stub")
    assert (written.chains, written.reused, written.skipped) == (2, 0, [])
    found = Embeddings(tmp_path / "made.h5")
    for each in made:
        np.testing.assert_array_equal(found.of(each)[:, 0], each.residue_types)
    with h5py.File(tmp_path / "made.h5") as file:
        assert file.attrs["source"] == "stub"
        assert {dataset.dtype for dataset in file.values()} == {np.dtype(np.float16)}
    assert [path.name for path in tmp_path.iterdir()] == ["made.h5"]


def test_residues_without_a_backbone_have_no_row(tmp_path: Path) -> None:
    torn = chain("a", 9)
    torn.coordinates[[2, 7], 0] = np.nan
    write_embeddings(tmp_path / "made.h5", named(torn), Stub(), "stub")
    with h5py.File(tmp_path / "made.h5") as file:
        assert file["a"].shape == (7, WIDTH)
    complete = np.delete(np.arange(9), [2, 7])
    found = Embeddings(tmp_path / "made.h5").of(torn)
    np.testing.assert_array_equal(found[complete, 0], torn.residue_types[complete])


def test_batches_are_of_like_length_and_keep_the_budget(tmp_path: Path) -> None:
    stub = Stub()
    made = [chain(f"c{length}", length) for length in (10, 50, 11, 200, 12, 49)]
    write_embeddings(tmp_path / "made.h5", named(*made), stub, "stub", batch_residues=100)
    assert stub.batches == [["c200"], ["c50", "c49"], ["c12", "c11", "c10"]]


def test_a_stopped_run_goes_on_and_other_work_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "made.h5"
    made = [chain(name, 20 - number, number) for number, name in enumerate("abcd")]
    with pytest.raises(KeyboardInterrupt):
        write_embeddings(path, named(*made), Stub(stop_after=2), "stub", batch_residues=1)
    assert not path.exists()
    made[1] = chain("b", 19, seed=9)  # another chain of that name by now
    stub = Stub()
    written = write_embeddings(path, named(*made), stub, "stub", batch_residues=1)
    assert (written.chains, written.reused) == (4, 1) and stub.batches == [["b"], ["c"], ["d"]]
    np.testing.assert_array_equal(Embeddings(path).of(made[1])[:, 0], made[1].residue_types)
    with pytest.raises(KeyboardInterrupt):
        write_embeddings(path, named(*made), Stub(stop_after=2), "stub", batch_residues=1)
    assert write_embeddings(path, named(*made), Stub(), "another encoder").reused == 0


def test_bad_chains_are_skipped_by_name_and_never_fatal(tmp_path: Path) -> None:
    none = chain("none", 5)
    none.coordinates[:] = np.nan
    chains = [("bad.pdb", ProteinError("damaged")), *named(chain("a/b", 8), none, chain("a_b", 8, 1))]
    written = write_embeddings(tmp_path / "made.h5", chains, Stub(), "stub")
    assert written.chains == 1
    assert [name for name, _ in written.skipped] == ["bad.pdb", "none", "a_b"]
    assert "skipped 1: damaged (the first: bad.pdb)" in str(written)
    with pytest.raises(BioBlobsError, match=r"no chain to embed; the first, bad.pdb: damaged"):
        write_embeddings(tmp_path / "empty.h5", chains[:1], Stub(), "stub")
    assert [path.name for path in tmp_path.iterdir()] == ["made.h5"]


def test_an_encoder_that_loses_rows_is_refused(tmp_path: Path) -> None:
    def encode(batch: Sequence[Protein]) -> list[np.ndarray]:
        return [np.zeros((len(protein) - 1, WIDTH)) for protein in batch]

    with pytest.raises(BioBlobsError, match=r"a: the encoder gave \(7, 3\) for 8 residues"):
        write_embeddings(tmp_path / "made.h5", named(chain("a", 8)), encode, "stub")
    assert not (tmp_path / "made.h5").exists()


# Inputs


def test_a_store_s_chains_take_the_embeddings_of_it(tmp_path: Path) -> None:
    """Prepared, embedded, prepared again: every chain fits, and its rows are its own."""
    data = {"data_dir": str(ROOT / "data"), "subset": 60, "max_length": 80, "edge_types": "knn_6"}
    prepare_store(DataConfig(**data), tmp_path / "plain")
    write_embeddings(tmp_path / "made.h5", input_chains(tmp_path / "plain"), Stub(), "stub")
    report = prepare_store(DataConfig(**data, embeddings=str(tmp_path / "made.h5")), tmp_path / "with")
    store, plain = Store(tmp_path / "with"), Store(tmp_path / "plain")
    assert len(store) == len(plain) and not len(report.skipped)
    np.testing.assert_array_equal(store.embeddings[:, 0], plain.residue_types)


def test_the_sample_is_read_under_its_ids() -> None:
    found = input_chains(ROOT / "data" / "sample", max_length=100)
    name, first = next(found)
    assert isinstance(first, Protein) and first.id == name and 0 < len(first) <= 100


def test_a_folder_gives_chains_and_reasons() -> None:
    found = dict(input_chains(DATA))
    (name,) = (each for each in found if each.startswith("break"))
    assert isinstance(found[name], Protein)
    assert any(isinstance(each, ProteinError) for each in found.values())


def test_what_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BioBlobsError, match="not there; name a prepared store"):
        next(input_chains(tmp_path / "absent"))
    with pytest.raises(BioBlobsError, match="no structure files"):
        next(input_chains(tmp_path))
