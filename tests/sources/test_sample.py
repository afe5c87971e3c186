"""The embedded sample: decoded as its README says, plausible as structure, trainable in all four tasks."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from bioblobs.checkpoints.build import build_model
from bioblobs.config.schema import DataConfig, ModelConfig
from bioblobs.errors import BioBlobsError
from bioblobs.io import file_digest, write_json
from bioblobs.proteins.alphabet import decode
from bioblobs.proteins.record import Protein
from bioblobs.sources.preparation import prepare_store
from bioblobs.sources.sample import SampleSource, decode_backbone
from bioblobs.sources.selection import select
from bioblobs.sources.tasks import ec_labels, task_of
from bioblobs.store.batches import collate
from bioblobs.store.packed import Store
from bioblobs.training.losses import LossWeights, loss_terms
from conftest import ROOT
from damage import KINDS, damage

SAMPLE = ROOT / "data" / "sample"
README = (SAMPLE / "README.md").read_text()

TASKS = [("enzymecommission", "class"), ("geneontology", "class"), ("proteinfamily", "class")]
TASKS += [("scop", level) for level in ("class", "fold", "superfamily", "family")]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Every 40th chain of the file, all columns."""
    frame = pq.ParquetFile(SAMPLE / "chains.parquet").read_row_group(0).to_pandas()
    return frame.iloc[::40]


@pytest.fixture(scope="module")
def backbones(rows: pd.DataFrame) -> list[np.ndarray]:
    return [decode_backbone(row.backbone, row.origin) for row in rows.itertuples()]


def atom_by_atom(steps: np.ndarray, origin: np.ndarray, length: int) -> np.ndarray:
    """The README's formula read residue by residue, with whole numbers up to the last step."""
    value = [int(x) for x in steps]

    def step(atom: int, axis: int, residue: int) -> int:
        return value[(atom * 3 + axis) * length + residue]

    atoms = np.empty((length, 4, 3))
    for axis in range(3):
        ca = 0
        for residue in range(length):
            ca += step(1, axis, residue)
            carbon = ca + step(2, axis, residue)
            placed = (ca + step(0, axis, residue), ca, carbon, carbon + step(3, axis, residue))
            atoms[residue, :, axis] = [hundredths / 100 + float(origin[axis]) for hundredths in placed]
    return atoms


def test_backbone_is_decoded_as_the_readme_says(rows: pd.DataFrame) -> None:
    for row in list(rows.itertuples())[:4]:
        xyz = decode_backbone(row.backbone, row.origin)
        assert xyz.shape == (row.length, 4, 3)
        assert xyz.dtype == np.float32
        np.testing.assert_allclose(xyz, atom_by_atom(row.backbone, row.origin, row.length), rtol=0, atol=1e-4)


def test_long_chains_do_not_overflow_sixteen_bits() -> None:
    steps = np.zeros((4, 3, 500), np.int16)
    steps[1, 0] = 380  # a straight chain ends 1,900 angstrom away: 190,000 hundredths
    xyz = decode_backbone(steps.ravel(), [0.0, 0.0, 0.0])
    np.testing.assert_allclose(xyz[:, 1, 0], 3.8 * np.arange(1, 501), rtol=1e-6)


def test_neighbouring_c_alphas_are_a_peptide_apart(rows: pd.DataFrame, backbones: list[np.ndarray]) -> None:
    for breaks, xyz in zip(rows["n_breaks"], backbones, strict=True):
        distance = np.linalg.norm(np.diff(xyz[:, 1], axis=0), axis=-1)
        assert abs(int((distance > 4.5).sum()) - breaks) <= (np.abs(distance - 4.5) < 0.02).sum()
        assert distance.min() > 2.5  # a cis peptide has 2.9
    joined = np.concatenate([np.linalg.norm(np.diff(xyz[:, 1], axis=0), axis=-1) for xyz in backbones])
    assert (np.abs(joined[joined < 4.5] - 3.8) < 0.15).mean() > 0.97  # trans peptides


@pytest.mark.parametrize(
    ("first", "second", "ideal"), [(0, 1, 1.46), (1, 2, 1.52), (2, 3, 1.23)], ids=["N-CA", "CA-C", "C-O"]
)
def test_bonds_have_their_length(backbones: list[np.ndarray], first: int, second: int, ideal: float) -> None:
    bonds = np.concatenate([np.linalg.norm(xyz[:, first] - xyz[:, second], axis=-1) for xyz in backbones])
    assert abs(np.median(bonds) - ideal) < 0.03
    assert (np.abs(bonds - ideal) < 0.1).mean() > 0.97


