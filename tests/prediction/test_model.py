"""Any structure files -> the predictions that the pipeline would make of their chains."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import bioblobs
from bioblobs.errors import BioBlobsError
from bioblobs.inference.chain import Blob
from bioblobs.inference.predict import predictions
from bioblobs.inference.records import chain_records
from bioblobs.prediction.model import Model
from bioblobs.prediction.structure_files import safe_names
from bioblobs.proteins.record import Protein
from bioblobs.store.packed import Store
from structure_files import DATA, chain_of, long_chain, structure_of, write
from tiny_model import CLASSES, tiny_checkpoint


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return bioblobs.load(tiny_checkpoint(tmp_path / "model.ckpt"))


def protein(length: int, chain: str = "A", first: int = 1, seed: int = 0) -> Protein:
    """Numbers from ``first`` on; the third residue is inserted at the number of the second."""
    numbers = np.arange(length) + first
    numbers[2:] -= 1
    return Protein(
        id="x",
        residue_types=(np.arange(length) % 20).astype(np.uint8),
        residue_numbers=numbers.astype(np.int32),
        insertion_codes=np.where(np.arange(length) == 2, b"A", b"").astype("S1"),
        chain_ids=np.full(length, chain.encode(), "S4"),
        coordinates=long_chain(length, seed),
    )


def row_of(store: Store, row: int) -> Protein:
    start, end = store.offsets[row : row + 2]
    names = ("residue_types", "residue_numbers", "insertion_codes", "chain_ids", "coordinates")
    return Protein("x", *(np.asarray(getattr(store, name)[start:end]) for name in names))


@pytest.mark.parametrize("suffix", ["pdb", "cif"])
def test_a_sample_chain_in_a_file_is_predicted_as_the_pipeline_does(
    sample_store: Store, tmp_path: Path, suffix: str
) -> None:
    data = {"source": "sample", "max_length": 100, "edge_types": "knn_8"}
    model = bioblobs.load(tiny_checkpoint(tmp_path / "m.ckpt", data=data))
    rows = sample_store.rows("test")[:3]
    model.network.eval()
    wanted = []
    for batch, prediction in predictions(model.network, sample_store, rows, title=None):
        logits = prediction.logits.double().softmax(-1).numpy()
        ids = [""] * len(sample_store)
        wanted += zip(logits, _blobs(sample_store, ids, batch, prediction), strict=True)
    for row, (chance, blobs) in zip(rows, wanted, strict=True):
        path = write(structure_of(chain_of(row_of(sample_store, row), "A")), tmp_path / f"{row}.{suffix}")
        (found,) = model.predict(path)
        assert list(found.probabilities.values()) == pytest.approx(chance, abs=2e-5)
        assert [blob.residues for blob in found.blobs] == [blob.residues for blob in blobs]
        assert [blob.code for blob in found.blobs] == [blob.code for blob in blobs]
        for part in ("importance", "contribution"):
            assert [getattr(blob, part) for blob in found.blobs] == pytest.approx(
                [getattr(blob, part) for blob in blobs], abs=2e-5
            )


def _blobs(store: Store, ids: list[str], batch: object, prediction: object) -> list[list[Blob]]:
    """Blobs of each protein by rank; classes do not matter here."""
    made = chain_records(_Renamed(store), ids, batch, prediction)  # type: ignore[arg-type]
    return [record.blobs for record in made]


class _Renamed:
    """The store with the tiny model's classes, and without labels."""

    def __init__(self, store: Store) -> None:
        self._store, self.classes, self.labels = store, CLASSES, np.full(len(store), -1)

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


def test_a_chain_is_predicted_alike_whatever_else_is_read(model: Model, tmp_path: Path) -> None:
    files = [
        write(structure_of(chain_of(protein(length, seed=length))), tmp_path / f"{length}.pdb")
        for length in (12, 31, 38)
    ]
    together = model.predict(*files)
    for path, chain in zip(files, together, strict=True):
        (alone,) = model.predict(path)
        assert alone.predicted == chain.predicted
        assert list(alone.probabilities.values()) == pytest.approx(
            list(chain.probabilities.values()), abs=2e-6
        )
        assert [blob.residues for blob in alone.blobs] == [blob.residues for blob in chain.blobs]


def test_real_odd_files_are_predicted_or_skipped_with_a_reason(model: Model) -> None:
    result = model.predict(DATA, DATA / "missing.pdb", DATA / "nmr.pdb.gz")
    by_id = {chain.id: chain for chain in result}
    assert len(by_id) == len(result)
    assert "first of 2 models" in by_id["nmr_A"].notes
    assert "chain broken at 1 place" in by_id["break_O"].notes
    assert [blob.author for blob in by_id["label_auth_H"].blobs]
    assert {"60A", "60"} <= {label for blob in by_id["label_auth_H"].blobs for label in blob.numbers} | {"60"}
    assert {"chain_repeats_A.1", "chain_repeats_A.2"} <= set(by_id)
    both = [by_id["1BD2_short_D"], by_id["1BD2_short_2_D"]]  # one entry in two formats
    assert both[0].probabilities == both[1].probabilities
    assert "1 of 9 residues have no complete backbone and were left out" in both[0].notes
    reasons = {(Path(each.file).name, each.chain): each.reason for each in result.skipped}
    assert reasons["missing.pdb", ""] == "no such file"
    assert reasons["ca_only.pdb.gz", "A"] == "only C-alpha atoms: N and C are needed"
    assert reasons["nucleic.pdb", ""].startswith("no protein chain")


