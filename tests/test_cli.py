"""The command bioblobs: what data inspect says, in three forms, and how it ends."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest

from bioblobs.cli import main
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