def test_peptide_bonds_join_c_to_the_next_n(backbones: list[np.ndarray]) -> None:
    bonds = np.concatenate([np.linalg.norm(xyz[1:, 0] - xyz[:-1, 2], axis=-1) for xyz in backbones])
    assert abs(np.median(bonds) - 1.33) < 0.02
    assert (np.abs(bonds - 1.33) < 0.1).mean() > 0.97


def test_helices_are_right_handed(backbones: list[np.ndarray]) -> None:
    """Swapped or mirrored axes would pass every test of distances."""
    turns = []
    for xyz in backbones:
        distance = np.linalg.norm(xyz[4:, 1] - xyz[:-4, 1], axis=-1)
        for i in np.flatnonzero(np.abs(distance - 6.2) < 0.3):  # helices: CA(i), CA(i+4)
            a, b, c = np.diff(xyz[i : i + 4, 1], axis=0)
            turns.append(np.dot(np.cross(a, b), c) > 0)
    assert len(turns) > 500
    assert np.mean(turns) > 0.95


def test_source_yields_the_rows_asked_for(rows: pd.DataFrame, backbones: list[np.ndarray]) -> None:
    places = rows.index.tolist()[3:7]
    source = SampleSource(DataConfig(data_dir=str(ROOT / "data")))
    proteins = [protein for item in source.items(places) for protein in source.read(item)]
    for protein, (_, row), xyz in zip(proteins, rows.iloc[3:7].iterrows(), backbones[3:7], strict=True):
        assert isinstance(protein, Protein)
        assert protein.id == row["id"]
        assert decode(protein.residue_types) == row["sequence"]
        np.testing.assert_array_equal(protein.coordinates, xyz)
        assert set(protein.chain_ids.tolist()) == {row["chain"].encode()}


def small_sample(folder: Path, chosen: list[str], **columns: Any) -> DataConfig:
    """A data folder with some real chains, enzyme class task, all in the training split."""
    table = pq.read_table(SAMPLE / "chains.parquet", filters=[("id", "in", chosen)])
    columns = {"random_split": ["train"] * len(table), "ec_class": [1, 2] * len(table)} | columns
    for name, values in columns.items():
        place = table.schema.get_field_index(name)
        kind = table.schema.field(name).type
        table = table.set_column(place, name, pa.array(values[: len(table)], kind))
    (folder / "sample").mkdir(parents=True)
    pq.write_table(table, folder / "sample" / "chains.parquet")
    shutil.copy(SAMPLE / "label_names.tsv", folder / "sample")
    return DataConfig(
        data_dir=str(folder),
        dataset_name="enzymecommission",
        split="random",
        min_class_size=1,
        edge_types="knn_4",
    )


def test_author_numbers_and_insertion_codes_reach_the_store(tmp_path: Path) -> None:
    chosen = ["1HIA_A", "5JOE_A", "2HNT_F"]  # insertion codes; negative numbers; insertion codes
    prepare_store(small_sample(tmp_path, chosen), tmp_path / "store")
    store = Store(tmp_path / "store")
    raw = pq.read_table(SAMPLE / "chains.parquet", filters=[("id", "in", chosen)]).to_pandas().set_index("id")
    assert sorted(store.table()["id"]) == sorted(chosen)
    for row, name in enumerate(store.table()["id"]):
        span = slice(store.offsets[row], store.offsets[row + 1])
        np.testing.assert_array_equal(store.residue_numbers[span], raw.loc[name, "residue_number"])
        codes = raw.loc[name, "insertion_code"]
        wanted = (
            [code.strip() for code in codes] if isinstance(codes, str) else [""] * raw.loc[name, "length"]
        )
        assert [code.decode() for code in store.insertion_codes[span].tolist()] == wanted
        assert {chain.decode() for chain in store.chain_ids[span].tolist()} == {raw.loc[name, "chain"]}
    # the examples are what they are here for
    assert (store.residue_numbers < 0).any()
    assert (store.insertion_codes != b"").any()


def test_lengths_that_disagree_make_one_protein_unusable(tmp_path: Path) -> None:
    chosen = ["1HIA_A", "5JOE_A", "2HNT_F"]
    data = small_sample(tmp_path, chosen, ec_class=[3, 1, 2], sequence=["ACD", "A" * 100, "A" * 92])
    report = prepare_store(data, tmp_path / "store")
    assert report.skipped["id"].tolist() == ["1HIA_A"]
    assert "differ in length" in report.skipped["reason"][0]
    assert Store(tmp_path / "store").table()["id"].tolist() == ["2HNT_F", "5JOE_A"]
    assert Store(tmp_path / "store").classes == ["1", "2"]


