"""Write the tables of docs/sites.md from metrics/sites.json.

``--check`` changes nothing and fails where the page's tables are others.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from marked import ROOT, between, spread, table

METRICS = ROOT / "metrics" / "sites.json"
PAGE = ROOT / "docs" / "sites.md"
SUBSETS = {"all": "all sites", "curated": "sites that M-CSA lists itself"}
CHAINS = {"test": "test chains", "val": "validation chains"}


def gain(found: Mapping[str, Any]) -> str:
    """Mean over seeds, and the outermost ends of the intervals over chains."""
    ends = [found["least_low_end"], found["greatest_high_end"]]
    if found["mean"] is None or None in ends:
        return "undefined"
    return f"{found['mean']:+.3f} ({ends[0]:+.3f} to {ends[1]:+.3f})"


def better_than(found: Mapping[str, Any]) -> str:
    """One sentence: which controls contribution beats in every seed, and which it does not."""
    beaten = [name for name, part in found["auc_gain"].items() if (part["least_low_end"] or 0) > 0]
    others = [name for name in found["auc_gain"] if name not in beaten]
    if not others:
        return "Contribution ranks sites above every control, in every seed."
    said = ", ".join(name.replace("_", " ") for name in others)
    if not beaten:
        return f"Contribution is above no control in every seed: not above {said}."
    above = ", ".join(name.replace("_", " ") for name in beaten)
    return f"In every seed contribution is above {above}; it is not above {said}."


def areas(found: Mapping[str, Any]) -> str:
    """Area and shares of the sites by each ranking."""
    best = found["top_blobs"]
    covered = [f"{number} ({part['residues']['mean']:.0%} of the residues)" for number, part in best.items()]
    rows = [
        [
            "residues ranked by",
            "area under the ROC curve",
            "gain of contribution",
            *(f"sites in as many residues as the best {text}" for text in covered),
            "odds ratio",
        ]
    ]
    for name, area in found["auc"].items():
        rows.append(
            [
                name.replace("_", " "),
                spread(area),
                gain(found["auc_gain"][name]) if name in found["auc_gain"] else "",
                *(f"{part['sites'][name]['mean']:.0%}" for part in best.values()),
                _number(found["odds_ratio"][name]),
            ]
        )
    return table(rows)


def _mean(found: Mapping[str, Any] | float | None) -> Any:
    """Mean over the seeds, or the one value."""
    return found["mean"] if isinstance(found, Mapping) else found


def _number(found: Mapping[str, Any] | float | None) -> str:
    """Mean odds ratio; one that is infinite in every seed is null."""
    value = _mean(found)
    return "infinite" if value is None else f"{value:.2f}"


def result(metrics: Mapping[str, Any]) -> str:
    """Tables of every split of the data."""
    parts = []
    for split, of_split in metrics.items():
        seeds = ", ".join(str(seed) for seed in of_split["seeds"])
        parts.append(f"### `{of_split['task']}`, split {split} (seeds {seeds})")
        for chains, title in CHAINS.items():
            for subset, sites in SUBSETS.items():
                found = (of_split[chains] or {}).get(subset)
                if found is None:
                    continue
                right = f"class predicted right in {_mean(found['accuracy']):.0%}"
                counted = f"{found['chains']} chains, {found['sites']} residues"
                parts.append(f"**{title.capitalize()}, {sites}**: {counted}; {right}.\n{better_than(found)}")
                parts.append(areas(found))
    return "\n\n".join(parts)


SUMMARY = ("contribution", "exchanged", "random_patches", "depth", "depth_and_type")
"""Rankings of the short table."""


def short(metrics: Mapping[str, Any]) -> str:
    """All sites of every split: areas of the rankings that matter, and the decisive gain."""
    rankings = [name.replace("_", " ") for name in SUMMARY]
    rows = [["split", "chains", "class right", *rankings, "gain over contributions exchanged"]]
    for split, of_split in metrics.items():
        for chains, title in CHAINS.items():
            found = (of_split[chains] or {}).get("all")
            if found is None:
                continue
            known = [spread(found["auc"][name]) if name in found["auc"] else "" for name in SUMMARY]
            rows.append(
                [
                    split,
                    f"{found['chains']} {title.removesuffix(' chains')}",
                    f"{_mean(found['accuracy']):.2f}",
                    *known,
                    gain(found["auc_gain"]["exchanged"]) if "exchanged" in found["auc_gain"] else "",
                ]
            )
    return table(rows)


def main() -> None:
    """Write, or check."""
    if not METRICS.is_file():
        sys.exit(f"error: {METRICS} is not there; run python -m bioblobs.stages sites join FILES first")
    page = PAGE.read_text()
    metrics = json.loads(METRICS.read_text())
    made = between(between(page, "sites", result(metrics)), "short", short(metrics))
    if "--check" in sys.argv[1:]:
        sys.exit(0 if page == made else f"error: {PAGE.name}: run python tools/update_sites_page.py")
    PAGE.write_text(made)


if __name__ == "__main__":
    main()
