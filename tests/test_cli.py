"""The command bioblobs: what data inspect says, in three forms, and how it ends."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest

from bioblobs.cli import main
from bioblobs.commands.stage import stage_words
from conftest import ROOT
from runs import ok, run
from structure_files import DATA

ODD = ["nmr.pdb.gz", "label_auth.cif", "break.pdb", "altlocs.pdb", "ca_only.pdb.gz", "nucleic.pdb"]


def inspect(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Exit status and what is on stdout."""
    with pytest.raises(SystemExit) as end:
        main(["data", "inspect", *words])
    return int(end.value.code or 0), capsys.readouterr().out


def test_json_and_csv_say_what_is_read_chain_by_chain(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(DATA / name) for name in ODD]
    status, out = inspect(capsys, *files, "--json", "--csv", str(tmp_path / "x.csv"))
    assert status == 0
    rows = json.loads(out)
    by_file = {Path(row["file"]).name: row for row in rows}
    nmr = by_file["nmr.pdb.gz"]
    assert (nmr["models"], nmr["chain"], nmr["residues"], nmr["usable"]) == (2, "A", 28, 28)
    assert nmr["modified"] == {"SME->M": 1}
    auth = by_file["label_auth.cif"]
    assert [auth[name] for name in ("chain", "label", "first", "last")] == ["H", "A", "59", "61"]
    assert auth["insertions"] == 4
    assert by_file["break.pdb"]["breaks"] == 1
    assert by_file["altlocs.pdb"]["altlocs"] == 3
    assert by_file["ca_only.pdb.gz"]["reason"] == "only C-alpha atoms: N and C are needed"
    assert by_file["ca_only.pdb.gz"]["usable"] == 0
    assert by_file["nucleic.pdb"]["reason"].startswith("no protein chain")
    with (tmp_path / "x.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["file"] for row in table] == [row["file"] for row in rows]
    assert table[0]["modified"] == "SME->M 1"
    assert [int(row["residues"]) for row in table] == [row["residues"] for row in rows]


def test_table_for_reading_names_files_chains_and_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    status, out = inspect(capsys, str(DATA))
    assert status == 0
    lines = out.splitlines()
    assert any("nmr.pdb.gz" in line and "first of 2 models" in line for line in lines)
    assert any(line.split() == ["H", "A", "7", "7", "59", "61", "-", "-", "4", "-", "-"] for line in lines)
    assert any(line.strip() == "skipped: only C-alpha atoms: N and C are needed" for line in lines)
    assert lines[-1] == "13 files: 14 chains would be read, 5 chains or files skipped"


def test_status_says_whether_anything_can_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert inspect(capsys, str(DATA / "nucleic.pdb"), str(DATA / "missing.pdb"))[0] == 1
    assert inspect(capsys, str(DATA / "nucleic.pdb"), str(DATA / "break.pdb"))[0] == 0
    with pytest.raises(SystemExit, match="no structure files"):
        main(["data", "inspect", str(tmp_path)])


def test_command_needs_no_torch_and_has_a_bar_for_many_files(tmp_path: Path) -> None:
    for i in range(25):
        (tmp_path / f"{i}.pdb").write_bytes((DATA / "break.pdb").read_bytes())
    code = (
        "import sys; from bioblobs.cli import main\n"
        "try: main(['data', 'inspect', sys.argv[1]])\n"
        "finally: print('torch' in sys.modules, 'pandas' in sys.modules)"
    )
    out = ok(run([sys.executable, "-c", code, str(tmp_path)], ROOT, PYTHONPATH="src"))
    assert "25 files: 25 chains would be read" in out
    assert "False False" in out


@pytest.mark.parametrize("words", [[], ["data"], ["data", "inspect"], ["data", "inspect", "x", "--jsn"]])
def test_wrong_command_line_is_one_line(words: list[str]) -> None:
    done = run([sys.executable, "-m", "bioblobs", *words], ROOT, PYTHONPATH="src")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def folder_of(tmp_path: Path, labels: str) -> Path:
    """Twelve chains of one file, two copies, and a table."""
    folder = tmp_path / "structures"
    folder.mkdir()
    for name in "abcdefghijkl":
        (folder / f"{name}.pdb").write_bytes((DATA / "break.pdb").read_bytes())
    (folder / "labels.csv").write_text(labels)
    return folder


def test_a_folder_with_a_table_says_what_would_be_trained_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # outside the repository: no params.yaml
    rows = [f"{name},{label},{split}" for name, label, split in zip(
        "abcdefghij", "uvuvuvuvuv", ["train"] * 6 + ["val"] * 2 + ["test"] * 2, strict=True)]  # fmt: skip
    folder = folder_of(tmp_path, "\n".join(["file,label,split", *rows, "zz,u,train"]) + "\n")
    status, out = inspect(capsys, str(folder), "data.min_class_size=2")
    assert status == 0
    lines = out.splitlines()
    assert lines[0].split()[:3] == ["chain", "label", "residues"]
    assert lines[1].startswith(f"{folder}/a.pdb ")
    head = lines.index("12 files: 12 chains would be read, 0 chains or files skipped")
    assert lines[head + 1 : head + 3] == ["", "table: 11 rows; folder: 12 structure files"]
    assert "named in the table, no such file: 1 (zz)" in lines
    assert "file that no row names: 2 (k.pdb; l.pdb)" in lines
    assert "same sequence as an earlier chain: 9" in lines
    assert any(line.startswith("one sequence with different labels: 1 (a_") for line in lines)
    assert [line.split() for line in lines if line.split()[:1] in (["u"], ["v"])] == [
        ["u", "5", "3", "1", "1"], ["v", "5", "3", "1", "1"],
    ]  # fmt: skip
    assert "would be used: 10 chains of 2 classes (6 train, 2 val, 2 test)" in lines
    assert any(line.startswith("note: 2 test chains are too few") for line in lines)
    assert lines[-1].startswith(f"next: bioblobs run data.source=folder data.folder={folder} ")
    assert "data.min_class_size=2" in lines[-1]


def test_a_folder_that_nothing_can_be_trained_on_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_of(tmp_path, "file,label,split\na,u,train\nb,v,train\n")
    status, out = inspect(capsys, str(folder))
    assert status == 1
    assert "nothing to train on: " in out
    assert "next:" not in out


def test_a_table_that_is_not_looked_at_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = folder_of(tmp_path, "file,label,split\na,u,train\nb,v,train\n")
    for words in ([str(folder), "--json"], [str(folder), str(DATA / "break.pdb")]):
        with pytest.raises(SystemExit) as end:
            main(["data", "inspect", *words])
        said = capsys.readouterr()
        assert end.value.code == 0
        assert said.err == (
            f"note: {folder}/labels.csv: not looked at; name its folder alone, without --json\n"
        )
        assert "--json" not in words or len(json.loads(said.out)) == 12


def test_a_table_of_chains_is_written_beside_what_a_table_of_labels_gives(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = folder_of(tmp_path, "file,label,split\na,u,train\nb,v,train\n")
    (folder / "labels.csv").rename(folder / "mine.csv")
    for words in (
        [f"data.folder={folder}", "data.source=folder", "data.table=mine.csv"],
        ["--table=mine.csv"],
    ):
        status, out = inspect(capsys, str(folder), *words, "--csv", "x.csv")
        assert status == 1
        assert "12 files: 12 chains would be read" in out and "table: 2 rows; folder: 12" in out
        assert (tmp_path / "x.csv").read_text().count("\n") == 13
        (tmp_path / "x.csv").unlink()


def test_a_table_without_structures_says_which_are_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "labels.csv").write_text("file,label\na,u\n")
    status, out = inspect(capsys, str(tmp_path))
    assert status == 1
    assert out.startswith(
        "table: 1 rows; folder: 0 structure files\nnamed in the table, no such file: 1 (a)\n"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["dta.split=random"], "no such file; dta.split: no such key (did you mean data.split?)"),
        (["data.spilt=random"], "no such file; data.spilt: no such key (did you mean data.split?)"),
        (["train.seed=1"], "has no effect here; data inspect takes data.KEY=VALUE only"),
        (["data.folder=lab"], "the folder named is structures; leave one of the two out"),
        (["data.source=sample"], "structures is inspected as data.source=folder; leave the key out"),
        (["data.table=x.csv", "--table=labels.csv"], "the table named is --table labels.csv"),
        (["data.split=random", "--json"], "only for one folder with a table, without --json"),
        (["data.split=random", "structures/a.pdb"], "only for one folder with a table, without --json"),
    ],
)
def test_words_without_effect_and_contradictions_are_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    said: str,
) -> None:
    folder_of(tmp_path, "file,label,split\na,u,train\nb,v,train\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(["data", "inspect", "structures", *words])
    line = str(end.value.code)
    assert line.startswith(f"error: {words[0]}: {said}") and "\n" not in line
    assert capsys.readouterr().out == ""


def test_a_file_with_an_equals_sign_in_its_name_is_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = tmp_path / "x=1"
    odd.write_bytes((DATA / "break.pdb").read_bytes())
    status, out = inspect(capsys, str(odd), str(tmp_path / "y=1.pdb"))
    assert status == 0
    assert "skipped: no such file" in out and "1 chains would be read" in out


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["report", "--help"], "bioblobs report [--config"),
        (["stage", "evaluate", "-h"], "bioblobs stage evaluate [--config"),
        (["stage", "--help"], "bioblobs stage NAME"),
    ],
)
def test_help_names_the_command_that_was_asked(
    capsys: pytest.CaptureFixture[str], words: list[str], name: str
) -> None:
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: {name}")
    with pytest.raises(SystemExit) as end:
        main(["stage"])
    assert end.value.code == 2