def test_authors_numbers_signs_insertions_and_long_chain_names(model: Model, tmp_path: Path) -> None:
    chains = [
        protein(20, "A", -4),
        protein(25, "a", 7, 1),
        protein(9, "AB", 3, 2),
    ]
    result = model.predict(write(structure_of(*map(chain_of, chains)), tmp_path / "x.cif"))
    assert [(chain.chain, chain.length) for chain in result] == [("A", 20), ("a", 25), ("AB", 9)]
    for chain in result:
        numbers, codes = chain.protein.residue_numbers, chain.protein.insertion_codes.astype(str)
        names = [f"{number}{code}" for number, code in zip(numbers, codes, strict=True)]
        for blob in chain.blobs:
            assert blob.numbers == [names[row] for row in blob.residues]
            assert {label.rpartition("/")[0] for label in blob.author} == {chain.chain}
            assert len(blob.sequence) == blob.size == len(blob.membership)
        assert [blob.rank for blob in chain.blobs] == list(range(1, len(chain.blobs) + 1))
    assert {"-4", "-3", "-3A"} <= {f"{n}{c}" for n, c in _labels(result[0].protein)}


def _labels(found: Protein) -> list[tuple[int, str]]:
    return list(zip(found.residue_numbers.tolist(), found.insertion_codes.astype(str), strict=True))


@pytest.mark.parametrize(
    ("length", "card", "note"),
    [
        (41, {}, "longer than the chains that the model was trained on (up to 40 residues)"),
        (29, {}, "very short (under 30 residues)"),
        (30, {}, None),
        (40, {}, None),
        (
            33,
            {"shortest": 34, "longest": 38},
            "shorter than the chains that the model was trained on (from",
        ),
        (
            39,
            {"shortest": 34, "longest": 38},
            "longer than the chains that the model was trained on (up to",
        ),
        (29, {"shortest": 20, "longest": 38}, "very short"),
    ],
)
def test_chains_unlike_those_of_training_get_a_note(
    tmp_path: Path, length: int, card: dict[str, int], note: str | None
) -> None:
    extra = {"training": {"length": card}} if card else {}
    model = bioblobs.load(tiny_checkpoint(tmp_path / "m.ckpt", **extra))
    (chain,) = model.predict(write(structure_of(chain_of(protein(length))), tmp_path / "x.pdb"))
    assert chain.length == length
    assert chain.outside == (note is not None)
    if note:
        assert chain.notes[0].startswith(note)


def test_several_classes_a_chain(tmp_path: Path) -> None:
    model = bioblobs.load(tiny_checkpoint(tmp_path / "m.ckpt", multilabel=True))
    result = model.predict(DATA / "break.pdb")
    (chain,) = result
    assert chain.predicted == [label for label, value in chain.probabilities.items() if value >= 0.5]
    assert sum(chain.probabilities.values()) != pytest.approx(1, abs=1e-3)
    assert result.to_frame()["predicted"][0] == "|".join(chain.predicted)


def test_a_model_without_a_codebook_gives_no_codes(tmp_path: Path) -> None:
    model = bioblobs.load(tiny_checkpoint(tmp_path / "m.ckpt", with_codebook=False))
    assert {blob.code for chain in model.predict(DATA / "break.pdb") for blob in chain.blobs} == {None}


def test_only_the_chain_that_is_asked_for(model: Model, tmp_path: Path) -> None:
    path = write(structure_of(chain_of(protein(20)), chain_of(protein(25, "B", 7, 1))), tmp_path / "x.pdb")
    result = model.predict(path, DATA / "break.pdb", chain="B")
    assert [chain.id for chain in result] == ["x_B"]
    assert [each.reason for each in result.skipped] == ["no protein chain B; the file has O"]


def test_tables_have_a_row_a_chain_and_a_row_a_blob(model: Model) -> None:
    result = model.predict(DATA / "nmr.pdb.gz", DATA / "break.pdb")
    frame, blobs = result.to_frame(), result.blobs_frame()
    assert frame["id"].tolist() == ["nmr_A", "break_O"]
    assert frame[["p_c0", "p_c1", "p_c2"]].sum(axis=1).tolist() == pytest.approx([1, 1], abs=1e-5)
    assert len(blobs) == sum(len(chain.blobs) for chain in result)
    assert blobs["residues"].str.split().map(len).tolist() == blobs["size"].tolist()
    assert "<table" in result._repr_html_()


