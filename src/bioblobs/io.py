"""Small results: files, written whole or not at all, and numbers as people read them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd


def write_text(path: Path, text: str) -> None:
    """Write through a scratch file beside ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.partial")
    scratch.write_text(text)
    os.replace(scratch, path)


def write_json(path: Path, content: Any) -> None:
    """JSON for people and for ``dvc metrics``; NaN is refused, as JSON has none."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def write_table(path: Path, table: pd.DataFrame) -> None:
    """CSV with six significant digits, so that plots of two commits differ only where numbers do."""
    write_text(path, table.to_csv(index=False, float_format="%.6g"))


def interval(score: Mapping[str, float | None]) -> str:
    """``{"value": .., "low": .., "high": ..}`` as 0.902 (0.865 to 0.936); what is undefined is said to be."""
    value, low, high = (score[name] for name in ("value", "low", "high"))
    if value is None:
        return "undefined"
    return f"{value:.3f}" if low is None or high is None else f"{value:.3f} ({low:.3f} to {high:.3f})"
