"""The folder of results: whole or not at all, the same in all its forms, true to the user's files."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gemmi
import jsonschema
import numpy as np
import pytest
from hostile import Table, chimerax_selections, molstar_selections, pymol_selections, spots
from hostile import wanted as wanted_spots
from test_model import protein

import bioblobs
from bioblobs.errors import BioBlobsError
from bioblobs.prediction.lines import title
from bioblobs.prediction.model import Model
from bioblobs.prediction.output_folder import check_output
from bioblobs.prediction.predicted import StructurePrediction
from bioblobs.prediction.result import Result
from bioblobs.prediction.save import save
from bioblobs.prediction.saved import PREDICTIONS
from structure_files import DATA, chain_of, structure_of, write
from tiny_model import tiny_checkpoint

SCHEMA = PREDICTIONS.schema()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return bioblobs.load(tiny_checkpoint(tmp_path_factory.mktemp("model") / "model.ckpt"))


@pytest.fixture
def odd(model: Model, tmp_path: Path) -> Result:
    """Real odd files, and chains with negative numbers, insertions, and names of one case and two letters."""
    chains = [
        chain_of(protein(20, "A", -4)),
        chain_of(protein(25, "a", 7, 1)),
        chain_of(protein(9, "AB", 3, 2)),
    ]
    made = write(structure_of(*chains), tmp_path / "made; 'odd' name.cif")
    nameless = write(structure_of(chain_of(protein(30, ""), "")), tmp_path / "nameless.pdb")
    return model.predict(DATA, made, nameless)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_json_follows_its_schema_and_tables_say_the_same(odd: Result, tmp_path: Path) -> None:
    out = odd.save(tmp_path / "out")
    report = json.loads((out / "predictions.json").read_text())
    jsonschema.Draft202012Validator(SCHEMA).validate(report)
    chains = [(each["file"], chain) for each in report["structures"] for chain in each["chains"]]
    rows = read(out / "predictions.csv")
    assert [(row["file"], row["id"]) for row in rows] == [(file, chain["id"]) for file, chain in chains]
    for row, (_, chain) in zip(rows, chains, strict=True):
        assert {label: float(row[f"p_{label}"]) for label in report["model"]["classes"]} == chain[
            "probabilities"
        ]
    blobs = [blob for _, chain in chains for blob in chain["blobs"]]
    table = read(out / "blobs.csv")
    assert [row["residues"].split() for row in table] == [
        [label.split("/")[1] for label in blob["author"]] for blob in blobs
    ]
    for name in ("rank", "slot"):
        assert [int(row[name]) for row in table] == [blob[name] for blob in blobs]
    skipped = [(e["file"], s["chain"], s["reason"]) for e in report["structures"] for s in e["skipped"]]
    assert [tuple(row.values()) for row in read(out / "skipped.csv")] == skipped
    assert skipped


def page_data(folder: Path) -> dict[str, Any]:
    page = (folder / "index.html").read_text()
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found.group(1))
    return data


def test_the_page_shows_the_chains_of_the_json(
    odd: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shown(folder: Path) -> tuple[str, list[dict[str, Any]]]:
        data = page_data(folder)
        return data["note"], data["proteins"]

    note, proteins = shown(odd.save(tmp_path / "all"))
    report = json.loads((tmp_path / "all" / "predictions.json").read_text())
    chains = [chain for each in report["structures"] for chain in each["chains"]]
    assert [each["id"] for each in proteins] == [chain["id"] for chain in chains]
    for each, chain in zip(proteins, chains, strict=True):
        assert [blob["residues"] for blob in each["blobs"]] == [blob["residues"] for blob in chain["blobs"]]
        assert each["sum"][0]["base"] == report["model"]["base"][chain["explained"]]
    outside = sum(each.outside for each in odd)
    assert note.startswith(f"{outside} of {len(chains)} chains are outside what the model was trained on")
    monkeypatch.setattr("bioblobs.prediction.save.PAGE_CHAINS", 3)
    note, proteins = shown(odd.save(tmp_path / "some"))
    assert len(proteins) == 3
    assert note.startswith(f"The first 3 of {len(chains)} chains.")


@pytest.mark.parametrize("parquet", [False, True])
def test_the_page_links_to_every_file_beside_it(
    model: Model, odd: Result, tmp_path: Path, parquet: bool
) -> None:
    one = write(structure_of(chain_of(protein(30, "A"))), tmp_path / "one; 'odd'.pdb")
    for name, result in (("one", model.predict(one)), ("many", odd)):
        out = tmp_path / name
        save(result.structures, model.about, out, parquet=parquet)
        linked = [file for _, file in page_data(out)["files"]]
        assert len({title for title, _ in page_data(out)["files"]}) == len(linked)
        assert all((out / file).exists() for file in linked)
        there = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()} - {"index.html"}
        if name == "one":
            assert {*linked} == there - {"skipped.csv"}
        else:
            assert {*linked} == {path for path in there if "/" not in path} | {"structures/"}


def test_the_page_names_the_task_in_words(odd: Result, model: Model, tmp_path: Path) -> None:
    score = {"value": 0.9, "low": 0.8, "high": 1.0}
    save(odd.structures, {**model.about, "test": {"accuracy": score}}, tmp_path / "out")
    assert ["Task", title(model.card)] in page_data(tmp_path / "out")["card"]
    assert title(model.card) != model.card["task"]


def test_the_page_describes_the_codes_of_the_predicted_blobs(odd: Result, tmp_path: Path) -> None:
    data = page_data(odd.save(tmp_path / "out"))
    codes = {str(blob["code"]) for each in data["proteins"] for blob in each["blobs"]}
    assert codes == {*data["sentences"]}
    assert all("argues for" in sentence for sentence in data["sentences"].values())


def marks(path: Path) -> dict[tuple[str, str], tuple[set[float], set[float]]]:
    """B-factors and occupancies of the atoms of each residue: {(chain, number): ...}."""
    structure = gemmi.read_structure(str(path))
    assert len(structure) == 1
    found: dict[tuple[str, str], tuple[set[float], set[float]]] = {}
    for chain in structure[0]:
        for residue in chain:
            numbers, shares = found.setdefault((chain.name, str(residue.seqid)), (set(), set()))
            numbers |= {round(atom.b_iso, 3) for atom in residue}
            shares |= {atom.occ for atom in residue}
    return found


@pytest.mark.parametrize("format", ["cif", "pdb"])
def test_coloured_structures_and_scripts_mark_the_blobs_and_nothing_else(
    odd: Result, tmp_path: Path, format: str
) -> None:
    out = odd.save(tmp_path / "out", format=format) / "structures"  # type: ignore[arg-type]
    drawn = [structure for structure in odd.structures if structure.chains]
    fallen = {"chain_repeats", "made___odd__name"} if format == "pdb" else set()
    for structure in drawn:
        suffix = "cif" if structure.name in fallen else format
        found = marks(out / f"{structure.name}.{suffix}")
        wanted = {}
        for chain in structure.chains:
            for blob in chain.blobs:
                wanted |= {(chain.chain or "A", label): blob for label in blob.numbers}
        assert set(wanted) <= set(found)
        for place, (numbers, shares) in found.items():
            blob = wanted.get(place)
            assert numbers == {blob.rank if blob else 0}, (structure.name, place)
            (share,) = shares
            assert share == pytest.approx(blob.importance if blob else 0, abs=0.00501)
        table, blobs = Table(out / f"{structure.name}.{suffix}"), list(wanted_spots(structure).values())
        seen = {spot for chain in structure.chains for spot in spots(chain.protein.coordinates[:, 1])}
        for select, ending in ((pymol_selections, "pml"), (chimerax_selections, "cxc")):
            chosen = select(out / f"{structure.name}.{ending}", table)
            assert [found & seen for found in chosen] == blobs  # and other conformers of these residues
        state = molstar_selections(out / f"{structure.name}.mvsj", table)
        assert [found & seen for _, found in state] == blobs
    kept = {path.stem for path in out.glob("*.pdb")}
    assert kept == ({structure.name for structure in drawn} - fallen if format == "pdb" else set())


def test_atoms_that_the_model_does_not_see_are_kept(model: Model, tmp_path: Path) -> None:
    result = model.predict(DATA / "insertion_codes.pdb")
    result.save(tmp_path / "out")
    before = gemmi.read_structure(str(DATA / "insertion_codes.pdb"))[0]
    after = gemmi.read_structure(str(tmp_path / "out/structures/insertion_codes.cif"))[0]
    assert after.count_atom_sites() == before.count_atom_sites() > 4 * result[0].length


def test_a_large_structure_of_either_kind_says_why_it_is_mmcif(model: Model, tmp_path: Path) -> None:
    path = write(structure_of(chain_of(protein(20, "A", 9_990))), tmp_path / "x.cif")
    counts = save(model.stream([path]), model.about, tmp_path / "out", "both")
    assert counts.uncoloured == [
        f"{path}: written as mmCIF, since a PDB file cannot hold it (residue number 10000)"
    ]
    assert [each.name for each in (tmp_path / "out/structures").glob("x.[cp]*[fb]")] == ["x.cif"]


def test_an_error_leaves_nothing_behind(odd: Result, model: Model, tmp_path: Path) -> None:
    def broken() -> Iterator[StructurePrediction]:
        yield from odd.structures
        raise RuntimeError("killed")

    before = set(tmp_path.iterdir())
    with pytest.raises(RuntimeError, match="killed"):
        save(broken(), model.about, tmp_path / "out")
    assert set(tmp_path.iterdir()) == before
    odd.save(tmp_path / "out")
    kept = (tmp_path / "out/predictions.json").read_bytes()
    with pytest.raises(RuntimeError, match="killed"):
        save(broken(), model.about, tmp_path / "out", overwrite=True)
    assert (tmp_path / "out/predictions.json").read_bytes() == kept
    assert set(tmp_path.iterdir()) == {*before, tmp_path / "out"}


def test_leftovers_of_a_killed_process_are_removed(odd: Result, tmp_path: Path) -> None:
    left = tmp_path / ".out.partial"
    left.mkdir()
    (left / "half.json").write_text("{")
    odd.save(tmp_path / "out")
    assert not left.exists() and not (tmp_path / "out" / "half.json").exists()


def test_folders_that_must_not_be_written_are_refused(odd: Result, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    odd.save(out)
    with pytest.raises(BioBlobsError, match="is there already"):
        odd.save(out)
    odd.save(out, overwrite=True)
    with pytest.raises(BioBlobsError, match="is to be read from it"):
        check_output(out, True, [out / "structures" / "break.cif"])
    (out / "thesis.tex").write_text("all of it")
    with pytest.raises(BioBlobsError, match=r"holds thesis\.tex"):
        odd.save(out, overwrite=True)
    assert (out / "thesis.tex").read_text() == "all of it"
    with pytest.raises(BioBlobsError, match="is a file"):
        odd.save(out / "thesis.tex")


def test_nothing_to_predict_is_one_error_and_no_folder(model: Model, tmp_path: Path) -> None:
    result = Result(model, list(model.stream([DATA / "nucleic.pdb", DATA / "ca_only.pdb.gz"])))
    with pytest.raises(BioBlobsError, match=r"nothing .* of 2 files; the first, .*nucleic\.pdb: no"):
        result.save(tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_gone_costs_its_coloured_structure_only(model: Model, tmp_path: Path) -> None:
    path = write(structure_of(chain_of(protein(20))), tmp_path / "x.pdb")
    result = model.predict(path)
    path.unlink()
    counts = save(result.structures, model.about, tmp_path / "out")
    assert counts.uncoloured == [f"{path}: no coloured structure (no such file)"]
    assert counts.chains == 1
    assert not list((tmp_path / "out/structures").iterdir())


def test_coordinates_are_at_hand_for_a_view(model: Model) -> None:
    (chain,) = model.predict(DATA / "break.pdb")
    assert chain.protein.coordinates.shape == (chain.length, 4, 3)
    assert np.isfinite(chain.protein.coordinates[:, :3]).all()