def test_what_cannot_be_loaded_is_one_error(tmp_path: Path, model: Model) -> None:
    wrong = tmp_path / "wrong.ckpt"
    wrong.write_bytes(b"not a checkpoint")
    with pytest.raises(BioBlobsError, match=r"wrong.ckpt: not a readable checkpoint"):
        bioblobs.load(wrong)
    with pytest.raises(BioBlobsError, match="no such checkpoint"):
        bioblobs.load(tmp_path / "none.ckpt")
    with pytest.raises(BioBlobsError, match="its card does not say how to use it"):
        bioblobs.load(tiny_checkpoint(tmp_path / "old.ckpt", data={}))
    with pytest.raises(BioBlobsError, match="no structure files"):
        model.predict(tmp_path)
    with pytest.raises(BioBlobsError, match="no structure file was named"):
        model.predict()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nope.pdb", "no such file"),
        ("1abc", "no such file; for an accession, download the file first"),
        ("P69905", "for an accession"),
    ],
)
def test_nothing_predicted_is_an_error_in_python_too(model: Model, name: str, said: str) -> None:
    with pytest.raises(BioBlobsError, match=f"nothing could be predicted; the first, {name}: .*{said}"):
        model.predict(name)


def test_one_path_or_a_list_of_paths_is_read_as_the_command_reads_them(model: Model, tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.pdb").write_bytes((DATA / "break.pdb").read_bytes())
    one, two = tmp_path / "a.pdb", tmp_path / "b.pdb"
    for given, found in (
        (one, [one]),
        (str(one), [one]),
        (tmp_path, [one, two]),
        (str(tmp_path), [one, two]),
        ([str(two), one], [two, one]),
        ((two, tmp_path), [two, one]),
        (iter([two, one]), [two, one]),
    ):
        assert [each.path for each in model.stream(given)] == found
    for paths in ([[one, two]], [[str(one)], two], [tmp_path]):
        assert [chain.id for chain in model.predict(*paths)] == ["a_O", "b_O"]
    (skipped,) = model.stream(tmp_path / "none.pdb")
    assert skipped.skipped[0].reason == "no such file"


@pytest.mark.parametrize("given", [None, 3, b"a.pdb", ["a.pdb", None]])
def test_what_is_no_path_is_one_error(model: Model, given: object) -> None:
    with pytest.raises(
        BioBlobsError, match=r"^\S+: expected the path of a file or folder, or a list of paths$"
    ):
        next(model.stream(given))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["a.pdb", "a.cif", "a_2.pdb"], ["a", "a_3", "a_2"]),
        (["a_2.pdb", "a.pdb", "x/a.pdb", "y/a.pdb"], ["a_2", "a", "a_3", "a_4"]),
        (["A.pdb", "a.cif", "a.pdb.gz"], ["A", "a_2", "a_3"]),
        (["a.pdb", "x/a.pdb", "A_2.cif", "x/a_2.cif"], ["a", "a_3", "A_2", "a_2_2"]),
        (["a b.pdb", "a_b.pdb", "a_b_2.pdb"], ["a_b", "a_b_3", "a_b_2"]),
    ],
)
def test_only_files_of_one_stem_get_numbers_and_none_the_name_of_another(
    files: list[str], names: list[str]
) -> None:
    assert safe_names([Path(file) for file in files]) == names


def test_no_two_chains_have_one_id(model: Model, tmp_path: Path) -> None:
    """Chain B of a.pdb, and the only one of a_B.pdb, which has no chain id."""
    write(structure_of(chain_of(protein(20, "B"))), tmp_path / "a.pdb")
    write(structure_of(chain_of(protein(25, ""))), tmp_path / "a_B.pdb")
    write(structure_of(chain_of(protein(22, ""))), tmp_path / "a_B_2.pdb")
    assert [(chain.id, chain.length) for chain in model.predict(tmp_path)] == [
        ("a_B", 20),
        ("a_B_3", 25),
        ("a_B_2", 22),
    ]


def test_several_chains_can_be_asked_for(model: Model, tmp_path: Path) -> None:
    chains = [chain_of(protein(20)), chain_of(protein(25, "B", 7, 1)), chain_of(protein(22, "C", 1, 2))]
    path = write(structure_of(*chains), tmp_path / "x.pdb")
    for asked in (["C", "A"], ("A", "C", "A"), iter("AC")):
        result = model.predict(path, DATA / "break.pdb", chain=asked)
        assert [chain.id for chain in result] == ["x_A", "x_C"]
        reasons = {f"no protein chain {name}; the file has O" for name in "AC"}
        assert {each.reason for each in result.skipped} == reasons
    result = model.predict(path, chain=["B", "Z"])
    assert [chain.id for chain in result] == ["x_B"]
    assert [(each.chain, each.reason) for each in result.skipped] == [
        ("Z", "no protein chain Z; the file has A, B, C")
    ]
    for every in ("", [], [""]):
        assert len(model.predict(path, chain=every)) == 3


def test_fewer_than_no_workers_are_refused(model: Model) -> None:
    with pytest.raises(BioBlobsError, match=r"^workers: expected 0 .* or more; got -3$"):
        model.predict(DATA / "break.pdb", workers=-3)
