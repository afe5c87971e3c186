"""Template, style, scripts and data -> one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from bioblobs.errors import BioBlobsError
from bioblobs.io import write_text
from bioblobs.report.palette import style

SCRIPTS = (
    "dom",
    "chains",
    "colours",
    "colouring",
    "webgl",
    "downloads",
    "structure",
    "strip",
    "sum",
    "blobs",
    "protein",
    "search",
    "thumbnails",
    "gallery",
    "hero",
    "overlay",
    "codes",
    "heatmap",
    "about",
    "main",
)
"""In page/, in the order in which they build on one another."""


def write_page(path: Path, data: Mapping[str, Any], overview: Mapping[str, Any] | None, title: str) -> None:
    """Write the page, whole or not at all.

    Args:
        data: what the scripts read; escaped so that no text in it can end the script element.
        overview: what overview.html and evidence.html show; None: the page has proteins and codes only.
    """
    template = _environment().get_template("page.html")
    write_text(
        path,
        template.render(
            title=title,
            data=data,
            overview=overview,
            style=style() + _resource("page/style.css"),
            library=_script("vendor/3Dmol-min.js"),
            scripts=[_script(f"page/{name}.js") for name in SCRIPTS],
        ),
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("bioblobs.report", "page"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _resource(name: str) -> str:
    return (files("bioblobs.report") / name).read_text(encoding="utf-8")


def _script(name: str) -> str:
    """A script that can stand inside a page: nothing in it ends the element early."""
    text = _resource(name)
    if "</script" in text.lower() or "<!--" in text:
        raise BioBlobsError(f"{name}: holds </script or <!--, which would end its element in the page")
    return text