@pytest.mark.parametrize("change", ["missing", "cut", "foreign"])
def test_damaged_sample_is_one_error_that_names_the_file(tmp_path: Path, change: str) -> None:
    data = small_sample(tmp_path, ["1HIA_A", "5JOE_A"])
    path = tmp_path / "sample" / "chains.parquet"
    whole = path.read_bytes()
    path.unlink()
    if change != "missing":
        path.write_bytes({"cut": whole[: len(whole) // 2], "foreign": b"id,sequence\n"}[change])
    with pytest.raises(BioBlobsError) as error:
        prepare_store(data, tmp_path / "store")
    assert str(path) in str(error.value)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["chains.parquet", "label_names.tsv", "sums.json"])
def test_a_damaged_sample_is_never_believed(name: str, kind: str, tmp_path: Path) -> None:
    """One letter of a class name, or one digit of a coordinate, is still a sample."""
    data = dataclasses.replace(small_sample(tmp_path, ["1HIA_A", "5JOE_A"]), dataset_name="scop")
    folder = tmp_path / "sample"
    write_json(folder / "sums.json", {each.name: file_digest(each) for each in folder.iterdir()})
    whole = SampleSource(data).class_names()
    assert len(whole) >= 5
    damage(folder / name, kind)
    try:
        assert SampleSource(data).class_names() == whole and name == "sums.json"
    except BioBlobsError as error:
        assert str(folder) in str(error) and "\n" not in str(error)
        assert "git checkout" in str(error) or name == "chains.parquet"


def test_the_sums_of_the_sample_are_right() -> None:
    listed = json.loads((SAMPLE / "sums.json").read_text())
    assert listed == {name: file_digest(SAMPLE / name) for name in ("chains.parquet", "label_names.tsv")}


def test_damaged_coordinates_leave_no_store(tmp_path: Path) -> None:
    data = small_sample(tmp_path, ["1HIA_A", "5JOE_A"])
    path = tmp_path / "sample" / "chains.parquet"
    chunk = pq.ParquetFile(path).metadata.row_group(0)
    places = {chunk.column(i).path_in_schema: chunk.column(i) for i in range(chunk.num_columns)}
    backbone = next(column for name, column in places.items() if name.startswith("backbone"))
    content = bytearray(path.read_bytes())
    start = backbone.dictionary_page_offset or backbone.data_page_offset
    content[start : start + backbone.total_compressed_size] = bytes(backbone.total_compressed_size)
    path.write_bytes(content)
    with pytest.raises(BioBlobsError) as error:
        prepare_store(data, tmp_path / "store")
    assert str(path) in str(error.value)
    assert [each.name for each in tmp_path.iterdir()] == ["sample"]


def selected(dataset_name: str, level: str = "class") -> pd.DataFrame:
    data = DataConfig(
        dataset_name=dataset_name, scop_level=level, data_dir=str(ROOT / "data"), max_length=None
    )
    return select(SampleSource(data).table(), task_of(data), data).table


@pytest.mark.parametrize("level", [2, 3, 4])
def test_deeper_enzyme_levels_refine_the_class(level: int) -> None:
    """A label at one level is that of the level above, and a field more."""
    data = [DataConfig(dataset_name="enzymecommission", ec_level=lev) for lev in (level, level - 1)]
    fine, coarse = (SampleSource(each).table()["labels"] for each in data)
    one = fine.map(len) == 1
    assert one.sum() > 2000
    cut = fine[one].map(lambda labels: tuple(label.rpartition(".")[0] for label in labels))
    assert cut.equals(coarse[one])
    assert fine[one].map(lambda labels: labels[0].count(".")).eq(level - 1).all()


@pytest.mark.parametrize(
    ("numbers", "level", "labels"),
    [
        (["2.7.7.4"], 3, ("2.7.7",)),
        (["2.7.7.n1"], 4, ("2.7.7.n1",)),
        (["2.7.-.-", "2.7"], 3, ()),
        (["1.11.1.6", "1.11.1.-"], 4, ("1.11.1.6",)),
        (["1.11.1.6", "1.11.1.7"], 4, ("1.11.1.6", "1.11.1.7")),
        (["1.11.1.6", "2.7.1.-"], 4, ("1", "2")),  # not 1.11.1.6 alone
        ([], 1, ()),
    ],
)
def test_ec_numbers_are_cut(numbers: list[str], level: int, labels: tuple[str, ...]) -> None:
    assert ec_labels(numbers, level) == labels


def readme_line(pattern: str) -> list[int]:
    """Numbers of the README's table that the groups of ``pattern`` match."""
    found = re.search(pattern, README)
    assert found, f"the sample's README has no line like {pattern}"
    return [int(number.replace(",", "")) for number in found.groups()]


def test_enzyme_classes_are_as_many_as_the_readme_says() -> None:
    table = selected("enzymecommission")
    counts = ", ".join(rf"{digit}: ([\d,]+)" for digit in range(1, 8))
    chains, classes, *sizes = readme_line(rf"\(ec_class\) \| ([\d,]+) \| (\d+) \({counts}\)")
    assert len(table) == chains
    found = Counter(label for labels in table["labels"] for label in labels)
    assert found == {str(digit): size for digit, size in enumerate(sizes, start=1)}
    assert len(found) == classes


@pytest.mark.parametrize(
    ("dataset_name", "level", "pattern"),
    [
        ("proteinfamily", "class", r"`proteinfamily`[^|]*\| ([\d,]+) \| (\d+) \| \d+ / (\d+) \|"),
        ("scop", "class", r"`scop`, class[^|]*\| ([\d,]+) \| (\d+) \| \d+ / (\d+) \|"),
        ("scop", "superfamily", r"`scop`, superfamily[^|]*\| ([\d,]+) \| (\d+) \| \d+ / (\d+) \|"),
        ("scop", "fold", r"`scop`, fold[^|]*\| ([\d,]+) / [\d,]+ \| (\d+) / \d+ \| \d+ / (\d+);"),
        ("scop", "family", r"`scop`, fold[^|]*\| [\d,]+ / ([\d,]+) \| \d+ / (\d+) \| [^;]*; \d+ / (\d+) \|"),
    ],
)
def test_classes_are_as_many_as_the_readme_says(dataset_name: str, level: str, pattern: str) -> None:
    table = selected(dataset_name, level)
    chains, classes, test_chains = readme_line(pattern)
    assert len(table) == chains
    assert table["labels"].map(lambda labels: labels[0]).nunique() == classes
    assert (table["split"] == "test").sum() == test_chains


def test_gene_ontology_terms_are_as_many_as_the_readme_says() -> None:
    chains, terms = readme_line(r"`geneontology` \(go_mf\) \| ([\d,]+) \| (\d+) terms with 50")
    data = DataConfig(dataset_name="geneontology", data_dir=str(ROOT / "data"))
    assert (SampleSource(data).table()["labels"].map(len) > 0).sum() == chains
    counts = Counter(term for labels in selected("geneontology")["labels"] for term in labels)
    assert (len(counts), min(counts.values()) >= 50) == (terms, True)


@pytest.mark.parametrize(("dataset_name", "level"), TASKS)
def test_every_task_trains_a_step_from_its_store(tmp_path: Path, dataset_name: str, level: str) -> None:
    data = DataConfig(
        data_dir=str(ROOT / "data"),
        dataset_name=dataset_name,
        scop_level=level,
        split="random",
        min_class_size=10 if dataset_name == "geneontology" else 3,
        subset=30,
        max_length=110,
        edge_types="knn_6",
    )
    report = prepare_store(data, tmp_path / "store")
    store = Store(tmp_path / "store")
    assert store.multilabel == (dataset_name == "geneontology")
    assert report.summary["classes"] == len(store.classes) >= 2
    assert store.class_names != store.classes, "no class has a readable name"
    batch = collate(store, store.rows("train")[:6])
    config = ModelConfig(node_h_dim=(16, 2), edge_h_dim=(8, 1), num_layers=1, codebook_size=8)
    model = build_model(config, len(store.classes), with_codebook=True).train()
    weights = LossWeights(card=0.1, vq=1.0, psc=0.1, ent=0.1, beta=0.25, psc_temp=0.5)
    terms = loss_terms(model(batch), batch.labels, weights, 1.0, config.cluster_size_prior, 0.1)
    assert all(torch.isfinite(value) for value in terms.values()), terms
    terms["loss"].backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, f"{name} has no gradient"
        assert torch.isfinite(parameter.grad).all(), f"{name} has a gradient that is not finite"
    for part in (model.encoder, model.partitioner, model.readout):
        assert any(parameter.grad.any() for parameter in part.parameters())
