"""Vega-Lite specifications as PNG, as tools/update_readme.py draws the README's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import vl_convert


def draw(specification: dict[str, Any], path: Path) -> None:
    """Write a picture of a Vega-Lite specification."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(vl_convert.vegalite_to_png(json.dumps(specification), scale=2))
