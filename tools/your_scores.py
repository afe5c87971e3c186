"""Print the scores in metrics/ beside the ranges over seeds of the README; `make repro` ends with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bioblobs.config.recipe import credited
from marked import spread

ROOT = Path(__file__).resolve().parents[1]
MEASURES = {"accuracy": "test accuracy", "macro_recall": "macro recall", "macro_f1": "macro F1"}


def lines(test: dict[str, Any], seeds: dict[str, Any] | None) -> list[str]:
    """One line per score: this run, and the range over seeds where `make seeds` was of the same recipe."""
    found = [f"{'':16s}{'this run':10s}over seeds: mean (range)"]
    for name, title in MEASURES.items():
        if name not in test["stage1"]:
            continue
        own, beside = test["stage1"][name]["value"], ""
        if over := (seeds or {}).get("over_seeds", {}).get(name):
            beside = spread(over)
        found.append(f"{title:16s}{own:<10.3f}{beside}".rstrip())
    return found


def main() -> None:
    """Command line."""
    metrics = ROOT / "metrics"
    seeds = metrics / "seeds.json"
    test = json.loads((metrics / "test.json").read_text())
    over = json.loads(seeds.read_text()) if seeds.is_file() else {}
    model = json.loads((ROOT / "outputs" / "interpretability" / "model.json").read_text())
    print(*lines(test, over if credited(over.get("made_with"), model) else None), sep="\n")
    print("open outputs/report/index.html in a browser")


if __name__ == "__main__":
    main()
