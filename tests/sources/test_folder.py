"""Your own structures: the same store as from the sample, a table that is checked, files that may be bad."""

from __future__ import annotations

import csv
import gzip
import os
import shutil
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bioblobs.config.schema import DataConfig
from bioblobs.errors import BioBlobsError
from bioblobs.proteins.alphabet import decode, encode
from bioblobs.proteins.record import Protein, ProteinError
from bioblobs.sources import folder_scan
from bioblobs.sources.folder import FolderSource
from bioblobs.sources.preparation import prepare_store
from bioblobs.sources.sample import SampleSource
from bioblobs.sources.source import Source, source_state
from bioblobs.store.packed import ARRAYS, Store
from conftest import ROOT
from structure_files import FORMATS, chain_of, long_chain, structure_of, write

KEYS: dict[str, Any] = {"min_class_size": 1, "edge_types": "knn_5"}


def small_protein(name: str, seed: int = 0, length: int = 10) -> Protein:
    return Protein(
        id=name,
        residue_types=encode(("ACDEFGHIKLMNPQRSTVWY" * length)[seed : seed + length]),
        residue_numbers=np.arange(1, length + 1, dtype=np.int32),
        insertion_codes=np.full(length, b"", "S1"),
        chain_ids=np.full(length, b"A", "S4"),
        coordinates=long_chain(length, seed),
    )


def table(folder: Path, *rows: Sequence[str], head: str = "file,chain,label,split", name: str = "") -> None:
    lines = [head.split(","), *rows]
    path = folder / (name or "labels.csv")
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",").writerows(lines)


def config(folder: Path, **keys: Any) -> DataConfig:
    return DataConfig(source="folder", folder=str(folder), **{**KEYS, **keys})


