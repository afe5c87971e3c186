"""Where Chromium is, and what it takes to draw WebGL without a screen."""

from __future__ import annotations

import io
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

Pixels = NDArray[np.float64]
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
"""No sandbox: it is refused to root, as which containers run; the pages are our own."""
PATIENCE = 120_000
"""Milliseconds to wait for what has to come: without a graphics card WebGL is slow on a busy machine."""
MOVE = """(place) => new Promise((done) => {
  if (location.hash === `#${place}`) return done();
  addEventListener("hashchange", () => done(), { once: true });  // after the page's own listener
  location.hash = place;
})"""

expect.set_options(timeout=PATIENCE)


def chromium() -> str:
    """Path of the browser; skips the test without one, unless BIOBLOBS_REQUIRE_CHROMIUM is set (in CI)."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        reason = f"no Chromium on this machine (looked for {', '.join(NAMES)}; apt-get install chromium)"
        if os.environ.get("BIOBLOBS_REQUIRE_CHROMIUM"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@contextmanager
def browser() -> Iterator[Browser]:
    """Headless Chromium."""
    path = chromium()
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=FLAGS, timeout=PATIENCE)
        yield running
        running.close()


class Watch:
    """What a page complained of and asked for."""

    def __init__(self, page: Page) -> None:
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: self._said(message.type, message.text))
        page.on("request", lambda request: self.requests.append(request.url))

    def _said(self, kind: str, text: str) -> None:
        if (
            kind in ("error", "warning") and "GPU stall due to ReadPixels" not in text
        ):  # a driver's performance hint
            self.errors.append(text)

    def check(self) -> None:
        """No error, and nothing fetched but the page itself."""
        assert not self.errors, self.errors
        fetched = [url for url in self.requests if not url.startswith(("file:", "data:", "blob:"))]
        assert not fetched, fetched


@contextmanager
def tab(running: Browser) -> Iterator[Page]:
    """A new tab; whatever a test does, no error, and no request beyond the file."""
    context = running.new_context(viewport={"width": 1200, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    watch = Watch(page)
    yield page
    watch.check()
    context.close()


def move_to(page: Page, place: str) -> None:
    """Go to another part of an open page (``view?key=value``) and wait until its script has opened it."""
    page.evaluate(MOVE, place)


def painted(page: Page) -> None:
    """Wait until the browser has laid out and painted what is there, and has told the observers of sizes."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def picture(page: Page, selector: str, holds: Callable[[Pixels], bool]) -> Pixels:
    """(H, W, 3) of an element on the screen, at rest (two in a row are equal) and with ``holds`` true of it.

    A script is done before what it drew is on the screen, on a busy machine by seconds.
    """
    end, before = time.monotonic() + PATIENCE / 1000, None
    while True:
        shot = page.locator(selector).screenshot()
        image = np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"), np.float64)
        if before is not None and np.array_equal(image, before) and holds(image):
            return image
        assert time.monotonic() < end, f"{selector} doesn't come to look as it should"
        before = image
