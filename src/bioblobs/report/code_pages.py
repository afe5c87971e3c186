"""Codes on the page: the fields that it knows, and any other as plain text."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from typing import Any

from bioblobs.report.plain import facts
from bioblobs.report.scorecard import code_row

KNOWN = {
    "code",
    "blobs",
    "proteins",
    "mean_importance",
    "mean_size",
    "composition",
    "secondary_structure",
    "enriched_classes",
    "argues_for",
}
LOGO = "logo_svg"
EVIDENCE = "evidence"
DRAWN = {LOGO, EVIDENCE, "logo", "motif", "members", "overlay", "against_background"}
"""Fields that the page shows as pictures and lists."""


def page_code(code: Mapping[str, Any]) -> dict[str, Any]:
    """A code of the interpretability report; fields of later versions of its schema are kept readable.

    A logo becomes text that the page makes an image of, in which nothing that an SVG may carry can run;
    packed (deflate), since hundreds of them are most of a page.
    """
    made: dict[str, Any] = {key: code[key] for key in KNOWN if key in code}
    if logo := code.get(LOGO):
        made["logo"] = base64.b64encode(zlib.compress(str(logo).encode(), 9)).decode()
    made[EVIDENCE] = code_row(code[EVIDENCE]) if code.get(EVIDENCE) else None
    made["facts"] = facts({key: _undrawn(value) for key, value in code.items() if key not in KNOWN | DRAWN})
    return made


def _undrawn(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {key: _undrawn(each) for key, each in value.items() if key != "overlay"}
