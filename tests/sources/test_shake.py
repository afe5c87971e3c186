"""ProteinShake's data sets, from files that its own writer makes: labels, splits, residues, damage."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import fastavro.write
import numpy as np
import pytest
from proteinshake import tasks
from proteinshake.utils import write_avro

from bioblobs.config.schema import DataConfig
from bioblobs.errors import BioBlobsError
from bioblobs.proteins.alphabet import SYMBOLS, decode
from bioblobs.proteins.record import ATOMS
from bioblobs.sources import proteinshake as shake
from bioblobs.sources.preparation import prepare_store
from bioblobs.sources.proteinshake import ProteinShakeSource
from bioblobs.sources.shake_atoms import protein_from_atoms
from bioblobs.sources.shake_avro import decode as decode_block
from bioblobs.sources.shake_files import DATASET_CLASSES
from bioblobs.splits import SPLITS
from bioblobs.store.packed import ARRAYS, Store
from conftest import random_chain

Atom = tuple[str, int, str, Any]  # name, residue number, residue letter, place
Edit = Callable[[list[Atom]], list[Atom]]
COUNT, LENGTH, NUMBERS = 12, 14, list(range(5, 19))
COLUMNS = ("random_split", "sequence_split_0.3", "structure_split_0.7")
EC = ("1.1.1.37", "2.7.7.4", "3.4.21.1")
GO = ("GO:0005198", "GO:0003674", "GO:0003674")  # the files repeat terms
PFAM = (["PF00102", "PF00001"], ["PF00001"], ["PF07714"])
TRUE: dict[tuple[str, str], Callable[[int], set[str]]] = {
    ("enzymecommission", "class"): lambda i: {EC[i % 3][0]},
    ("geneontology", "class"): lambda i: set(GO[: 1 + i % 3]),
    ("proteinfamily", "class"): lambda i: {PFAM[i % 3][0]},  # the first, as ProteinShake's task takes it
    ("scop", "class"): lambda i: {f"100000{i % 3}"},
    ("scop", "fold"): lambda i: {f"200000{i % 2}"},
    ("scop", "superfamily"): lambda i: {f"300000{i % 4}"},
    ("scop", "family"): lambda i: {f"400000{i % 6}"},
}  # labels of protein i


def labels(dataset_name: str, i: int) -> dict[str, Any]:
    """The fields that the files of each data set hold."""
    levels = {"CL": (1, 3), "CF": (2, 2), "SF": (3, 4), "FA": (4, 6)}
    return {
        "enzymecommission": {"EC": EC[i % 3]},
        "proteinfamily": {"Pfam": PFAM[i % 3]},
        "scop": {f"SCOP-{level}": f"{first}00000{i % count}" for level, (first, count) in levels.items()},
        "geneontology": {"molecular_function": list(GO[: 1 + i % 3]), "cellular_component": ["GO:0005575"]},
    }[dataset_name]


def split_of(i: int, column: str) -> str:
    """Different in every column, so that a mixed-up column shows; the last protein has none."""
    place = -1 if i == COUNT - 1 else (i + COLUMNS.index(column)) % 6
    return ("train", "train", "val", "train", "test", "train", "none")[place]


def letters(i: int) -> str:
    return (SYMBOLS[:20] * 2)[i : i + LENGTH]


def atoms_of(i: int) -> list[Atom]:
    """Backbone and C-beta, in the order of a structure file."""
    chain = random_chain(LENGTH, i)
    whole = np.concatenate([chain, chain[:, 1:2] + 1.5], 1)
    return [
        (name, number, letter, place)
        for number, letter, residue in zip(NUMBERS, letters(i), whole, strict=True)
        for name, place in zip((*ATOMS, "CB"), residue, strict=True)
    ]


def columns(atoms: list[Atom], several_chains: bool) -> dict[str, list[Any]]:
    """As ProteinShake keeps them: one list a property."""
    names, numbers, types, places = (list(column) for column in zip(*atoms, strict=True))
    xyz = dict(zip("xyz", np.array(places, float).T.tolist(), strict=True))
    chain = {"chain_id": ["A" if number < 12 else "B" for number in numbers]} if several_chains else {}
    made = {"atom_type": names, "residue_number": numbers, "residue_type": types, **xyz, **chain}
    return {"atom_number": list(range(len(atoms))), "SASA": [2.0] * len(atoms), **made}


def file_of(data: DataConfig, resolution: str) -> Path:
    name = f"{DATASET_CLASSES[data.dataset_name]}.{resolution}.avro"
    return Path(data.data_dir) / "raw" / data.dataset_name / name


def write(data: DataConfig, resolution: str, order: Iterable[int], edit: Edit = list) -> None:
    """One file; ``edit`` changes the atoms of protein 0."""
    several, proteins = data.dataset_name == "geneontology", []
    for i in order:
        held = {"ID": f"{i:04d}", "sequence": letters(i), **labels(data.dataset_name, i)}
        held |= {column: split_of(i, column) for column in COLUMNS}
        atoms = edit(atoms_of(i)) if i == 0 else atoms_of(i)
        inner = columns([a for a in atoms if resolution == "atom" or a[0] == "CA"] or atoms[:1], several)
        if resolution == "residue":
            del inner["atom_number"], inner["atom_type"]
        proteins.append({"protein": held, resolution: inner})
    write_avro(proteins, file_of(data, resolution))


def written(folder: Path, dataset_name: str = "scop", edit: Edit = list, **keys: Any) -> DataConfig:
    """A ProteinShake root, and the keys that read it."""
    keys = {"min_class_size": 1, "edge_types": "knn_4", **keys}
    data = DataConfig(source="proteinshake", dataset_name=dataset_name, data_dir=str(folder), **keys)
    file_of(data, "atom").parent.mkdir(parents=True)
    for resolution in ("residue", "atom"):
        write(data, resolution, range(COUNT), edit)
    return data


def prepared(data: DataConfig) -> Store:
    path = Path(data.data_dir) / "prepared"
    prepare_store(data, path)
    return Store(path)


def residues(store: Store, name: str = "0000") -> dict[str, Any]:
    row = store.table()["id"].tolist().index(name)
    span = slice(store.offsets[row], store.offsets[row + 1])
    return {field: np.asarray(getattr(store, field)[span]) for field in ARRAYS[:5]}


def assert_refused(data: DataConfig, resolution: str) -> None:
    """One error that names the file, and no trace of a store."""
    with pytest.raises(BioBlobsError) as error:
        prepared(data)
    assert str(file_of(data, resolution)) in str(error.value)
    assert [each.name for each in Path(data.data_dir).iterdir()] == ["raw"]


@pytest.mark.parametrize(("dataset_name", "level"), TRUE)
def test_labels_and_residues_are_those_of_the_files(tmp_path: Path, dataset_name: str, level: str) -> None:
    true = TRUE[dataset_name, level]
    store = prepared(written(tmp_path, dataset_name, scop_level=level))
    used = range(COUNT - 1)  # the last has no split
    assert store.table()["id"].tolist() == [f"{i:04d}" for i in used]
    trained = [true(i) for i in used if split_of(i, "structure_split_0.7") == "train"]
    assert store.classes == sorted(set().union(*trained))
    for i in used:
        label = store.labels[i]
        places = np.flatnonzero(label) if store.multilabel else [j for j in [label] if j >= 0]
        assert {store.classes[j] for j in places} == true(i) & set(store.classes)
        held = residues(store, f"{i:04d}")
        np.testing.assert_array_equal(held["coordinates"], random_chain(LENGTH, i))
        assert decode(held["residue_types"]) == letters(i)
        assert held["residue_numbers"].tolist() == NUMBERS
        assert set(held["insertion_codes"].tolist()) == {b""}


@pytest.mark.parametrize(
    ("split", "threshold"),
    [("random", 0.7), ("sequence", 0.3), ("structure", 0.7), ("structure", 0.5), ("sequence", 0.7)],
)
def test_split_keys_choose_the_column_or_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], split: str, threshold: float
) -> None:
    data = written(tmp_path, split=split, split_similarity_threshold=threshold)
    column = "random_split" if split == "random" else f"{split}_split_{threshold}"
    if column in COLUMNS:
        assert [SPLITS[i] for i in prepared(data).split] == [split_of(i, column) for i in range(COUNT - 1)]
    else:
        with pytest.raises(BioBlobsError, match=r"data\.split_similarity_threshold"):
            prepared(data)
        assert not (tmp_path / "prepared").exists()
    assert "random split" not in capsys.readouterr().out  # ProteinShake says so when it makes one up


def write_a_block_each(file: Any, schema: Any, records: list[Any], metadata: dict[str, str]) -> None:
    writer = fastavro.write.Writer(file, schema, metadata=metadata)
    for record in records:
        writer.write(record)
        writer.flush()


@pytest.fixture
def _a_block_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bioblobs.sources.parallel.POOL_PAYS_FROM", 0.0)
    monkeypatch.setattr("bioblobs.sources.preparation.CHUNK", 1)
    monkeypatch.setitem(write_avro.__globals__, "avro_writer", write_a_block_each)


@pytest.mark.usefixtures("_a_block_a_worker")
def test_workers_read_the_same_proteins(tmp_path: Path) -> None:
    data = written(tmp_path)
    with file_of(data, "atom").open("rb") as file:
        assert sum(1 for _ in fastavro.block_reader(file)) == COUNT
    hashes = set()
    for workers in (1, 2):
        hashes.add(prepared(dataclasses.replace(data, workers=workers)).meta["content_sha256"])
    assert len(hashes) == 1


@pytest.mark.usefixtures("_a_block_a_worker")
def test_workers_refuse_what_this_process_refuses(tmp_path: Path) -> None:
    data = written(tmp_path, workers=2)
    write(data, "atom", [*range(COUNT - 2), COUNT - 1, COUNT - 2])
    assert_refused(data, "atom")


def test_split_without_a_protein_is_an_empty_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "split_of", lambda i, column: "test" if i % 3 == 0 else "train")
    assert np.bincount(prepared(written(tmp_path)).split).tolist() == [8, 0, 4]


def test_chains_of_a_complex_stay_apart(tmp_path: Path) -> None:
    store = prepared(written(tmp_path, "geneontology"))
    assert residues(store)["chain_ids"].tolist() == [b"A"] * 7 + [b"B"] * 7
    twins = columns(
        [("CA", 1, "A", np.zeros(3)), ("CA", 1, "A", np.ones(3))], several_chains=False
    )  # number and type go on
    assert protein_from_atoms("x", {**twins, "chain_id": ["A", "B"]}).chain_ids.tolist() == [b"A", b"B"]


@pytest.mark.parametrize("pair", ["AA", "AG"])
def test_repeated_number_gives_two_residues(tmp_path: Path, pair: str) -> None:
    """ProteinShake drops insertion codes: 52 and 52A both come as 52, of one type or of two."""
    typed = {8: pair[0], 9: pair[1]}

    def edit(atoms: list[Atom]) -> list[Atom]:
        return [(name, n - (n > 8), typed.get(n, letter), place) for name, n, letter, place in atoms]

    held = residues(prepared(written(tmp_path, edit=edit)))
    assert held["residue_numbers"].tolist() == [5, 6, 7, 8, 8, *range(9, 18)]
    assert decode(held["residue_types"])[3:5] == pair
    np.testing.assert_array_equal(held["coordinates"], random_chain(LENGTH, 0))


@pytest.mark.parametrize("atom", ATOMS)
def test_first_of_alternate_locations_is_kept(tmp_path: Path, atom: str) -> None:
    def twice(a: Atom) -> list[Atom]:
        return [a, (*a[:3], a[3] + 0.4)] if a[:2] == (atom, 9) else [a]

    held = residues(prepared(written(tmp_path, edit=lambda atoms: [b for a in atoms for b in twice(a)])))
    assert held["residue_numbers"].tolist() == NUMBERS
    np.testing.assert_array_equal(held["coordinates"], random_chain(LENGTH, 0))


@pytest.mark.parametrize("atom", ATOMS)
def test_incomplete_residue_leaves_a_gap_in_the_numbers(tmp_path: Path, atom: str) -> None:
    data = written(tmp_path, edit=lambda atoms: [a for a in atoms if a[:2] != (atom, 9)])
    report = prepare_store(data, tmp_path / "prepared")
    held = residues(Store(tmp_path / "prepared"))
    stays = [number for number in NUMBERS if number != 9 or atom == "O"]  # only O may be missing
    assert held["residue_numbers"].tolist() == stays
    wanted = random_chain(LENGTH, 0)
    wanted[4, ATOMS.index(atom)] = np.nan
    np.testing.assert_array_equal(held["coordinates"], wanted[np.array(stays) - 5])
    assert report.summary["residues_without_backbone"] == LENGTH - len(stays)


def test_protein_without_backbone_is_skipped_and_reported(tmp_path: Path) -> None:
    data = written(tmp_path, edit=lambda atoms: [("CB", *a[1:]) for a in atoms])
    assert prepare_store(data, tmp_path / "prepared").skipped["id"].tolist() == ["0000"]
    next_one = residues(Store(tmp_path / "prepared"), "0001")["coordinates"]
    np.testing.assert_array_equal(next_one, random_chain(LENGTH, 1))


@pytest.mark.parametrize("order", [[1, 0, *range(2, COUNT)], range(9)], ids=["swapped", "fewer"])
def test_files_that_hold_other_proteins_are_refused(tmp_path: Path, order: Iterable[int]) -> None:
    """Coordinates of one protein under the label of another must not pass."""
    data = written(tmp_path)
    write(data, "atom", order)
    assert_refused(data, "atom")


@pytest.mark.parametrize("resolution", ["residue", "atom"])
@pytest.mark.parametrize("damage", [0.0, 0.01, 0.3, 0.7, 0.999, b"11", b"13", b"many", b""])
def test_cut_file_or_wrong_count_is_refused(tmp_path: Path, resolution: str, damage: float | bytes) -> None:
    """A share of the file that is left, or another number of proteins in its head."""
    data, key = written(tmp_path), b"number_of_proteins"
    content = file_of(data, resolution).read_bytes()
    if isinstance(damage, bytes):
        changed = content.replace(key + b"\x0412", key + bytes([2 * len(damage)]) + damage)
    else:
        changed = content[: int(damage * len(content))]
    assert changed != content
    file_of(data, resolution).write_bytes(changed)
    assert_refused(data, resolution)


@pytest.mark.parametrize("resolution", ["residue", "atom"])
def test_flipped_bytes_never_end_in_a_traceback(tmp_path: Path, resolution: str) -> None:
    """Damage that still reads as numbers cannot be seen; all other damage is one error."""
    data, rng = written(tmp_path), np.random.default_rng(0)
    content = (path := file_of(data, resolution)).read_bytes()
    for place in [*rng.integers(1500, size=30), *rng.integers(len(content), size=15)]:  # header, anywhere
        flipped = bytes([content[place] ^ int(rng.integers(1, 256))])
        path.write_bytes(content[:place] + flipped + content[place + 1 :])
        with contextlib.suppress(BioBlobsError):
            prepared(data)


@pytest.mark.parametrize("missing", ["residue", "atom"])
def test_missing_file_is_one_line_that_says_how_to_get_it(tmp_path: Path, missing: str) -> None:
    data = written(tmp_path)
    file_of(data, missing).unlink()
    with pytest.raises(BioBlobsError, match=r"bioblobs\.stages download"):
        prepared(data)
    assert_refused(data, missing)


TASKS: dict[str, tuple[type, dict[str, str]]] = {
    "enzymecommission": (tasks.EnzymeClassTask, {}),
    "geneontology": (tasks.GeneOntologyTask, {}),
    "proteinfamily": (tasks.ProteinFamilyTask, {}),
    "scop": (tasks.StructuralClassTask, {"scop_level": "SCOP-SF"}),
}


@pytest.mark.parametrize("dataset_name", TASKS)
@pytest.mark.parametrize(("split", "threshold"), [("random", 0.7), ("sequence", 0.3), ("structure", 0.7)])
def test_labels_and_splits_are_those_of_proteinshakes_task(
    tmp_path: Path, dataset_name: str, split: str, threshold: float
) -> None:
    keys = {"split": split, "split_similarity_threshold": threshold}
    data = written(tmp_path, dataset_name, scop_level="superfamily", **keys)
    kind, own = TASKS[dataset_name]
    task = kind(root=str(file_of(data, "atom").parent), verbosity=0, **own, **keys)
    table = ProteinShakeSource(data).table()
    for name in SPLITS:
        index = getattr(task, f"{name}_index").tolist()
        assert np.flatnonzero(table["split"] == name).tolist() == index
        for row, target in zip(index, getattr(task, f"{name}_targets"), strict=True):
            classes = np.flatnonzero(target) if dataset_name == "geneontology" else [target]
            tokens = list(task.token_map)
            assert set(table["labels"][row]) == {tokens[place] for place in classes}


@pytest.mark.parametrize(("level", "labels"), [(2, {"1.1", "2.7", "3.4"}), (4, set(EC))])
def test_ec_level_cuts_the_number(tmp_path: Path, level: int, labels: set[str]) -> None:
    """Unlike ProteinShake's own ec_level, which takes one field alone: 1.1.1.37 and 3.4.21.1 are apart."""
    store = prepared(written(tmp_path, "enzymecommission", ec_level=level))
    assert set(store.classes) == labels


