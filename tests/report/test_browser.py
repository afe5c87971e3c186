"""The page in a browser: the structure is drawn, blobs are selected, and everybody can use it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gemmi
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, expect

from bioblobs.proteins.geometry import stretches
from bioblobs.report.packed_chains import pack_coordinates, unpack_coordinates
from bioblobs.report.viewer import write_viewer
from bioblobs.store.packed import Store
from inference.test_records import odd_protein
from report.chromium import Pixels, move_to, picture, tab
from report.pages import CLASSES, EXPLANATION, NASTY, record, write_report

VIEWS = ("overview", "proteins", "codes", "evidence", "code?n=3", "code?n=4", "protein?id=protein+0&blob=1")


@pytest.fixture(scope="module")
def address(sample_store: Store, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / "index.html"
    write_report(path, sample_store)
    return path.as_uri()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    with tab(chromium) as opened:
        yield opened


def pixels(page: Page, holds: Callable[[Pixels], bool]) -> Pixels:
    """(H, W, 3) of the 3-D view, once ``holds`` is true of it."""
    return picture(page, "#canvas", holds)


def like(image: Pixels, colour: str) -> NDArray[np.bool_]:
    """Pixels of a colour in another light: the numbers' flat grounds, of just that colour, don't count."""
    wanted = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)], np.float64)
    hue, other = wanted - wanted.mean(), image - image.mean(-1, keepdims=True)
    size = np.linalg.norm(other, axis=-1)
    same = other @ hue / np.maximum(size * np.linalg.norm(hue), 1e-9) > 0.97
    return same & (size > 25) & (np.abs(image - wanted).max(-1) > 2)


def colours(page: Page) -> list[str]:
    """Of the three blobs of a protein in the palette, most important first."""
    found: list[str] = page.evaluate("[0, 1, 2].map(blobColour)")
    return found


def selected(page: Page) -> list[str]:
    """Blobs whose button is pressed."""
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('[aria-pressed=true]')].map(b => b.dataset.blob)"
    )
    return found


def open_protein(page: Page, address: str) -> Pixels:
    """The 3-D view with each blob in a colour of its own: contributions are in test_sum_browser.py."""
    page.goto(f"{address}#protein?id=protein+0")
    page.select_option("#colour-by", "blob")
    each = colours(page)
    return pixels(page, lambda image: all(like(image, colour).sum() > 60 for colour in each))


def open_without_webgl(page: Page, address: str) -> None:
    """A protein in a browser that can't draw it: what is then left has to work, and is quick to test."""
    page.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
    page.goto(f"{address}#protein?id=protein+0")
    expect(page.locator("#stage-missing")).to_contain_text("needs WebGL")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_structure_is_drawn_with_its_blobs_coloured(page: Page, address: str, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    image = open_protein(page, address)
    background = image[25, 25]
    assert (background.mean() > 128) == (scheme == "light")
    drawn = (np.abs(image - background).max(-1) > 12).mean()
    assert 0.02 < drawn < 0.9


def test_a_blob_is_selected_by_click_and_by_keyboard(page: Page, address: str) -> None:
    before = open_protein(page, address)
    first, second, third = colours(page)
    page.click("[data-blob='1']")  # the most important: the first of the list
    assert selected(page) == ["1"]
    assert page.locator(".res[aria-selected=true]").count() == 9
    least = like(before, first).sum()  # it is larger now, the others grey
    pixels(page, lambda image: like(image, first).sum() > least and like(image, second).sum() < 60)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert selected(page) == ["0"]
    pixels(page, lambda image: like(image, second).sum() > 60 > like(image, first).sum())
    page.keyboard.press("Escape")
    assert selected(page) == []
    pixels(page, lambda image: all(like(image, colour).sum() > 60 for colour in (first, second, third)))


def test_pointing_at_the_structure_tells_of_the_residue_and_a_click_selects_its_blob(
    page: Page, address: str
) -> None:
    mask = like(open_protein(page, address), colours(page)[0])
    rows, columns = np.nonzero(mask)
    crowd = [
        mask[max(r - 3, 0) : r + 4, max(c - 3, 0) : c + 4].sum() for r, c in zip(rows, columns, strict=True)
    ]
    best = int(np.argmax(crowd))  # well inside the colour
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    x, y = box["x"] + float(columns[best]), box["y"] + float(rows[best])
    page.mouse.move(x - 1, y)
    page.mouse.move(x, y)
    expect(page.locator("#tip")).to_contain_text("blob 1, contribution +1.20 to all alpha, code 4")
    page.mouse.click(x, y)
    expect(page.locator("[data-blob='1']")).to_have_attribute("aria-pressed", "true")


def test_the_keyboard_turns_the_structure(page: Page, address: str) -> None:
    page.mouse.move(5, 5)
    before = open_protein(page, address)
    page.focus("#stage")
    page.keyboard.press("ArrowRight")
    pixels(page, lambda image: bool((np.abs(image - before).max(-1) > 12).mean() > 0.005))


def test_a_residue_of_the_sequence_selects_its_blob(page: Page, address: str) -> None:
    open_without_webgl(page, address)
    page.click("[data-residue='3']")
    assert selected(page) == ["0"]
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#residue")).to_contain_text("blob 3, contribution −0.90 to all alpha")
    page.keyboard.press("Enter")
    assert selected(page) == ["2"]
    page.keyboard.press("Home")
    expect(page.locator("#residue")).to_contain_text("in no blob")


def test_what_was_told_of_a_residue_goes_with_its_protein(page: Page, address: str) -> None:
    """The next protein can be opened by key, while the pointer rests on the structure."""
    open_without_webgl(page, address)
    page.evaluate("() => { byId('tip').textContent = 'A/1 ALA, in no blob'; byId('tip').hidden = false; }")
    move_to(page, "protein?id=protein+2")
    expect(page.locator("#tip")).to_be_hidden()


def test_a_code_lists_every_other_protein_that_holds_it(page: Page, address: str) -> None:
    open_without_webgl(page, address)
    page.click("[data-blob='1']")
    links = page.locator(".links[data-code='4'] a")
    assert sorted(links.all_text_contents()) == sorted(["protein 2", "protein 3", "protein 4", NASTY])
    links.get_by_text("protein 3", exact=True).click()
    expect(page.locator("#protein-title")).to_have_text("protein 3")
    expect(page.locator("[data-blob='1']")).to_have_attribute("aria-pressed", "true")
    assert selected(page) == ["1"]
    page.click(".blob-row >> text=code 4")
    expect(page.locator("#holders tbody tr")).to_have_count(5)
    move_to(page, "code?n=12")
    expect(page.locator("#holders a")).to_have_text(["protein 2"])


def test_proteins_are_searched_filtered_and_sorted(page: Page, address: str) -> None:
    page.goto(f"{address}#proteins")
    names = page.locator("#gallery .thumb-name")
    page.fill("#gallery [name=text]", "protein 2")
    expect(names).to_have_text(["protein 2"])
    page.click("#gallery [type=reset]")
    expect(names).to_have_count(5)
    page.select_option("[name=outcome]", "wrong")
    expect(names).to_have_text(["protein 3", NASTY])  # the one of no known class first
    move_to(page, "proteins?code=11")  # a link to a filtered list
    expect(names).to_have_text([NASTY])
    move_to(page, "proteins")
    expect(names).to_have_count(5)
    page.select_option("#gallery [name=order]", "longest")
    length_of = page.evaluate("Object.fromEntries(page.proteins.map(p => [p.id, p.length]))")
    lengths = [length_of[name] for name in names.all_text_contents()]
    assert lengths == sorted(lengths, reverse=True)
    move_to(page, "evidence")
    page.locator(".confusion a").first.click()
    expect(names).to_have_count(3)
    assert sorted(names.all_text_contents()) == ["protein 0", "protein 2", "protein 4"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_fits_a_telephone_and_passes_axe(page: Page, address: str, scheme: Any) -> None:
    """Contrast, names and roles as axe-core checks them (WCAG 2, A and AA)."""
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"{address}#overview")
    expect(page.locator("#hero-slot #strip")).to_be_visible()  # it comes after the text
    for view in VIEWS:
        move_to(page, view)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, view
        found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa"]}).response
        assert not [(v["id"], v["nodes"][0]["html"]) for v in found["violations"]], view


def test_names_run_nothing(page: Page, address: str) -> None:
    page.goto(address)
    for view in VIEWS:
        move_to(page, view)
        assert page.title().endswith(" - BioBlobs report")
        assert page.locator("main img:not(.logo)").count() == 0
    move_to(page, "proteins")
    page.locator("#gallery a", has_text="onerror").click()
    expect(page.locator("#protein-title")).to_have_text(NASTY)
    assert page.title().endswith(" - BioBlobs report")


def test_without_webgl_the_page_says_so_and_the_rest_works(page: Page, address: str) -> None:
    open_without_webgl(page, address)
    page.click("[data-blob='1']")
    assert page.locator(".res[aria-selected=true]").count() == 9
    page.click("[data-residue='3']")
    assert selected(page) == ["0"]


def test_python_and_the_page_read_a_chain_alike(page: Page, tmp_path: Path) -> None:
    """Odd numbering, two chains, a missing O: labels, coordinates, and the PDB text that is drawn."""
    protein = odd_protein(40, 1)
    protein.coordinates[4, 3] = np.nan
    records = [record("odd", protein, 0, labelled=False)]
    write_viewer(tmp_path / "index.html", records, [protein], CLASSES, "Predictions", "", EXPLANATION)
    page.goto((tmp_path / "index.html").as_uri() + "#protein?id=odd")
    chain = "page.proteins[0].chain"
    labels = [
        f"{c.decode()}/{n}{i.decode()}"
        for c, n, i in zip(protein.chain_ids, protein.residue_numbers, protein.insertion_codes, strict=True)
    ]
    assert page.evaluate(f"authorLabels({chain}.numbering)") == labels
    read = page.evaluate(f"[...unpackCoordinates({chain}.backbone)].map(x => Number.isNaN(x) ? null : x)")
    ours = unpack_coordinates(pack_coordinates(protein.coordinates))
    np.testing.assert_allclose(np.array(read, float).reshape(-1, 4, 3), ours, atol=1e-9)
    text = page.evaluate(f"(c => pdbText(c.sequence, unpackCoordinates(c.backbone), pdbNumbers(c)))({chain})")
    structure = gemmi.read_pdb_string(text)  # kept: its atoms live as long as it does
    atoms = [cra.atom for cra in structure[0].all()]
    drawn = np.array([atom.pos.tolist() for atom in atoms])
    moved = ours[np.isfinite(ours).all(-1)] - ours[:, 1].mean(0)
    np.testing.assert_allclose(drawn, moved, atol=1.1e-3)
    assert {atom.name for atom in atoms} == {"N", "CA", "C", "O"}
    numbers = [residue.seqid.num for chain in structure[0] for residue in chain]
    begins = 1 + np.flatnonzero(np.diff(stretches(protein.coordinates, protein.chain_ids)))
    assert len(begins)  # numbers skip one where the chain is broken, and there only
    assert (1 + np.flatnonzero(np.diff(numbers) == 2)).tolist() == begins.tolist()


def test_a_page_of_one_protein_opens_on_it_and_each_view_has_a_title(page: Page, tmp_path: Path) -> None:
    protein = odd_protein(40, 1)
    records = [record("odd", protein, 0, labelled=False)]
    write_viewer(tmp_path / "index.html", records, [protein], CLASSES, "Predictions", "", EXPLANATION)
    address = (tmp_path / "index.html").as_uri()
    page.goto(address)
    assert page.locator("#protein-title").is_visible()
    assert page.title() == f"{page.locator('#protein-title').inner_text()} - Predictions"
    move_to(page, "proteins")
    assert page.locator("#proteins-title").is_visible()
    assert page.title() == "Proteins - Predictions"
