"""The README: short, and its first commands do what it shows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from bioblobs.cli import main
from conftest import ROOT

README = (ROOT / "README.md").read_text()


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 130
    assert max(map(len, README.splitlines())) <= 120


def test_every_file_that_it_links_to_is_there() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert len(links) > 15
    for link in links:
        assert (ROOT / link).exists(), link


def test_its_first_prediction_prints_what_it_shows(tmp_path: Path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    (command,) = re.findall(r"^    (bioblobs predict .*)$", README, re.MULTILINE)
    words = shlex.split(command)
    monkeypatch.chdir(ROOT)
    words[words.index("--out") + 1] = str(tmp_path / "results")
    try:
        main(words[1:])
    except SystemExit as end:
        assert end.code == 0
    said = capsys.readouterr().out.splitlines()
    shown = re.search(r"<!-- output -->\n(.*?)\n<!-- /output -->", README, re.DOTALL)
    assert shown is not None
    expected = [line.removeprefix("    ") for line in shown[1].splitlines() if line.strip()]
    # The model, its score, the head and the chain; seconds and the folder's name differ.
    assert [line.split() for line in said[:4]] == [line.split() for line in expected[:4]]