def proteins(source: Source, rows: Sequence[int]) -> list[Protein | ProteinError]:
    return [protein for item in source.items(rows) for protein in source.read(item)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six files, one in a folder of its own and zipped, one of two chains; and their table."""
    made = tmp_path / "structures"
    (made / "more").mkdir(parents=True)
    for seed in range(5):
        write(structure_of(chain_of(small_protein("x", seed))), made / f"p{seed}.pdb")
    two = [chain_of(small_protein("x", 8)), chain_of(small_protein("x", 9), "B")]
    whole = write(structure_of(*two), tmp_path / "pair.cif").read_bytes()
    (made / "more" / "pair.cif.gz").write_bytes(gzip.compress(whole))
    table(
        made,
        ("p0.pdb", "A", "alpha", "train"),
        ("p1", "", "alpha", "train"),
        ("p2.pdb", "A", "beta", "train"),
        ("p3", "A", "beta", "val"),
        ("p4", "A", "alpha", "test"),
        ("more/pair", "A", "beta", "train"),
        ("more/pair.cif.gz", "B", "beta", "test"),
    )
    return made


def prepared(folder: Path, **keys: Any) -> tuple[Store, Any]:
    path = folder.parent / "prepared"
    report = prepare_store(config(folder, **keys), path)
    return Store(path), report


def test_chains_labels_and_splits_are_those_of_the_table(folder: Path) -> None:
    store, report = prepared(folder)
    assert store.table()["id"].tolist() == ["p0_A", "p1_A", "p2_A", "p3_A", "p4_A", "pair_A", "pair_B"]
    assert store.class_names == store.classes == ["alpha", "beta"]
    assert store.labels.tolist() == [0, 0, 1, 1, 0, 1, 1]
    assert store.split.tolist() == [0, 0, 0, 1, 2, 0, 2]
    assert report.summary["dropped"] == {}
    assert len(report.skipped) == 0
    for row, seed in enumerate([0, 1, 2, 3, 4, 8, 9]):
        span = slice(store.offsets[row], store.offsets[row + 1])
        np.testing.assert_array_equal(store.coordinates[span], long_chain(10, seed))
    assert set(store.chain_ids[-10:].tolist()) == {b"B"}


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("dataset_name", ["scop", "geneontology"])
def test_sample_written_as_files_gives_the_same_store(tmp_path: Path, kind: str, dataset_name: str) -> None:
    """Two ways to one store: real chains from the sample's table, and from files with labels and split."""
    data = DataConfig(dataset_name=dataset_name, data_dir=str(tmp_path), **KEYS)
    (tmp_path / "sample").mkdir()
    shutil.copy(ROOT / "data" / "sample" / "label_names.tsv", tmp_path / "sample")
    whole = pq.read_table(ROOT / "data" / "sample" / "chains.parquet")
    column = {"scop": "scop_cl", "geneontology": "go_mf"}[dataset_name]
    labelled = np.array([value is not None and len(value) > 0 for value in whole[column].to_pylist()])
    split = np.array(whole["structure_split_0.7"].to_pylist())
    coded = np.array([value is not None for value in whole["insertion_code"].to_pylist()])
    chosen = np.concatenate(
        [
            np.flatnonzero(labelled & (split == name) & (coded == odd))[:4]
            for name in ("train", "val", "test")
            for odd in (False, True)
        ]
    )
    pq.write_table(whole.take(pa.array(np.sort(chosen))), tmp_path / "sample" / "chains.parquet")
    source = SampleSource(data)
    listed, structures = source.table(), tmp_path / "structures"
    structures.mkdir()
    rows = []
    for (_, row), protein in zip(listed.iterrows(), proteins(source, range(len(listed))), strict=True):
        assert isinstance(protein, Protein)
        name, chain = protein.id.rsplit("_", 1)
        write(structure_of(chain_of(protein)), structures / f"{name}.{kind}")
        rows.append((name, chain, "|".join(row["labels"]), row["split"]))
    table(structures, *rows)
    prepare_store(data, tmp_path / "a")
    prepare_store(config(structures, dataset_name=dataset_name), tmp_path / "b")
    one, two = Store(tmp_path / "a"), Store(tmp_path / "b")
    assert len(one) > 10
    assert (one.insertion_codes != b"").any() == (dataset_name == "scop")  # no GO terms for those
    assert one.classes == two.classes
    pd.testing.assert_frame_equal(one.table(), two.table())
    for name in ARRAYS:
        if name == "coordinates":
            np.testing.assert_allclose(one.coordinates, two.coordinates, atol=5e-4, rtol=0)
        else:
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name), err_msg=name)


