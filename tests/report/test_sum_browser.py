"""The sum that makes a prediction in a browser: bars add up, colours follow signs, everybody can use it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, expect

from bioblobs.report.palette import signed_colour
from bioblobs.report.viewer import write_viewer
from bioblobs.store.packed import Store
from report.chromium import Pixels, move_to, picture, tab
from report.pages import CLASSES, CONTRIBUTIONS, EXPLANATION, LOGITS, made, write_report
from report.test_browser import like

AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21aa"]}
BY_CONTRIBUTION = (1, 0, 2)
"""Slots of the three blobs, largest contribution to c0 first."""


@pytest.fixture(scope="module")
def folder(sample_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made_in = tmp_path_factory.mktemp("sums")
    write_report(made_in / "additive.html", sample_store)
    write_report(made_in / "attention.html", sample_store, attention=True)
    return made_in


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    with tab(chromium) as opened:
        yield opened


def open_protein(page: Page, folder: Path, name: str = "additive", drawn: bool = False) -> None:
    if not drawn:
        page.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
    page.goto((folder / f"{name}.html").as_uri() + "#protein?id=protein+0")


def number(text: str) -> float:
    return float(text.replace("−", "-"))


def lanes(page: Page, place: int) -> list[dict[str, Any]]:
    """Of one class, from base to sum: value, text, and where its bar lies in the track, as shares."""
    found: list[dict[str, Any]] = page.evaluate(
        """(place) => [...document.querySelectorAll('#sum .sum-row')].slice(1).map((row) => {
          const lane = row.querySelectorAll('.lane')[place];
          const step = lane.querySelector('.step');
          const track = lane.querySelector('.lane-track').getBoundingClientRect();
          const box = step.getBoundingClientRect();
          return { value: Number(lane.dataset.value), text: lane.querySelector('.amount').textContent,
            left: (box.left - track.left) / track.width, right: (box.right - track.left) / track.width,
            track: track.left, colour: getComputedStyle(step).backgroundColor };
        })""",
        place,
    )
    return found


def containing(part: str) -> re.Pattern[str]:
    return re.compile(re.escape(part))


def rgb(colour: str) -> str:
    return f"rgb({', '.join(str(int(colour[at : at + 2], 16)) for at in (1, 3, 5))})"


def like_colour(found: str, wanted: str) -> bool:
    """Up to one step of 256 in a channel: halves are rounded to even in Python, up in JavaScript."""
    ours, theirs = (np.array(re.findall(r"\d+", each), int) for each in (found, rgb(wanted)))
    return bool(np.abs(ours - theirs).max() <= 1)


def background(page: Page, selector: str) -> str:
    found: str = page.locator(selector).first.evaluate("e => getComputedStyle(e).backgroundColor")
    return found


@pytest.mark.parametrize(("place", "name"), [(0, "c0"), (1, "c1")])
def test_base_and_bars_add_up_to_the_logit(page: Page, folder: Path, place: int, name: str) -> None:
    open_protein(page, folder)
    expect(page.locator(f".sum-class[data-class='{name}']")).to_contain_text(CLASSES[name])
    base, *blobs, total = lanes(page, place)
    assert [each["value"] for each in blobs] == [CONTRIBUTIONS[slot][name] for slot in BY_CONTRIBUTION]
    assert base["value"] == EXPLANATION["base"][name]
    assert sum(each["value"] for each in (base, *blobs)) == pytest.approx(total["value"])
    assert number(total["text"]) == LOGITS[name]
    assert all(number(each["text"]) == pytest.approx(each["value"], abs=0.005) for each in (base, *blobs))


def test_a_bar_begins_where_the_one_before_ends_and_both_classes_have_one_scale(
    page: Page, folder: Path
) -> None:
    open_protein(page, folder)
    scales = []
    for place in (0, 1):
        rows = lanes(page, place)
        at = rows[0]["right"] if rows[0]["value"] > 0 else rows[0]["left"]
        for row in rows[1:-1]:
            start, end = (row["left"], row["right"]) if row["value"] > 0 else (row["right"], row["left"])
            assert start == pytest.approx(at, abs=0.01)
            at = end
        assert at == pytest.approx(rows[-1]["right"], abs=0.01)  # both logits are above 0
        scales += [(row["right"] - row["left"]) / abs(row["value"]) for row in rows]
        assert len({round(row["track"]) for row in rows}) == 1  # one zero line from base to sum
    assert np.ptp(scales) < 0.03 * np.mean(scales)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_bars_are_coloured_by_sign(page: Page, folder: Path, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    open_protein(page, folder)
    ends = page.evaluate("[colour('for'), colour('against')]")
    assert ends[0] != ends[1]
    for place in (0, 1):
        for row in lanes(page, place)[:-1]:
            assert row["colour"] == rgb(ends[0] if row["value"] > 0 else ends[1])


def test_page_and_python_colour_a_contribution_alike(page: Page, folder: Path) -> None:
    page.emulate_media(color_scheme="light")
    open_protein(page, folder)
    for value, largest in [(0.4, 1.2), (-0.9, 1.2), (5.0, 1.2), (-5.0, 1.2), (0.0, 1.2), (0.0, 0.0)]:
        found = page.evaluate("([value, largest]) => signedColour(value, largest)", [value, largest])
        assert like_colour(rgb(found), signed_colour(value, largest))


def test_strip_and_numbers_have_the_colour_of_the_contribution_and_a_legend(page: Page, folder: Path) -> None:
    page.emulate_media(color_scheme="light")
    open_protein(page, folder)
    largest = max(abs(each["c0"]) for each in CONTRIBUTIONS)
    for slot, parts in enumerate(CONTRIBUTIONS):
        wanted = signed_colour(parts["c0"], largest)
        residue = page.evaluate(f"page.proteins[0].blobs.find(b => b.slot === {slot}).residues[0]")
        assert like_colour(background(page, f"[data-residue='{residue}']"), wanted)
        assert like_colour(background(page, f"[data-blob='{slot}'] .number"), wanted)
    legend = page.locator("#legend")
    for text in ("−1.20", "argues against", "0", "neither", "+1.20", "argues for", "in no blob"):
        expect(legend).to_contain_text(text)
    assert background(page, "[data-residue='0']") == "rgba(0, 0, 0, 0)"  # in no blob


def test_the_toggle_goes_from_class_to_runner_up_to_blobs_and_is_kept(page: Page, folder: Path) -> None:
    page.emulate_media(color_scheme="light")
    open_protein(page, folder)
    select = page.locator("#colour-by")
    expect(select).to_have_value("class-0")
    select.select_option("class-1")
    assert like_colour(background(page, "[data-blob='1'] .number"), signed_colour(-0.5, 1.2))
    expect(page.locator("[data-residue='3']")).to_have_attribute("title", containing("+0.20 to beta"))
    select.select_option("blob")
    assert background(page, "[data-blob='1'] .number") == rgb(page.evaluate("blobColour(0)"))
    expect(page.locator("#legend")).to_be_hidden()
    page.evaluate("location.hash = 'protein?id=protein+2'")
    expect(page.locator("#protein-title")).to_have_text("protein 2")
    expect(select).to_have_value("blob")
    select.focus()
    page.keyboard.press("Home")  # by keyboard alone
    expect(select).to_have_value("class-0")
    assert like_colour(background(page, "[data-blob='1'] .number"), signed_colour(1.2, 1.2))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_structure_has_the_colours_of_contributions(page: Page, folder: Path, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    open_protein(page, folder, drawn=True)
    colours = page.evaluate("[colour('for'), signedColour(-0.9, 1.2)]")
    image = picture(page, "#canvas", lambda seen: all(like(seen, colour).sum() > 40 for colour in colours))
    most = like(image, colours[1]).sum()
    page.select_option("#colour-by", "blob")
    first = page.evaluate("blobColour(0)")
    picture(
        page, "#canvas", lambda seen: like(seen, first).sum() > 60 and like(seen, colours[1]).sum() < most
    )


def test_a_bar_selects_its_blob_everywhere_and_pointing_marks_it(page: Page, folder: Path) -> None:
    open_protein(page, folder)
    page.locator("[data-blob='2'] .step").first.hover()
    expect(page.locator(".res.hot")).to_have_count(5)
    page.locator("[data-blob='2'] .step").first.click()
    expect(page.locator(".res[aria-selected=true]")).to_have_count(5)
    page.hover("[data-residue='3']")
    expect(page.locator("[data-blob='0']")).to_have_class(containing("hot"))
    page.mouse.move(0, 0)
    expect(page.locator(".res.hot")).to_have_count(0)


def test_the_keyboard_walks_the_bars(page: Page, folder: Path) -> None:
    open_protein(page, folder)
    page.focus("[data-blob='1']")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".res.hot")).to_have_count(5)
    page.keyboard.press("Enter")
    expect(page.locator("[data-blob='2']")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("[data-blob='2']")).to_have_attribute(
        "aria-label", containing("Blob 3, −0.90 to all alpha, +1.00 to beta")
    )
    spoken = page.locator("#sum .spoken").all_text_contents()
    assert spoken[0].startswith("Base: +0.30 for all alpha, −0.20 for beta")
    assert spoken[1].startswith("Sum, the logit: +1.20 for all alpha, +0.50 for beta")


def test_attention_has_weights_and_no_sum(page: Page, folder: Path) -> None:
    open_protein(page, folder, "attention")
    assert page.locator("#sum .lane").count() == 0
    for row in ("#sum-head", "#sum-base", "#sum-total", "#legend"):
        expect(page.locator(row)).to_be_hidden()
    expect(page.locator("#blobs-explained")).to_contain_text("Importance is the attention weight")
    assert page.locator("#blobs .share").all_text_contents() == ["60.0 %", "30.0 %", "10.0 %"]
    options = page.locator("#colour-by option").all_text_contents()
    assert options == ["blob", "attention weight"]
    expect(page.locator("[data-residue='3']")).to_have_attribute(
        "title", containing("attention weight 30.0 %")
    )
    move_to(page, "evidence")
    assert page.locator("#scorecard").count() == 0
    move_to(page, "code?n=3")
    expect(page.locator("#code-title")).to_have_text("Code 3")
    assert page.locator("#argues-for").count() == 0


def test_attention_is_named_only_where_there_is_attention(page: Page, folder: Path) -> None:
    page.goto((folder / "additive.html").as_uri())
    expect(page.locator("#hero-slot #strip")).to_be_visible()  # it comes after the text
    for view in ("overview", "evidence", "proteins", "codes", "code?n=3", "protein?id=protein+0"):
        move_to(page, view)
        assert "attention" not in page.inner_text("body").lower(), view


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_of_an_attention_head_passes_axe(page: Page, folder: Path, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto((folder / "attention.html").as_uri())
    expect(page.locator("#hero-slot #strip")).to_be_visible()  # it comes after the text
    for view in ("overview", "protein?id=protein+0&blob=1"):
        move_to(page, view)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, view
        found = Axe().run(page, options=AXE).response
        assert not [(v["id"], v["nodes"][0]["html"]) for v in found["violations"]], view


def test_a_code_says_what_it_argues_for(page: Page, folder: Path) -> None:
    address = (folder / "additive.html").as_uri()
    page.goto(f"{address}#code?n=4")
    expect(page.locator("#argues-for")).to_have_text(
        "Argues for all alpha: each blob of this code adds +1.20 to its logit."
    )
    rows = page.locator(".evidence tbody tr")
    assert [number(text) for text in rows.locator(".num").all_text_contents()] == [1.2, -0.5, -0.7]
    kinds = rows.locator(".step").evaluate_all("steps => steps.map(each => each.className)")
    assert kinds == ["step for", "step against", "step against"]
    move_to(page, "codes")
    expect(page.locator("#codes-body tbody tr").nth(1)).to_contain_text("all alpha")


def test_the_heat_map_shows_values_and_opens_codes(page: Page, folder: Path) -> None:
    page.emulate_media(color_scheme="light")
    page.goto((folder / "additive.html").as_uri() + "#evidence")
    card = page.evaluate("page.scorecard")
    assert sorted(card["codes"]) == [3, 4, 10]
    page.locator("#heat canvas").scroll_into_view_if_needed()

    def cells(image: Pixels) -> NDArray[np.float64]:
        row, column = image.shape[0] / 3, (image.shape[1] - 44) / 3
        places = [(int((y + 0.5) * row), int(44 + (x + 0.5) * column)) for y in range(3) for x in range(3)]
        return np.array([image[place] for place in places])

    entries = [signed_colour(value, card["largest"]) for values in card["values"] for value in values]
    wanted = [[int(each[at : at + 2], 16) for at in (1, 3, 5)] for each in entries]
    image = picture(page, "#heat canvas", lambda seen: bool(np.abs(cells(seen) - wanted).max() <= 2))
    row_height = image.shape[0] / 3
    expect(page.locator("#heat canvas")).to_have_attribute(
        "aria-label", containing("code 4 for all alpha, +1.20")
    )
    page.locator("#heat canvas").hover(position={"x": 60, "y": row_height * 1.5})
    expect(page.locator("#heat-status")).to_contain_text(f"Code {card['codes'][1]} argues most for")
    page.locator("#heat canvas").click(position={"x": 60, "y": row_height * 2.5})
    expect(page.locator("#code-title")).to_have_text(f"Code {card['codes'][2]}")


def test_the_heat_map_is_read_by_keyboard(page: Page, folder: Path) -> None:
    page.goto((folder / "additive.html").as_uri() + "#evidence")
    codes = page.evaluate("page.scorecard.codes")
    page.focus("#heat")
    expect(page.locator("#heat-status")).to_contain_text(f"Code {codes[0]} argues")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#heat-status")).to_contain_text(f"Code {codes[1]} argues")
    expect(page.locator("#heat-status")).to_contain_text("beta </script>")
    page.keyboard.press("Enter")
    expect(page.locator("#code-title")).to_have_text(f"Code {codes[1]}")


def test_the_heat_map_can_be_used_before_its_room_is_observed(page: Page, folder: Path) -> None:
    """The browser tells of sizes a frame later, on a busy machine after the first key."""
    page.add_init_script("window.ResizeObserver = class { observe() {} };")
    page.goto((folder / "additive.html").as_uri() + "#evidence")
    page.focus("#heat")
    expect(page.locator("#heat-status")).to_contain_text("argues most for")
    page.locator("#heat canvas").hover(position={"x": 60, "y": 5})
    expect(page.locator(".heat-mark")).to_be_visible()


def test_the_verdict_stands_with_every_check_and_its_figure(page: Page, folder: Path) -> None:
    page.goto((folder / "additive.html").as_uri() + "#overview")
    expect(page.locator("#verdict-believed.verdict-amber .figure")).to_have_text(
        "In part: 3 of 5 checks hold"
    )
    move_to(page, "evidence")
    rows = page.locator("#checks tbody tr")
    expect(rows).to_have_count(5)
    outcomes = ["✓ holds", "✓ holds", "✗ does not hold", "✓ holds", "– not measured"]
    assert rows.locator("td:nth-child(2)").all_text_contents() == outcomes
    expect(rows.nth(0)).to_contain_text("largest error 1e-6")
    expect(rows.nth(4)).to_contain_text("seeds agree")


def test_where_no_blob_argues_for_the_class_the_page_says_that_the_base_decided(
    page: Page, sample_store: Store, tmp_path: Path
) -> None:
    records, proteins = made(sample_store, 1, labelled=False)
    parts = {"c0": -0.1, "c1": -0.5, "c2": 0.6}
    blobs = [replace(blob, contribution=-0.1, contributions=parts) for blob in records[0].blobs]
    records = [replace(records[0], blobs=blobs, logits={"c0": 1.7, "c1": -1.7, "c2": 0.0})]
    base = {"c0": 2.0, "c1": -0.2, "c2": -1.8}
    write_viewer(tmp_path / "index.html", records, proteins, CLASSES, "Predictions", "", {"base": base})
    open_protein(page, tmp_path, "index")
    expect(page.locator("#blobs-explained")).to_contain_text(
        "No blob argues for all alpha here: the base decided."
    )
    runner_up = lanes(page, 1)
    assert [each["value"] for each in runner_up] == [-1.8, 0.6, 0.6, 0.6, 0.0]
    page.select_option("#colour-by", "class-1")  # its contributions are beyond the scale
    expect(page.locator(".scale-key b").first).to_have_text("−0.100 or less")