def test_version_and_help_load_no_library() -> None:
    code = (
        "import sys; from bioblobs.cli import main\n"
        "try: main([sys.argv[1]])\n"
        "finally: print({'torch', 'pandas', 'jsonargparse', 'lightning'} & {*sys.modules})"
    )
    for word, said in (("--version", "bioblobs "), ("--help", "usage: bioblobs COMMAND")):
        out = ok(run([sys.executable, "-c", code, word], ROOT, PYTHONPATH="src"))
        assert out.startswith(said)
        assert out.endswith("set()\n")


def test_help_of_a_training_loads_neither_torch_nor_lightning() -> None:
    code = (
        "import sys; from bioblobs.cli import main\n"
        "try: main(['stage', 'train_stage1', '--help'])\n"
        "finally: print({'torch', 'lightning'} & {*sys.modules})"
    )
    out = ok(run([sys.executable, "-c", code], ROOT, PYTHONPATH="src"))
    assert "--multistage.stage1.epochs" in out and "--trainer.NAME" in out
    assert out.endswith("set()\n")


@pytest.mark.parametrize(
    ("words", "made"),
    [
        (["train_stage0", "train.seed=1"], ["train_stage0", "fit", "--config=params.yaml", "--train.seed=1"]),
        (["evaluate", "--config", "a.yaml"], ["evaluate", "--config=a.yaml"]),
        (
            ["seeds", "--config=a", "--config=b", "--paths.output", "x"],
            ["seeds", "--config=a", "--config=b", "--paths.output", "x"],
        ),
        (["sites", "join", "a.json"], ["sites", "join", "a.json"]),
        (["pipeline", "train.seed=1"], ["pipeline", "train.seed=1"]),
    ],
)
def test_a_stage_takes_the_same_words_as_the_pipeline(words: list[str], made: list[str]) -> None:
    assert stage_words(words) == made


def test_a_wrong_command_or_key_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["predcit"])
    assert end.value.code == 2
    assert "did you mean predict?" in capsys.readouterr().err
    with pytest.raises(SystemExit, match=r"train\.batchsize: no such key"):
        main(["stage", "evaluate", "train.batchsize=1"])