def test_bad_files_are_skipped_and_reported(folder: Path) -> None:
    (folder / "p1.pdb").write_text("")
    (folder / "p2.pdb").write_text("no structure at all\n")
    content = (folder / "more" / "pair.cif.gz").read_bytes()
    (folder / "more" / "cut.cif.gz").write_bytes(content[: len(content) // 2])
    shutil.copy(folder / "p0.pdb", folder / "unlisted.pdb")
    with (folder / "labels.csv").open("a") as file:
        file.write("more/cut,A,beta,train\np4,Z,beta,train\nnowhere.pdb,,beta,val\nmore/pair,,beta,val\n")
    store, report = prepared(folder)
    assert store.table()["id"].tolist() == ["p0_A", "p3_A", "p4_A", "pair_A", "pair_B"]
    assert report.summary["dropped"] == {"file that the table does not name": 1, "not usable": 6}
    found = report.skipped.set_index("file")
    assert list(report.skipped) == ["id", "file", "chain", "reason"]
    assert found["reason"]["p1"] == "empty file"
    assert found["reason"]["p2.pdb"] == "neither PDB nor mmCIF: no ATOM record and no data_ block"
    assert "end-of-stream" in found["reason"]["more/cut"]
    assert found["reason"]["p4"] == "no protein chain Z; the file has A"
    assert "no such file" in found["reason"]["nowhere.pdb"]
    assert found["reason"]["more/pair"] == "2 protein chains; name one of A (label Axp), B (label Bxp)"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("p0.pdb,A,alpha,training\n", "line 2, column split: training: expected train, val, test or nothing"),
        (
            'p0.pdb,A,alpha,"val\np1.pdb"\n',
            "line 3, column split: val p1.pdb: expected train, val, test or nothing",
        ),
        ("p0,A,alpha,train\n\n,A,alpha,train\n", "line 4, column file: is empty"),
        ("../p0.pdb,A,alpha,train\n", "line 2, column file: ../p0.pdb: expected a file in"),
        ("p0,A,alpha,train\np0.pdb,A,beta,val\n", "line 3, column file: names the chain of line 2 again"),
        ("p0,,alpha,train\np0.pdb,A,beta,val\n", "line 3, column file: p0_A, as in line 2"),
        ("p0,A,alpha\n", "line 2 has 3 cells for 4 columns"),
        ("double,A,alpha,train\n", "double may be any of double.cif, double.pdb: write the whole name"),
        ('p0,A,"alpha,train\n', "not a readable table"),
        ("", "no rows"),
    ],
)
def test_mistake_in_the_table_names_line_and_column(folder: Path, rows: str, message: str) -> None:
    for kind in FORMATS:
        write(structure_of(chain_of(small_protein("x"))), folder / f"double.{kind}")
    path = folder / "labels.csv"
    path.write_text("file,chain,label,split\n" + rows)
    with pytest.raises(BioBlobsError) as error:
        prepared(folder)
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert not (folder.parent / "prepared").exists()


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("name,label", "column file is missing; columns: name, label"),
        ("file,class", "column label is missing; columns: file, class"),
        ("file,label,label", "column label is there twice"),
    ],
)
def test_missing_column_is_named(folder: Path, head: str, message: str) -> None:
    table(folder, head=head)
    with pytest.raises(BioBlobsError, match=message):
        prepared(folder)


def test_missing_folder_or_table_names_the_key(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BioBlobsError, match=r"data\.folder: .*nowhere is not a folder"):
        prepare_store(config(tmp_path / "nowhere"), tmp_path / "prepared")
    with pytest.raises(BioBlobsError, match=r"no table other\.csv"):
        prepared(folder, table="other.csv")
    with pytest.raises(BioBlobsError, match=r"data\.table: \.\./x\.csv is not in data\.folder"):
        prepared(folder, table="../x.csv")
    (folder / "labels.csv").unlink()
    with pytest.raises(BioBlobsError, match=r"no table labels\.csv or labels\.tsv"):
        prepared(folder)


def test_latin_1_table_is_one_line(folder: Path) -> None:
    (folder / "labels.csv").write_bytes("file,label\np0,Übung\n".encode("latin-1"))
    with pytest.raises(BioBlobsError, match="not a readable table"):
        prepared(folder)


def test_tab_separated_table_with_other_columns_and_mark(folder: Path) -> None:
    content = "\ufefffile\tLabel\tnote\tsplit\r\np0\ta b; c\tx,y\ttrain\r\np1\td\t\ttrain\r\np2\td\t\t\r\n"
    (folder / "mine.tsv").write_text(content, newline="")
    store, report = prepared(folder, table="mine.tsv")
    assert store.classes == ["a b; c", "d"]
    assert store.table()["id"].tolist() == ["p0_A", "p1_A"]
    assert report.summary["dropped"]["no split"] == 1


def test_table_of_a_spreadsheet_with_semicolons(folder: Path) -> None:
    (folder / "labels.csv").write_text("file;label;split\np0;a, b;train\np1;c;train\n")
    assert prepared(folder)[0].classes == ["a, b", "c"]


def test_several_labels_make_a_multi_label_task(folder: Path) -> None:
    rows = [("p0", "x|y"), ("p1", " y | z |"), ("p2", "z"), ("p3", "")]
    table(folder, *[(name, label, "train") for name, label in rows], head="file,label,split")
    store, report = prepared(folder, dataset_name="geneontology")
    assert store.classes == ["x", "y", "z"]
    assert np.asarray(store.labels).tolist() == [
        [True, True, False],
        [False, True, True],
        [False, False, True],
    ]
    assert report.summary["dropped"]["no label"] == 1


