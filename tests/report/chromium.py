"""Where Chromium is, and what it takes to draw WebGL without a screen."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

Pixels = NDArray[np.float64]
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
"""No sandbox: it is refused to root, as which containers run; the pages are our own."""


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
        running = playwright.chromium.launch(executable_path=path, args=FLAGS)
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
    context = running.new_context(viewport={"width": 1200, "height": 900})
    page = context.new_page()
    watch = Watch(page)
    yield page
    watch.check()
    context.close()


def picture(page: Page, selector: str) -> Pixels:
    """(H, W, 3) of an element as it is on the screen."""
    shot = page.locator(selector).screenshot()
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"), np.float64)
