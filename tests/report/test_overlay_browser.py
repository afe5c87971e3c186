"""The overlay of a code: the moves are applied, it is drawn, and everybody can use it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from bioblobs.errors import BioBlobsError
from bioblobs.report.drawn_overlay import with_overlay
from bioblobs.store.packed import Store
from report.chromium import Pixels, move_to, painted, picture, tab
from report.pages import made, superposition, write_report

STAGE = "#overlay-stage"


@pytest.fixture(scope="module")
def address(sample_store: Store, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("overlay") / "index.html"
    write_report(path, sample_store)
    return path.as_uri()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    with tab(chromium) as opened:
        yield opened


def pixels(page: Page, holds: Callable[[Pixels], bool]) -> Pixels:
    """(H, W, 3) of the overlay, once ``holds`` is true of it."""
    return picture(page, STAGE, holds)


def drawn(image: Pixels, page: Page, place: int) -> int:
    """Pixels of the hue of a member, in whatever light."""
    wanted = np.array(page.evaluate(f"channels(blobColour({place}))"), np.float64)
    hue, other = wanted - wanted.mean(), image - image.mean(-1, keepdims=True)
    size = np.linalg.norm(other, axis=-1)
    alike = other @ hue / np.maximum(size * np.linalg.norm(hue), 1e-9) > 0.98  # yellow and orange are at 0.97
    return int((alike & (size > 25)).sum())


def test_windows_are_turned_and_shifted_about_the_medoid(sample_store: Store) -> None:
    records, proteins = made(sample_store)
    traces = [protein.coordinates[:, 1] for protein in proteins]
    by_id = {record.id: record for record in records}
    trace_of = dict(zip(by_id, traces, strict=True))
    found = with_overlay({"code": 4}, superposition(records), by_id, trace_of.__getitem__)["overlay"]
    seeds = [record.grown[1].seed for record in records]
    middle = np.mean(traces[0][seeds[0] - 7 : seeds[0] + 8], 0)
    for member, trace, seed in zip(found["members"], traces, seeds, strict=True):
        x, y, z = (trace[seed - 7 : seed + 8].astype(np.float64) - middle).T
        np.testing.assert_allclose(member["trace"], np.stack([-y, x, z], 1), atol=0.0051)
    assert (found["other_codes"], found["same_structure"], found["superposed"]) == (4.5, None, 9)
    assert with_overlay({"code": 4}, {"windows": None}, by_id, trace_of.__getitem__) == {"code": 4}


def test_a_report_without_moves_says_what_to_run(sample_store: Store) -> None:
    records, _ = made(sample_store)
    older = superposition(records)
    del older["windows"]["overlay"]
    with pytest.raises(BioBlobsError, match="code 4 has no overlay; run interpret again"):
        with_overlay({"code": 4}, older, {}, lambda _: np.zeros((1, 3), np.float32))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_members_are_drawn_in_their_colours(page: Page, address: str, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{address}#code?n=4")
    expect(page.locator("#code-body")).to_contain_text("median RMSD of all from the medoid is 2.25 Å")
    expect(page.locator("#code-body")).to_contain_text("4.50 Å in sets of blobs of other codes")
    image = pixels(page, lambda seen: all(drawn(seen, page, place) > 40 for place in range(3)))
    assert (image[12, 12].mean() > 128) == (scheme == "light")
    expect(page.locator(".overlay-members li").nth(1)).to_contain_text("RMSD 0.50 Å")


def test_keyboard_alone_turns_and_hides(page: Page, address: str) -> None:
    page.goto(f"{address}#code?n=4")
    page.focus("#code-title")
    page.keyboard.press("Tab")
    expect(page.locator(STAGE)).to_be_focused()
    before = pixels(page, lambda image: drawn(image, page, 0) > 40)
    page.keyboard.press("ArrowRight")
    pixels(
        page,
        lambda image: (
            drawn(image, page, 0) > 40 and bool((np.abs(image - before).max(-1) > 12).mean() > 0.002)
        ),
    )
    page.keyboard.press("Tab")
    page.keyboard.press("Space")  # unticks the medoid
    pixels(page, lambda image: drawn(image, page, 0) < 10 and drawn(image, page, 1) > 40)


def test_a_member_opens_its_blob_and_other_codes_have_their_own_overlay_or_none(
    page: Page, address: str
) -> None:
    page.goto(f"{address}#code?n=4")
    page.click("[aria-label='Open protein 2']")
    expect(page.locator("[data-blob='1']")).to_have_attribute("aria-pressed", "true")
    painted(page)  # the hidden canvas's change of size has been noticed
    page.emulate_media(color_scheme="dark")  # while the overlay is out of sight
    painted(page)
    move_to(page, "code?n=3")
    expect(page.locator("#code-title")).to_have_text("Code 3")
    assert page.locator(STAGE).count() == 0
    move_to(page, "code?n=4")
    image = pixels(page, lambda seen: drawn(seen, page, 0) > 40)
    assert image[12, 12].mean() < 128


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_open_overlay_fits_a_telephone_and_passes_axe(page: Page, address: str, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"{address}#code?n=4")
    pixels(page, lambda image: drawn(image, page, 0) > 40)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa"]}).response
    assert not [(v["id"], v["nodes"][0]["html"]) for v in found["violations"]]


def test_without_webgl_the_overlay_says_so(page: Page, address: str) -> None:
    page.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
    page.goto(f"{address}#code?n=4")
    expect(page.locator("#overlay")).to_contain_text("needs WebGL")
    assert page.locator(".overlay-members li").count() == 5
