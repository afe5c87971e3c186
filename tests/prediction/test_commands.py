"""bioblobs predict and bioblobs card: exit status, one line on stdout, what is on stderr; the card itself."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from test_model import protein

from bioblobs.checkpoints.card import completed_card
from bioblobs.checkpoints.file import FORMAT, load_model, read_checkpoint, write_checkpoint
from bioblobs.cli import main
from bioblobs.prediction.card_text import as_markdown
from bioblobs.store.packed import Store
from conftest import ROOT
from runs import ok, run
from structure_files import DATA, chain_of, structure_of, write
from tiny_model import tiny_checkpoint


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(tiny_checkpoint(tmp_path / "model.ckpt"))


def command(*words: str) -> int | str | None:
    """How it ended."""
    with pytest.raises(SystemExit) as end:
        main(list(words))
    return end.value.code


def test_predict_reports_what_it_did_and_what_it_skipped(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    files = [str(DATA / name) for name in ("break.pdb", "nucleic.pdb", "missing.pdb")]
    assert command("predict", model, *files, "--out", str(out)) == 0
    said = capsys.readouterr()
    about, head, chain, counts, place = said.out.splitlines()
    assert about.startswith(f"model: {model}, SCOP, 3 classes")
    assert head.split() == ["chain", "class", "probability", *["blob", "that", "argues", "most", "for", "it"]]
    assert chain.startswith("break_") and chain.endswith(")")
    assert counts.startswith("chains predicted: 1, from 1 of 3 files, in ")
    assert place.startswith(f"open {out / 'index.html'} in a browser")
    assert f"skipped {files[2]}: no such file" in said.err
    assert "warning: 1 of 1 chains are outside what the model was trained on" in said.err
    assert "3/3" in said.err
    assert sorted(path.name for path in (out / "structures").iterdir()) == [
        "break.cif", "break.cxc", "break.mvsj", "break.pml",
    ]  # fmt: skip
    assert str(command("predict", model, files[0], "--out", str(out))).endswith("or add --overwrite")
    assert command("predict", model, files[0], "--out", str(out), "--overwrite") == 0


def test_nothing_predicted_is_status_one_and_one_line(model: str, tmp_path: Path) -> None:
    words = ["predict", model, str(DATA / "nucleic.pdb"), "--out", str(tmp_path / "out")]
    done = run([sys.executable, "-m", "bioblobs", *words], ROOT, PYTHONPATH="src")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: nothing could be predicted of 1 file; the first, ")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_wrong_model_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.ckpt"
    wrong.write_bytes((DATA / "break.pdb").read_bytes())
    end = str(command("predict", str(wrong), str(DATA / "break.pdb"), "--out", str(tmp_path / "out")))
    assert end.startswith(f"error: {wrong}: not a readable checkpoint")


@pytest.mark.parametrize("name", ["break.pdb", "nmr.pdb.gz", "none.cif", ""])
def test_structures_before_the_model_are_told_that_it_comes_first(
    model: str, tmp_path: Path, name: str
) -> None:
    first = DATA / name
    kind = "a structure file" if name else "a folder"
    assert command("predict", str(first), model, "--out", str(tmp_path / "out")) == (
        f"error: {first}: {kind}, not a model; the model comes first: "
        "bioblobs predict MODEL FILES --out FOLDER"
    )


def test_each_chain_that_is_named_is_predicted(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chains = [chain_of(protein(20, name, seed=place)) for place, name in enumerate("ABC")]
    path = write(structure_of(*chains), tmp_path / "x.pdb")
    words = ["predict", model, str(path), str(DATA / "nmr.pdb.gz"), "--json", "--chain", "C", "--chain=A"]
    assert command(*words) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)["structures"]
    assert [[chain["id"] for chain in each["chains"]] for each in found] == [["x_A", "x_C"], ["nmr_A"]]
    assert "nmr.pdb.gz chain C: no protein chain C; the file has A" in said.err


def test_fewer_than_no_workers_are_refused_before_any_work(model: str) -> None:
    words = ["predict", model, str(DATA / "break.pdb"), "--json", "--workers", "-3"]
    assert command(*words) == "error: workers: expected 0 (one per core) or more; got -3"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no /proc")
def test_a_folder_that_can_never_be_made_is_told_to_have_another_name(model: str) -> None:
    for folder in ("/proc/x", "/proc/x/y"):
        said = str(command("predict", model, str(DATA / "break.pdb"), "--out", folder))
        assert said.startswith(f"error: {folder}: cannot be made (")
        assert said.endswith("); name another folder")


def test_a_model_of_another_format_is_refused_in_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    commit = "843f1af0123456789abcdef0123456789abcdef0"
    made = {"made_with": {"code": {"commit": commit, "changed": False}}}
    older = tiny_checkpoint(tmp_path / "older.ckpt", format=FORMAT - 1, **made)
    nameless = tiny_checkpoint(tmp_path / "nameless.ckpt", format=FORMAT - 1)
    newer = tiny_checkpoint(tmp_path / "newer.ckpt", format=FORMAT + 1, **made)
    for path, found, remedy in (
        (older, FORMAT - 1, "train again, or use the version that made it (git checkout 843f1af012)"),
        (
            nameless,
            FORMAT - 1,
            "train again, or use the version that made it (another commit of this repository)",
        ),
        (newer, FORMAT + 1, "update this version, or use the one that made it (git checkout 843f1af012)"),
    ):
        says = f"a BioBlobs checkpoint of format {found}, this version reads {FORMAT}; {remedy}"
        assert command("card", str(path)) == f"error: {path}: {says}"


@pytest.mark.parametrize("card", [{}, {"format": "4"}, {"format": True}, None])
def test_a_checkpoint_of_another_program_is_refused_as_such(tmp_path: Path, card: object) -> None:
    path = tmp_path / "other.ckpt"
    torch.save({"state_dict": {}, "card": card}, path)
    assert command("card", str(path)) == (
        f"error: {path}: not a BioBlobs checkpoint (no card with a format in it)"
    )


def test_the_package_loads_no_torch_until_a_model_is_loaded() -> None:
    names = "bioblobs, bioblobs.cli, bioblobs.prediction.structure_files"
    code = f"import sys, {names}; sys.exit('torch' in sys.modules)"
    ok(run([sys.executable, "-c", code], ROOT, PYTHONPATH="src"))


def test_the_card_of_an_exported_model_is_complete_and_reads_with_weights_only(
    sample_store: Store, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network, card = load_model(model)
    classes = {"classes": sample_store.classes, "class_names": sample_store.class_names}
    scores = {
        "accuracy": {"value": 0.5, "low": 0.25, "high": 0.75},
        "auroc": dict.fromkeys(("value", "low", "high")),
    }
    path, every = tmp_path / "final.ckpt", {"stage0": {}, "stage1": scores, "majority": scores}
    write_checkpoint(path, network, completed_card({**card, **classes}, sample_store, every))
    written = torch.load(path, weights_only=True)["card"]
    assert written["test"] == scores and written["baselines"] == {"majority": scores}
    found = read_checkpoint(path)["card"]
    rows = sample_store.rows("train")
    lengths = sample_store.lengths[rows]
    assert found["training"]["length"]["longest"] == max(lengths)
    assert found["training"]["length"]["shortest"] == min(lengths)
    assert (
        sum(found["training"]["chains_per_class"].values())
        == found["training"]["chains"]["train"]
        == len(rows)
    )
    assert found["test_proteins"] == len(sample_store.rows("test"))
    assert {type(value) for value in found["training"]["chains_per_class"].values()} == {int}
    labels = np.asarray(sample_store.labels[rows])
    for index, name in enumerate(sample_store.classes):
        assert found["training"]["chains_per_class"][name] == (labels == index).sum()
    text = as_markdown(found, "final.ckpt")
    assert "| accuracy | 0.500 (0.250 to 0.750) |" in text
    assert "| auroc | undefined |" in text
    assert f"{len(rows)} for training" in text
    assert "CC0" in text
    assert command("card", model) == 0
    assert capsys.readouterr().out.startswith("# model.ckpt\n")


def test_json_is_all_that_is_on_standard_output(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(DATA / name) for name in ("nucleic.pdb", "break.pdb")]
    assert command("predict", model, *files, "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert [len(structure["chains"]) for structure in printed["structures"]] == [0, 1]
    assert command("predict", model, *files, "--json", "--out", str(tmp_path / "out")) == 0
    saved = json.loads(capsys.readouterr().out)
    assert saved == json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert saved["structures"][1]["chains"] == printed["structures"][1]["chains"]
    assert str(command("predict", model, files[0], "--json")).startswith("error: nothing could be predicted")
    assert capsys.readouterr().out == ""
    assert "--out: name a folder" in str(command("predict", model, files[0]))


def test_parquet_tables_hold_what_the_csv_tables_hold(model: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert command("predict", model, str(DATA / "break.pdb"), "--out", str(out), "--parquet") == 0
    for name in ("predictions", "blobs"):
        stored, table = pd.read_parquet(out / f"{name}.parquet"), pd.read_csv(out / f"{name}.csv")
        assert list(stored) == list(table)
        assert len(stored) == len(table) > 0
        for column in table.select_dtypes("number"):
            assert np.allclose(stored[column].astype(float), table[column], equal_nan=True)


def test_parquet_without_pyarrow_is_one_line(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    said = command("predict", model, str(DATA / "break.pdb"), "--out", str(tmp_path / "out"), "--parquet")
    assert str(said) == "error: --parquet needs pyarrow: pip install pyarrow, or leave --parquet out"
    assert not (tmp_path / "out").exists()


def test_labels_of_ones_own_keep_their_name_on_the_card(
    model: str, sample_store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network, card = load_model(model)
    classes = {"classes": sample_store.classes, "class_names": sample_store.class_names}
    path, scores = tmp_path / "own.ckpt", {"stage1": {}}
    made = completed_card({**card, **classes}, sample_store, scores, "folds of ours")
    assert made["task_title"] == "folds of ours"
    assert "task_title" not in completed_card({**card, **classes}, sample_store, scores)
    write_checkpoint(
        path, network, {**card, "task_title": "folds of ours", "data": {**card["data"], "source": "folder"}}
    )
    assert command("card", str(path)) == 0
    assert "folds of ours, 3 classes" in capsys.readouterr().out
