"""The first screen and the gallery in a browser: a live protein, thumbnails, search, downloads, addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import gemmi
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from bioblobs.report.packed_chains import pack_coordinates, unpack_coordinates
from bioblobs.report.viewer import write_viewer
from bioblobs.store.packed import Store
from conftest import ROOT
from inference.test_records import odd_protein
from report.chromium import Pixels, move_to, picture, tab
from report.pages import CLASSES, EXPLANATION, NASTY, record, write_report

NO_WEBGL = "HTMLCanvasElement.prototype.getContext = () => null"
"""For tests of what is not drawn: quicker."""

MOVED_EARLY = """addEventListener("load", () => {
  history.replaceState(null, "", "#protein?id=protein+2");
  dispatchEvent(new HashChangeEvent("hashchange"));
});"""
"""A reader's move that comes just before the page is whole."""


@pytest.fixture(scope="module")
def address(sample_store: Store, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("first") / "index.html"
    write_report(path, sample_store)
    return path.as_uri()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    with tab(chromium) as opened:
        opened.set_viewport_size({"width": 1440, "height": 900})
        yield opened


def varied(image: Pixels, ground: Pixels, by: float) -> bool:
    """Whether more than a fiftieth of an image is not the ground's colour."""
    return bool((np.abs(image - ground).max(-1) > by).mean() > 0.02)


def test_a_live_protein_verdicts_and_thumbnails_are_on_the_first_screen(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.locator("#hero-text")).to_contain_text("Typical right answer: all alpha (1 of 2)")
    picture(page, "#hero-slot #canvas", lambda image: varied(image, image[25, 25], by=12))
    for part in ("#stage", "#strip", "#sum-total", "#verdict-right", "#verdict-believed", "#verdict-fair"):
        box = page.locator(part).bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 900, part
    first = page.locator("#overview-gallery .thumb").first.bounding_box()
    assert first is not None
    assert first["y"] + 100 < 900


def test_arrows_walk_to_the_mistake_and_the_address_follows(page: Page, address: str) -> None:
    page.add_init_script(NO_WEBGL)
    page.goto(address)
    expect(page.locator("#hero-text")).to_contain_text("1 of 2")
    page.focus("#hero-next")
    page.keyboard.press("Enter")
    expect(page.locator("#hero-text")).to_contain_text("Surest mistake: all alpha, in truth beta")
    expect(page.locator("#hero-badge")).to_have_text("✗ wrong")
    expect(page).to_have_url(re.compile("show="))
    page.click("#hero-slot [data-blob='1']")
    assert page.locator("#hero-slot .res[aria-selected=true]").count() == 9
    expect(page).to_have_url(re.compile("blob=1"))
    page.reload()
    expect(page.locator("#hero-text")).to_contain_text("Surest mistake")
    expect(page.locator("#hero-slot [data-blob='1']")).to_have_attribute("aria-pressed", "true")
    page.click("#hero-name")
    expect(page.locator("#protein-title")).to_have_text(NASTY)
    expect(page.locator("#protein-slot #stage")).to_be_visible()


def test_a_reader_who_moves_on_while_the_page_loads_keeps_the_protein(page: Page, address: str) -> None:
    """The first screen's protein comes after the text: by then another part of the page may be open."""
    page.add_init_script(NO_WEBGL)
    page.add_init_script(MOVED_EARLY)
    page.goto(address)
    page.evaluate("() => new Promise((done) => setTimeout(done))")  # what waited for the page has run
    expect(page.locator("#protein-title")).to_have_text("protein 2")
    expect(page.locator("#protein-slot #strip")).to_be_visible()
    move_to(page, "overview")
    expect(page.locator("#hero-slot #strip")).to_be_visible()


def test_each_verdict_names_its_worst_case_and_links_to_it(page: Page, address: str) -> None:
    page.add_init_script(NO_WEBGL)
    page.goto(address)
    page.click("#verdict-right .worst a")
    expect(page.locator("#gallery .thumb-name")).to_have_text([NASTY])  # the only one of its class, missed
    page.goto(address)
    expect(page.locator("#verdict-fair .worst")).to_contain_text("protein 0: 90 % identical")
    page.click("#verdict-fair .worst a")
    expect(page.locator("#known")).to_contain_text("7xyz_B (sequence identity 0.90)")
    page.goto(address)
    page.click("#verdict-believed .worst a")
    expect(page.locator("#explanations")).to_be_focused()
    expect(page.locator("#explanations")).to_be_in_viewport()


def test_thumbnails_are_drawn_when_seen(page: Page, address: str) -> None:
    page.goto(f"{address}#proteins")
    expect(page.locator("#gallery canvas[data-drawn]")).to_have_count(5)
    thumb = "#gallery .thumb-picture >> nth=0"
    picture(page, thumb, lambda image: varied(image, image[2, image.shape[1] // 2], by=30))
    assert page.locator("#overview-gallery canvas[data-drawn]").count() == 0  # out of sight


@pytest.mark.parametrize(
    "query", ["protein2", "PROTEIN  2", "protein-2", "pepsin", "p00798", "aspartic pepsin"]
)
def test_a_search_is_tolerant(page: Page, address: str, query: str) -> None:
    page.add_init_script(NO_WEBGL)
    page.goto(f"{address}#proteins")
    page.fill("#gallery [name=text]", query)
    expect(page.locator("#gallery .thumb-name")).to_have_text(["protein 2"])
    page.keyboard.press("Enter")  # the only one opens
    expect(page.locator("#protein-title")).to_have_text("protein 2")
    expect(page.locator("#protein-name")).to_contain_text("Pepsin-like </script>")
    expect(page.locator("#database-links a")).to_have_attribute(
        "href", "https://www.uniprot.org/uniprotkb/P00798"
    )


def test_chips_filter_and_pages_turn(page: Page, sample_store: Store, tmp_path: Path) -> None:
    proteins = [odd_protein(40, 1)] * 30
    records = [record(f"p{at:02d}", protein, at) for at, protein in enumerate(proteins)]
    write_viewer(tmp_path / "index.html", records, proteins, CLASSES, "P", "", EXPLANATION)
    page.goto((tmp_path / "index.html").as_uri())
    names = page.locator("#gallery .thumb-name")
    expect(names).to_have_count(24)
    assert page.locator("#gallery .badge-wrong").count() == 15  # the wrong ones first
    page.click("text=Next page")
    expect(names).to_have_count(6)
    expect(page).to_have_url(re.compile("page=2"))
    page.click("[data-chip='c1']")
    expect(names).to_have_count(8)
    expect(page.locator("[data-chip='c1']")).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(names).to_have_count(8)


def test_structure_and_picture_can_be_taken_along(page: Page, tmp_path: Path) -> None:
    protein = odd_protein(40, 1)
    records = [record("odd/1", protein, 0, labelled=False)]
    path = tmp_path / "index.html"
    files = [("Table", "a b.csv"), ("Odd", "javascript:alert(1)")]
    write_viewer(path, records, [protein], CLASSES, "Predictions", "A note.", EXPLANATION, files)
    page.goto(path.as_uri())
    with page.expect_download() as waiting:
        page.click("#save-structure")
    assert waiting.value.suggested_filename == "odd_1.cif"
    structure = gemmi.make_structure_from_block(gemmi.cif.read(str(waiting.value.path())).sole_block())
    atoms = [cra.atom for cra in structure[0].all()]
    ours = unpack_coordinates(pack_coordinates(protein.coordinates))
    np.testing.assert_allclose([a.pos.tolist() for a in atoms], ours[np.isfinite(ours).all(-1)], atol=1e-3)
    numbers = [
        (chain.name, residue.seqid.num, residue.seqid.icode.strip())
        for chain in structure[0]
        for residue in chain
    ]
    wanted = [
        (c.decode(), int(n), i.decode())
        for c, n, i in zip(protein.chain_ids, protein.residue_numbers, protein.insertion_codes, strict=True)
    ]
    assert sorted(numbers) == sorted(wanted)
    assert {round(atom.b_iso, 3) for atom in atoms} == {0.0, 0.6, 1.2, -0.9}
    expect(page.locator("#canvas canvas").first).to_be_attached()
    with page.expect_download() as waiting:
        page.click("#save-picture")
    assert waiting.value.path().read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    links = page.locator("#files a").evaluate_all("links => links.map(each => each.getAttribute('href'))")
    assert links == ["./a%20b.csv", "./javascript%3Aalert(1)"]


def test_a_selection_is_in_the_address(page: Page, address: str) -> None:
    page.add_init_script(NO_WEBGL)
    page.goto(f"{address}#protein?id=protein+0")
    page.click("[data-residue='3']")
    expect(page).to_have_url(f"{address}#protein?id=protein+0&blob=0")
    page.keyboard.press("Escape")
    expect(page).to_have_url(f"{address}#protein?id=protein+0")


def test_a_code_begins_with_a_sentence_and_keeps_raw_numbers_folded(page: Page, address: str) -> None:
    page.goto(f"{address}#code?n=4")
    expect(page.locator("#code-sentence")).to_have_text("Helix, argues for all alpha; fairly tight, 2.2 Å.")
    assert not page.locator("#raw").evaluate("each => each.open")
    expect(page.locator("#raw")).to_contain_text("rmsd")
    move_to(page, "code?n=3")
    expect(page.locator(".logo")).to_have_attribute("src", re.compile("^data:image/svg"))


def test_the_pictures_in_the_docs_are_small_and_shown() -> None:
    text = (ROOT / "docs" / "report.md").read_text()
    for name in ("first_screen.png", "protein_page.png"):
        picture_file = ROOT / "docs" / "pictures" / name
        assert f"pictures/{name}" in text
        assert picture_file.stat().st_size < 300_000
