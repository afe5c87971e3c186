"""Results of other runs hold for a model of the same recipe and data, whatever its seed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bioblobs.config.groups import leaf_keys, shaping_values
from bioblobs.config.recipe import WITHIN, credited, of_stage0, recipe
from bioblobs.config.schema import Config, MultistageConfig, Stage0Config, Stage1Config, TrainConfig

CONFIG, DATA = Config(), {"source": "sample"}


def test_a_recipe_is_every_key_that_shapes_a_model_but_the_seed() -> None:
    shaping = {
        key
        for group in (CONFIG.model, CONFIG.train, CONFIG.multistage)
        for key in leaf_keys(type(group), only_shaping=True)
    }
    assert set(recipe(CONFIG)) == shaping - set(WITHIN) and set(WITHIN) < shaping
    assert recipe(replace(CONFIG, train=TrainConfig(seed=3))) == recipe(CONFIG)


@pytest.mark.parametrize(
    ("changed", "stage1", "stage0"),
    [
        ({}, True, True),
        ({"train": TrainConfig(seed=7)}, True, True),
        ({"train": TrainConfig(weight_decay=0.5)}, False, False),
        ({"multistage": MultistageConfig(stage0=Stage0Config(lr=0.5))}, False, False),
        ({"multistage": MultistageConfig(stage1=Stage1Config(lr=0.5))}, False, True),
    ],
)
def test_results_hold_for_the_same_recipe(changed: dict[str, Any], stage1: bool, stage0: bool) -> None:
    model = {"recipe": recipe(replace(CONFIG, **changed)), "data": DATA}
    keys = recipe(CONFIG)
    assert credited({"recipe": keys, "data": DATA}, model) is stage1
    assert credited({"recipe": of_stage0(keys), "data": DATA}, model, 0) is stage0
    assert not credited({"recipe": keys, "data": {"source": "folder"}}, model)


def test_what_names_no_recipe_holds_for_no_model() -> None:
    keys = recipe(CONFIG)
    assert not credited(None, {"recipe": keys, "data": DATA})
    assert not credited({"data": DATA}, {"data": DATA})


def test_stage_0_reads_no_key_of_the_codebook() -> None:
    left = of_stage0(recipe(CONFIG))
    assert not [key for key in left if "codebook_" in key or "stage1" in key or "psc" in key]
    assert set(shaping_values(CONFIG.multistage.stage0)) <= set(left)
