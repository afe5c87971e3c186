"""The page as a file: whole, self-contained, and deaf to what names would tell a browser."""

from __future__ import annotations

import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bioblobs.errors import BioBlobsError
from bioblobs.report.viewer import write_viewer
from bioblobs.store.packed import Store
from conftest import ROOT
from report.pages import CLASSES, EXPLANATION, NASTY, made, write_report

VENDOR = ROOT / "src" / "bioblobs" / "report" / "vendor"


class Elements(HTMLParser):
    """Tags of a page with their attributes, and the text of the element with the id ``data``."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.data = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.found and self.found[-1][1].get("id") == "data":
            self.data += data


@pytest.fixture(scope="module")
def page(sample_store: Store, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "deep" / "index.html"
    write_report(path, sample_store)
    assert [file.name for file in path.parent.iterdir()] == ["index.html"]  # no scratch file is left
    return path.read_text()


def test_names_from_the_data_are_text_and_nothing_else(page: str, sample_store: Store) -> None:
    elements = Elements(page)
    assert not [tag for tag, _ in elements.found if tag in ("img", "b")]
    data = json.loads(elements.data)
    assert data["classes"] == CLASSES
    assert data["proteins"][1]["id"] == NASTY
    assert NASTY not in page


def test_the_page_names_nothing_outside_itself(page: str) -> None:
    elements = Elements(page).found
    targets = [value for _, attrs in elements for name, value in attrs.items() if name in ("src", "href")]
    assert targets
    assert all(value is not None and value.startswith(("#", "data:")) for value in targets)
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style is not None
    assert "url(" not in style.group(1)
    assert "@import" not in style.group(1)
    [policy] = [a["content"] for t, a in elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "connect-src 'none'" in policy


def test_a_report_on_several_classes_a_protein_counts_each(sample_store: Store, tmp_path: Path) -> None:
    write_report(tmp_path / "index.html", sample_store, multilabel=True)
    text = (tmp_path / "index.html").read_text()
    assert "Class by class" in text
    assert "Which classes are taken for which" not in text
    assert "In part: 3 of 5 checks hold" in text


def test_trained_baselines_have_rows_and_the_verdict_names_the_best(
    page: str, sample_store: Store, tmp_path: Path
) -> None:
    path = tmp_path / "index.html"
    write_report(path, sample_store, trained={"mean_pooling": 0.7, "topk_pooling": 0.95})
    words = " ".join(path.read_text().split())
    assert "mean of all residues" in words and "trained as stage 0 is: compare them" in words
    said = re.search(r"Best trained baseline, (.*?): (0\.\d+) .*?, to compare with stage 0: (0\.\d+)", words)
    assert said is not None
    assert said.groups() == ("residues that TopKPooling keeps, without blobs", "0.950", "0.900")
    for part in ("mean of all residues", "compare them with", "Best trained baseline"):
        assert part not in page


def test_the_vendored_library_is_the_one_that_its_readme_names() -> None:
    digest = hashlib.sha256((VENDOR / "3Dmol-min.js").read_bytes()).hexdigest()
    assert digest in (VENDOR / "README.md").read_text()
    assert "BSD-3-Clause" in (VENDOR / "3Dmol-LICENSE.txt").read_text()


def test_a_viewer_needs_no_labels(sample_store: Store, tmp_path: Path) -> None:
    records, proteins = made(sample_store, labelled=False)
    page = tmp_path / "index.html"
    write_viewer(page, records, proteins, CLASSES, "Predictions", "A note.", explanation=EXPLANATION)
    elements = Elements((tmp_path / "index.html").read_text())
    data = json.loads(elements.data)
    assert {protein["outcome"] for protein in data["proteins"]} == {"unknown"}
    assert "overview" not in [attrs.get("data-view") for _, attrs in elements.found]


def test_records_that_do_not_fit_their_chains_are_refused(sample_store: Store, tmp_path: Path) -> None:
    records, proteins = made(sample_store)
    path = tmp_path / "index.html"
    with pytest.raises(BioBlobsError, match=r"protein 0 has \d+ residues"):
        write_viewer(path, records, [proteins[-1], *proteins[1:]], CLASSES, "t", "", EXPLANATION)
    with pytest.raises(BioBlobsError, match="5 records for 4 chains"):
        write_viewer(path, records, proteins[:4], CLASSES, "t", "", EXPLANATION)
    with pytest.raises(BioBlobsError, match="two proteins are named protein 0"):
        write_viewer(path, [records[0]] * 2, [proteins[0]] * 2, CLASSES, "t", "", EXPLANATION)
    with pytest.raises(BioBlobsError, match="protein 0: contributions and the model's base"):
        write_viewer(path, records, proteins, CLASSES, "t")
    assert not path.exists()
