"""Draw the README's picture: a predicted chain in 3-D, the sum that makes its class, and its sequence.

    bioblobs predict models/scop-class.ckpt data/examples/2cviA.pdb.gz --out results
    python tools/draw_protein.py results/index.html

It is a part of the page that ``bioblobs predict`` wrote, as Chromium shows it.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "pictures" / "protein.png"
FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
WIDTH, HEIGHT, MARGIN = 1440, 1400, 12


def draw(page_file: Path) -> None:
    """Write docs/pictures/protein.png."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(page_file.resolve().as_uri())
        link = page.locator("table a").first
        if link.count():  # a page of one protein opens on it
            link.click()
        page.wait_for_timeout(4000)
        left = page.locator("#stage").bounding_box()
        right = page.locator("#sum").bounding_box()
        assert left is not None and right is not None, "the page shows no structure"
        page.add_style_tag(content="select, label, #stage ~ * { visibility: hidden }")  # controls below
        top = min(left["y"], right["y"])
        bottom = max(left["y"] + left["height"], right["y"] + right["height"])
        page.screenshot(
            path=PICTURE,
            clip={
                "x": left["x"] - MARGIN,
                "y": top - MARGIN,
                "width": right["x"] + right["width"] - left["x"] + 2 * MARGIN,
                "height": bottom - top + 2 * MARGIN,
            },
        )
        browser.close()


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
