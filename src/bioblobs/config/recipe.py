"""The recipe of a model: every key that shapes it, but for the seed and where it is computed.

Results of other runs hold for models of the same recipe and data. Arguments of Lightning's Trainer that a
stage was given beside the keys are part of it, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bioblobs.config.groups import shaping_values
from bioblobs.config.schema import Config

WITHIN = ("train.seed", "train.accelerator", "train.strategy", "train.num_threads")
"""Keys that differ between runs of one recipe: the seed, and where the same numbers are rounded."""
ONLY_STAGE1 = ("multistage.stage1.", "model.codebook_", "model.blob_input", "model.psc_temp")
"""Beginnings of the keys that stage 0, which has no codebook, does not read."""


def recipe(config: Config) -> dict[str, Any]:
    """Full name and plain value of each key of a recipe."""
    found = shaping_values(config.model) | shaping_values(config.train) | shaping_values(config.multistage)
    return {key: value for key, value in found.items() if key not in WITHIN}


def of_stage0(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Keys of a recipe that shape the model of stage 0."""
    return {key: value for key, value in keys.items() if not key.startswith(ONLY_STAGE1)}


def credited(made_with: Mapping[str, Any] | None, model: Mapping[str, Any], stage: int = 1) -> bool:
    """Whether results hold for a model: they are of its recipe, whatever the seed, and of its data.

    Args:
        made_with: ``recipe`` and ``data`` of the results; None: they name none.
        model: those of the model.
        stage: 0: the results are of the recipe's first stage.
    """
    of_model = model.get("recipe") or {}
    wanted = {"recipe": of_model if stage else of_stage0(of_model), "data": model.get("data")}
    return bool(of_model) and {name: (made_with or {}).get(name) for name in wanted} == wanted
