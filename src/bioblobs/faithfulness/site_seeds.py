"""Measurements of several trained models on annotated residues, joined: one entry per split of the data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bioblobs.errors import BioBlobsError
from bioblobs.evaluation.over_seeds import spread

CHAINS = ("val", "test")
SUBSETS = {"all": "", "curated": ", M-CSA"}
"""Of the sites, and what the plot adds to the name of the chains."""
FIELDS = ("data_split", "seed", "task", "recipe", *CHAINS)


def read_measurements(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Files sites_model.json, by split of the data and seed.

    Raises:
        BioBlobsError: one is missing or something else, two are of the same split and seed, or of different
            recipes.
    """
    found: dict[tuple[str, int], tuple[Path, dict[str, Any]]] = {}
    for path in paths:
        try:
            content = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise BioBlobsError(f"{path}: cannot be read ({error})") from error
        missing = (
            [key for key in FIELDS if key not in content] if isinstance(content, dict) else ["data_split"]
        )
        missing += [key for key in ("seed", "recipe") if not missing and content[key] is None]
        if missing:
            raise BioBlobsError(f"{path}: not a sites_model.json of the stage sites (no {missing[0]})")
        key = (content["data_split"], content["seed"])
        if key in found:
            raise BioBlobsError(f"{path}: same split ({key[0]}) and seed ({key[1]}) as {found[key][0]}")
        found[key] = path, content
        first, other = next(iter(found.values()))
        if content["recipe"] != other["recipe"]:
            raise BioBlobsError(f"{path}: trained with other keys than {first}; join models of one preset")
    return [content for _, (_, content) in sorted(found.items())]


def over_seeds(models: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Per split of the data: its seeds, and mean, least and greatest value of each measure over them.

    Where a measure has an interval over chains, ``least_low_end`` and ``greatest_high_end`` are the outermost
    of the intervals. Whole numbers that no seed changes (chains, sites) stay as they are.
    """
    made: dict[str, Any] = {}
    for split in dict.fromkeys(model["data_split"] for model in models):
        own = [model for model in models if model["data_split"] == split]
        parts = {chains: _joined([model[chains] for model in own]) for chains in CHAINS}
        made[split] = {"task": own[0]["task"], "seeds": [model["seed"] for model in own], **parts}
    return made


def table(models: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One row per split of the data, chains, ranking and seed, for the plot: area under the ROC curve."""
    rows = [
        {
            "split": model["data_split"],
            "chains": chains + more,
            "ranking": name.replace("_", " "),
            "seed": model["seed"],
            "auc": area["value"],
            "low": area["low"],
            "high": area["high"],
        }
        for model in models
        for chains in CHAINS
        for subset, more in SUBSETS.items()
        if (found := (model[chains] or {}).get(subset))
        for name, area in found["auc"].items()
    ]
    return pd.DataFrame(rows, columns=["split", "chains", "ranking", "seed", "auc", "low", "high"])


def _joined(parts: Sequence[Any]) -> Any:
    """One value for those of several seeds, in the shape that they have; what one lacks is left out."""
    parts = [part for part in parts if part is not None]
    if not parts:
        return None
    if not isinstance(parts[0], dict):
        alike = isinstance(parts[0], int) and len(set(parts)) == 1
        return parts[0] if alike else spread(parts)
    if "value" not in parts[0]:
        return {key: _joined([part.get(key) for part in parts]) for key in parts[0]}
    made = spread([part["value"] for part in parts if part["value"] is not None])
    for end, name, outermost in (("low", "least_low_end", min), ("high", "greatest_high_end", max)):
        made[name] = outermost((part[end] for part in parts if part[end] is not None), default=None)
    return made
