"""What opening a large page costs, counted in elements and pictures rather than seconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from bioblobs.report.content import add_codes
from bioblobs.report.page import write_page
from bioblobs.report.viewer import viewer_data, write_viewer
from inference.test_records import odd_protein
from report.chromium import tab
from report.pages import CLASSES, EXPLANATION, code, record

PROTEINS, CODES = 300, 60


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    with tab(chromium) as opened:
        yield opened


@pytest.fixture
def address(tmp_path: Path) -> str:
    proteins = [odd_protein(200, 1)] * PROTEINS
    records = [record(f"p{at:03d}", protein, at) for at, protein in enumerate(proteins)]
    write_viewer(tmp_path / "index.html", records, proteins, CLASSES, "Predictions", "", EXPLANATION)
    return (tmp_path / "index.html").as_uri()


def test_opening_a_page_builds_only_what_is_on_the_screen(page: Page, address: str) -> None:
    """24 thumbnails a page: with all 300, or with sequences and codes drawn ahead, elements are many more."""
    page.goto(address)
    expect(page.locator("#gallery .thumb-name")).to_have_count(24)
    assert page.evaluate("document.querySelectorAll('*').length") < 1000
    assert page.evaluate("document.querySelectorAll('.res').length") == 0
    assert page.evaluate("document.querySelectorAll('#codes-body *').length") == 0
    drawn = page.evaluate("document.querySelectorAll('canvas').length")
    assert drawn <= 26, f"{drawn} canvases"


def test_a_long_list_of_codes_is_built_on_demand(page: Page, tmp_path: Path) -> None:
    protein = odd_protein(40, 1)
    data = viewer_data([record("p", protein, 0)], [protein], CLASSES, "", EXPLANATION)
    dataset = {"codes": [code(number) for number in range(CODES)], "background": {"composition": {}}}
    add_codes(data, dataset, {}, lambda name: protein.coordinates[:, 1], str)
    write_page(tmp_path / "index.html", data, None, "Predictions")
    page.goto((tmp_path / "index.html").as_uri() + "#codes")
    rows = page.locator("#codes-body tbody tr")
    expect(rows).to_have_count(50)
    page.click("text=Show 10 more codes")
    expect(rows).to_have_count(CODES)
    expect(page.locator("#all-codes")).to_have_count(0)
    expect(rows.nth(50).locator("a")).to_be_focused()


def test_a_page_of_one_protein_opens_on_it_without_a_way_to_a_list(page: Page, tmp_path: Path) -> None:
    protein = odd_protein(40, 1)
    write_viewer(
        tmp_path / "one.html", [record("p", protein, 0)], [protein], CLASSES, "Predictions", "", EXPLANATION
    )
    page.goto((tmp_path / "one.html").as_uri())
    expect(page.locator("#protein-title")).to_have_text("p")
    expect(page.locator("[data-view=protein] .crumbs")).to_be_hidden()
