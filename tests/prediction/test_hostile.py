"""Every file that predict writes can be read again, whatever chains, residues and files are called."""

from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path

import gemmi
import pytest
from hostile import (
    CODES,
    LONGER,
    SINGLE,
    Table,
    chain,
    chimerax_selections,
    ligand,
    marked_by_biotite,
    marked_by_gemmi,
    molstar_selections,
    pymol_selections,
    wanted,
    write_cif,
    write_pdb,
)

import bioblobs
from bioblobs.cli import main
from bioblobs.prediction.coloured import coloured
from bioblobs.prediction.colours import blob_colour
from bioblobs.prediction.drawn import Format
from bioblobs.prediction.mmcif import as_mmcif
from bioblobs.prediction.model import Model
from bioblobs.prediction.save import save
from bioblobs.prediction.view import view_html
from bioblobs.prediction.writable import clean, decodable
from structure_files import DATA
from tiny_model import tiny_checkpoint


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("model") / "model.ckpt")


@pytest.fixture(scope="module")
def model(checkpoint: Path) -> Model:
    return bioblobs.load(checkpoint)


def check(model: Model, path: Path, out: Path, format: Format = "cif") -> list[str]:
    """Predict a file, and read back all that is written; return the notes."""
    (structure,) = model.stream([path])
    counts = save([structure], model.about, out, format)
    folder, blobs = out / "structures", wanted(structure)
    names = {each.suffix: each for each in folder.iterdir()}
    coloured_files = [names[suffix] for suffix in (".cif", ".pdb") if suffix in names]
    assert coloured_files and set(names) >= {".pml", ".cxc", ".mvsj"}
    rank_of = {spot: rank for (_, rank), spots in blobs.items() for spot in spots}
    for file in coloured_files:
        for read in (marked_by_gemmi, marked_by_biotite):
            found = read(file)
            assert {spot: rank for spot, (rank, _) in found.items() if rank} == rank_of, read.__name__
    table = Table(coloured_files[0])
    assert list(pymol_selections(names[".pml"], table)) == list(blobs.values())
    assert list(chimerax_selections(names[".cxc"], table)) == list(blobs.values())
    colours = [blob_colour(each, blob) for each in structure.chains for blob in each.blobs]
    assert list(molstar_selections(names[".mvsj"], table)) == list(zip(colours, blobs.values(), strict=True))
    saved = bioblobs.read_predictions(out / "predictions.json")
    assert saved.chains["chain"].tolist() == [each.chain for each in structure.chains]
    with (out / "blobs.csv").open(newline="", encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    numbers = [blob.numbers for each in structure.chains for blob in each.blobs]
    assert [row["residues"].split(" ") for row in rows] == numbers
    assert len({row["id"] for row in rows}) == len(structure.chains)
    return counts.uncoloured


@pytest.mark.parametrize("format", ["cif", "pdb", "both"])
def test_chains_of_one_odd_character(model: Model, tmp_path: Path, format: Format) -> None:
    path = write_pdb(tmp_path / "x.pdb", [chain(name, place) for place, name in enumerate(SINGLE)])
    notes = check(model, path, tmp_path / "out", format)
    assert sum(" is written as " in note for note in notes) == 2
    (file, *_) = (tmp_path / "out" / "structures").glob(f"x.{'pdb' if format == 'pdb' else 'cif'}")
    names = [each.name for each in gemmi.read_structure(str(file))[0]]
    lost = {".", "?"}
    assert [name for name in names if name in SINGLE] == [name for name in SINGLE if name not in lost]
    assert len(set(names)) == len(SINGLE)


@pytest.mark.parametrize("name", SINGLE)
def test_an_odd_chain_alone(model: Model, tmp_path: Path, name: str) -> None:
    check(model, write_pdb(tmp_path / "x.pdb", [chain(name, 0)]), tmp_path / "out")


def test_longer_odd_chains_of_mmcif(model: Model, tmp_path: Path) -> None:
    path = write_cif(tmp_path / "x.cif", [chain(name, place, codes="A") for place, name in enumerate(LONGER)])
    assert len(next(model.stream([path])).chains) == len(LONGER)
    assert any(
        r"chain id '\x1b' is written as" in note for note in check(model, path, tmp_path / "out", "both")
    )


@pytest.mark.parametrize("suffix", ["pdb", "cif"])
def test_odd_insertion_codes_keep_their_numbers(model: Model, tmp_path: Path, suffix: str) -> None:
    """A slash emptied them."""
    codes = CODES if suffix == "pdb" else [*CODES, "1", "\x1b"]
    chains = [chain("A", 0, codes=codes), chain("/", 1, codes=codes)]
    path = (write_pdb if suffix == "pdb" else write_cif)(tmp_path / f"x.{suffix}", chains)
    notes = check(model, path, tmp_path / "out", "both")
    assert sum("insertion code" in note for note in notes) == (2 if suffix == "cif" else 0)
    for each in model.predict(path):
        numbers = {number for blob in each.blobs for number in blob.numbers}
        assert numbers <= {f"1{code}" for code in codes} | {str(number) for number in range(1, 25)}


@pytest.mark.parametrize("format", ["cif", "pdb"])
def test_odd_residue_names(model: Model, tmp_path: Path, format: Format) -> None:
    names = ["'", '"', "A'B", 'C"', ";", "_x", "#1", "$", "\x1b[m", "A B", "</s"]
    chains = [chain("A", 0), *(ligand(name, place) for place, name in enumerate(names))]
    check(model, write_cif(tmp_path / "x.cif", chains), tmp_path / "out", format)


def test_names_that_are_no_text_are_replaced() -> None:
    """Bytes that are not UTF-8, on which any access to the name would fail."""
    path_text = structure_text([chain("A", 0), ligand("XYZ", 0)]).encode()
    made = gemmi.read_pdb_string(path_text.replace(b"XYZ L", b"X\xe9Z L").replace(b" C1 ", b" C\xe9 "))
    decodable(made[0])
    (odd,) = [residue for each in made[0] for residue in each if residue.het_flag == "H"]
    assert (odd.name, odd[0].name) == ("UNK", "X")
    assert clean(made[0]) == []
    assert "UNK" in made.make_mmcif_document().as_string()


def structure_text(chains: list[gemmi.Chain]) -> str:
    made = gemmi.Structure()
    made.add_model(gemmi.Model(1))
    for each in chains:
        made[0].add_chain(each)
    return made.make_pdb_string()


def test_chains_far_from_the_origin_are_told_apart(model: Model, tmp_path: Path) -> None:
    """Parts of one id and numbering; what the model saw is moved to the origin."""
    parts = [structure_text([chain("A", place, codes="")]) for place in (0, 200)]
    path = tmp_path / "x.pdb"
    path.write_text("".join(part[part.index("ATOM") : part.index("END")] + "TER\n" for part in parts))
    (structure,) = model.stream([path])
    made = coloured(structure)
    assert [places[0].chain for places in made.places] == ["A.1", "A.2"]
    first, second = (places[0].serials[0][0] for places in made.places)
    assert first == 1 < second


def test_all_letters_taken(model: Model, tmp_path: Path) -> None:
    letters = [chr(code) for code in (*range(65, 91), *range(97, 123))]
    chains = [chain(name, place, 12, "A") for place, name in enumerate([*letters, " "])]
    path = write_pdb(tmp_path / "x.pdb", chains)
    assert len(next(model.stream([path])).chains) == 53
    check(model, path, tmp_path / "out", "both")
    digits = [chain(name, 60 + place, 12, "A") for place, name in enumerate("0123456789")]
    path = write_pdb(tmp_path / "y.pdb", [*chains, *digits])
    assert any("chain id AA has more" in note for note in check(model, path, tmp_path / "more", "pdb"))


def test_a_file_whose_name_is_not_utf8_is_predicted_and_named(checkpoint: Path, tmp_path: Path) -> None:
    source = DATA / "break.pdb"
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.pdb")
    Path(path).write_bytes(source.read_bytes())
    with pytest.raises(SystemExit) as end:
        main(["predict", str(checkpoint), path, str(source), "--out", str(tmp_path / "out")])
    assert end.value.code == 0
    text = (tmp_path / "out/predictions.json").read_text(encoding="utf-8")
    assert [Path(each["file"]).name for each in json.loads(text)["structures"]] == [
        r"caf\xe9.pdb",
        "break.pdb",
    ]
    assert r"caf\xe9.pdb" in (tmp_path / "out/predictions.csv").read_text(encoding="utf-8")
    assert (tmp_path / "out/structures/caf_.cif").is_file()


def test_an_error_of_drawing_costs_that_structure_only(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By file; and by chain, where one cannot be found again."""
    first = write_pdb(tmp_path / "a.pdb", [chain("A", 0), chain("B", 1)])
    second = write_pdb(tmp_path / "b.pdb", [chain("A", 0, codes="A")])
    made = list(model.stream([first, second]))
    write_pdb(first, [chain("A", 0), chain("C", 1)])
    counts = save(made, model.about, tmp_path / "out")
    assert counts.uncoloured == [
        f"{first}: no coloured structure (chain B: the file has changed since it was read)"
    ]
    assert {path.name for path in (tmp_path / "out/structures").iterdir()} == {
        "b.cif", "b.pml", "b.cxc", "b.mvsj",
    }  # fmt: skip

    def stop(*_: object) -> str:
        raise StopIteration

    monkeypatch.setattr("bioblobs.prediction.drawn.as_mmcif", stop)
    counts = save(made, model.about, tmp_path / "none")
    assert counts.chains == 3
    assert f"{second}: no coloured structure (StopIteration: StopIteration)" in counts.uncoloured


def test_what_the_columns_held_is_in_the_mmcif(model: Model, tmp_path: Path) -> None:
    """As gemmi reads the user's file, in the order of its atoms; the block has the file's name."""
    path = write_pdb(tmp_path / "my model.pdb", [chain("A", 0), ligand("HEM", 0)])
    save(model.stream([path]), model.about, tmp_path / "out")
    block = gemmi.cif.read(str(tmp_path / "out/structures/my_model.cif")).sole_block()
    assert block.name == "my_model"
    columns = ("bioblobs_original_occupancy", "bioblobs_original_B_iso_or_equiv", "label_asym_id")
    table = block.find("_atom_site.", columns)
    before = [
        (atom.occ, atom.b_iso)
        for each in gemmi.read_structure(str(path))[0]
        for residue in each
        for atom in residue
    ]
    assert [(float(row[0]), float(row[1])) for row in table] == [
        pytest.approx(pair, abs=1e-4) for pair in before
    ]
    assert len({b for _, b in before}) > 20  # the column is not a constant
    assert {row[2] for row in table} == {"A", "B"}


def test_label_ids_of_an_mmcif_stay(model: Model) -> None:
    path = DATA / "label_auth.cif"
    before = gemmi.cif.read(str(path)).sole_block().find_values("_atom_site.label_asym_id")
    (structure,) = model.stream([path])
    text = as_mmcif(coloured(structure), "x")
    after = gemmi.cif.read_string(text).sole_block().find_values("_atom_site.label_asym_id")
    assert set(after) <= set(before)
    assert {each.label for each in structure.chains} <= set(after)


def test_nothing_in_the_notebook_view_ends_its_script_or_leaves_its_frame(
    model: Model, tmp_path: Path
) -> None:
    chains = [chain("A", 0), *(ligand(name, place) for place, name in enumerate(["</S", "<!-"]))]
    path = write_pdb(tmp_path / "x.pdb", chains)
    path.write_text("TITLE     </SCRIPT><script>top.alert(1)</script><!--\n" + path.read_text())
    (structure,) = model.stream([path])
    shown = view_html(structure)
    assert shown.startswith('<iframe sandbox="allow-scripts" ')
    assert len(re.findall(r"&lt;/script", shown, re.I)) == len(re.findall(r"&lt;script", shown, re.I)) == 2
    assert "&lt;!--" not in shown


def test_the_terminal_gets_no_control_characters(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_cif(tmp_path / "x.cif", [chain("\x1b", 0, codes="\x1b"), chain("B", 1, codes="")])
    odd = tmp_path / "y\x1b[2J.pdb"
    odd.write_text("no structure")
    words = ["predict", str(checkpoint), str(path), str(odd), "--out", str(tmp_path / "out")]
    for command in (words, ["data", "inspect", str(path), str(odd)]):
        with pytest.raises(SystemExit):
            main(command)
        said = capsys.readouterr()
        for line in (said.out + said.err).replace("\r", "\n").split("\n"):
            assert line.isprintable(), line
        assert r"\x1b" in said.out