def test_ec_number_without_the_level_is_left_out_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "EC", ("1.1.1.-", "2.7.7.4", "3.4"))
    data = written(tmp_path, "enzymecommission", ec_level=3)
    table = ProteinShakeSource(data).table()
    assert table["labels"].tolist() == [("1.1.1",), ("2.7.7",), ()] * (COUNT // 3)
    assert prepare_store(data, tmp_path / "prepared").summary["dropped"]["no label"] == COUNT // 3


@pytest.mark.parametrize("threshold", [0.2, 0.35, 1.0])
@pytest.mark.parametrize("split", ["sequence", "structure"])
def test_threshold_that_is_not_published_is_refused_before_anything_is_read(
    split: str, threshold: float
) -> None:
    with pytest.raises(BioBlobsError, match=r"data\.split_similarity_threshold: .*0\.3, 0\.4, .*0\.9"):
        DataConfig(source="proteinshake", split=split, split_similarity_threshold=threshold)


def test_random_split_does_not_mind_the_threshold() -> None:
    assert DataConfig(source="proteinshake", split="random", split_similarity_threshold=0.2).split == "random"


def test_file_of_another_data_set_is_refused(tmp_path: Path) -> None:
    data = written(tmp_path, "scop")
    for resolution in ("residue", "atom"):
        place = file_of(dataclasses.replace(data, dataset_name="proteinfamily"), resolution)
        place.parent.mkdir(exist_ok=True)
        file_of(data, resolution).rename(place)
    with pytest.raises(BioBlobsError, match="has no Pfam"):
        ProteinShakeSource(dataclasses.replace(data, dataset_name="proteinfamily"))


def test_a_subset_reads_only_the_blocks_that_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks are cheap to skip; decoding is what takes the time."""
    decoded: list[int] = []
    monkeypatch.setattr(shake, "decode", lambda block: decoded.append(block.row) or decode_block(block))
    source = ProteinShakeSource(written(tmp_path))
    source.table()
    assert [p.id for item in source.items([0]) for p in source.read(item)] == ["0000"]
    assert decoded == [0]