def test_files_of_one_name_in_two_folders_stay_apart(folder: Path) -> None:
    shutil.copy(folder / "p0.pdb", folder / "more" / "p1.pdb")
    with (folder / "labels.csv").open("a") as file:
        file.write("more/p1,A,beta,train\n")
    ids = prepared(folder)[0].table()["id"].tolist()
    assert ids == ["p0_A", "p1_A", "p2_A", "p3_A", "p4_A", "pair_A", "pair_B", "more/p1_A"]


def test_length_counts_usable_residues(folder: Path) -> None:
    protein = small_protein("x", 7, length=14)
    protein.coordinates[[2, 3], 0] = np.nan
    write(structure_of(chain_of(protein)), folder / "p0.pdb")
    source = FolderSource(config(folder))
    assert source.table()["length"].tolist() == [12, 10, 10, 10, 10, 10, 10]
    assert prepared(folder, max_length=12)[1].summary["residues_without_backbone"] == 2
    assert prepared(folder, max_length=11)[1].summary["dropped"] == {"longer than 11 residues": 1}


def test_splits_are_computed_where_the_table_has_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From what will be used: readable, labelled and not too long; C-alphas come when asked for."""
    (folder / "p1.pdb").write_text("")
    table(folder, *[(f"p{i}", "ab"[i % 2]) for i in range(5)], ("more/pair", ""), head="file,label")
    asked: dict[str, Any] = {}

    def assign_splits(
        sequences: Sequence[str],
        ca: Sequence[np.ndarray],
        labels: Sequence[tuple[str, ...]],
        kind: str,
        threshold: float,
        fractions: Sequence[float],
        seed: int,
    ) -> list[str]:
        asked.update(sequences=sequences, ca=[ca[i] for i in range(len(ca))], labels=labels, seed=seed)
        asked.update(kind=kind, threshold=threshold, fractions=fractions)
        return ["train", "val", "train", "test"]

    monkeypatch.setattr("bioblobs.splits.assign.assign_splits", assign_splits)
    report = prepare_store(config(folder, dataset_name="scop", seed=3), folder.parent / "prepared")
    assert report.skipped["file"].tolist() == ["p1", "more/pair"]  # with their own reasons, not "no split"
    assert "no split" not in report.summary["dropped"] and report.summary["dropped"]["not usable"] == 2
    store = Store(folder.parent / "prepared")
    assert store.table()["id"].tolist() == ["p0_A", "p2_A", "p3_A", "p4_A"]
    assert store.split.tolist() == [0, 1, 0, 2]
    assert store.meta["split_column"] == "structure_split_0.7"
    assert asked["labels"] == [("a",), ("a",), ("b",), ("a",)]
    assert asked["seed"] == 3
    assert (asked["kind"], asked["threshold"], asked["fractions"]) == ("structure", 0.7, (0.8, 0.1, 0.1))
    for sequence, ca, seed in zip(asked["sequences"], asked["ca"], (0, 2, 3, 4), strict=True):
        assert sequence == decode(small_protein("x", seed).residue_types)
        np.testing.assert_array_equal(ca, long_chain(10, seed)[:, 1])


def test_several_processes_read_what_one_reads(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "p3.pdb").write_text("")
    one = FolderSource(config(folder, workers=1))
    table_of_one = one.table()
    monkeypatch.setattr("bioblobs.sources.parallel.POOL_PAYS_FROM", 0.0)
    monkeypatch.setattr(folder_scan, "CHUNK", 2)
    two = FolderSource(config(folder, workers=2))
    pd.testing.assert_frame_equal(two.table(), table_of_one)
    for left, right in zip(proteins(one, range(7)), proteins(two, range(7)), strict=True):
        assert str(left) == str(right)
        assert isinstance(left, ProteinError) == isinstance(right, ProteinError)
    assert isinstance(proteins(two, [3])[0], ProteinError)


def test_proteins_wait_as_plain_arrays_and_come_back_as_they_were() -> None:
    """No pickle: what comes from a file runs no code. Missing atoms, codes and chain ids of any width too."""
    waiting = [small_protein("one"), small_protein("two", 3, 17), small_protein("one residue", 5, 1)]
    waiting[1].coordinates[4, 3] = np.nan
    waiting[1].insertion_codes[2] = b"A"
    waiting[1].chain_ids[:] = b"AB12"
    scratch = folder_scan.Scratch()
    for row, protein in enumerate(waiting):
        scratch.put(row, protein)
    for row in (2, 0, 1):
        stored = scratch.get(row)
        assert type(stored.content) is bytes and len(stored.content) == 58 * len(waiting[row])
        found = stored.protein()
        assert found.id == waiting[row].id
        for each in fields(Protein):
            if isinstance(getattr(waiting[row], each.name), np.ndarray):
                one, other = getattr(found, each.name), getattr(waiting[row], each.name)
                assert one.dtype == other.dtype and one.flags.c_contiguous and one.flags.writeable
                np.testing.assert_array_equal(one, other)


def test_nothing_stays_in_the_temporary_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    source = FolderSource(config(folder))
    source.table()
    assert not list((tmp_path / "scratch").iterdir())  # it never had a name


def test_state_of_the_source_sees_every_change(folder: Path) -> None:
    before = source_state(config(folder))
    assert [name for name, *_ in before][:2] == ["labels.csv", "more/pair.cif.gz"]
    os.utime(folder / "more" / "pair.cif.gz", (1, 1))
    changed = source_state(config(folder))
    assert changed != before
    (folder / "new.pdb").write_text("x")
    assert source_state(config(folder)) != changed


def test_files_of_one_stem_are_told_apart_by_their_whole_names(folder: Path) -> None:
    shutil.copy(folder / "p0.pdb", folder / "p0.ent")
    table(folder, ("p0.pdb", "A", "a", "train"), ("p0.ent", "A", "b", "train"), ("p1.pdb", "A", "a", "val"))
    assert FolderSource(config(folder)).table()["id"].tolist() == ["p0.pdb_A", "p0.ent_A", "p1_A"]


def test_linked_folders_are_read_and_watched(folder: Path, tmp_path: Path) -> None:
    away = tmp_path / "away"
    away.mkdir()
    shutil.copy(folder / "p0.pdb", away / "linked.pdb")
    shutil.copy(folder / "p0.pdb", away / "odd.pdb1")  # a name that says nothing, but the table names it
    (folder / "more" / "link").symlink_to(away)
    (folder / "more" / "round").symlink_to(folder)
    table(folder, ("more/link/linked", "A", "a", "train"), ("more/link/odd.pdb1", "A", "b", "train"))
    data = config(folder)
    assert FolderSource(data).table()["error"].isna().all()
    before = source_state(data)
    (away / "odd.pdb1").write_text("changed")
    assert source_state(data) != before


def test_reason_is_named_where_nothing_can_be_read(folder: Path) -> None:
    (folder / "p0.pdb").write_text("")
    table(folder, ("p0", "a"), head="file,label")
    with pytest.raises(BioBlobsError, match=r"none of 1 chains can be read; the first, p0: "):
        prepare_store(config(folder), folder.parent / "prepared")


def test_long_chains_are_counted_as_long_where_splits_are_made_here(folder: Path) -> None:
    write(structure_of(chain_of(small_protein("p4", 4, 12))), folder / "p4.pdb")
    table(folder, *[(f"p{i}", "ab"[i % 2]) for i in range(5)], head="file,label")
    report = prepare_store(config(folder, split="random", max_length=11), folder.parent / "prepared")
    assert report.summary["dropped"]["longer than 11 residues"] == 1
    assert "no split" not in report.summary["dropped"]


def test_threshold_is_refused_before_files_are_read(folder: Path) -> None:
    table(folder, ("p0", "a"), head="file,label")
    with pytest.raises(BioBlobsError, match=r"split_similarity_threshold"):
        FolderSource(config(folder, split="structure", split_similarity_threshold=0.33))
