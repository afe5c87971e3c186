"""``bioblobs stage``: one stage of the pipeline, its keys as key=value."""

from __future__ import annotations

from collections.abc import Sequence

from bioblobs.config.flags import as_flags
from bioblobs.stages.__main__ import NAMES
from bioblobs.stages.__main__ import main as run_stage

TRAININGS = ("train_stage0", "train_stage1")
WITHOUT_KEYS = ("pipeline",)
"""Stages that read key=value themselves."""


def main(args: Sequence[str]) -> int:
    """Run the stage, with params.yaml unless ``--config`` names another file."""
    run_stage(stage_words(args))
    return 0


def stage_words(args: Sequence[str]) -> list[str]:
    """Turn the words into those of ``python -m bioblobs.stages``.

    Raises:
        BioBlobsError: a word that is no key=value, or a key that there is not.
    """
    name, rest = (args[0] if args else ""), list(args[1:])
    if name not in NAMES or name in WITHOUT_KEYS:
        return list(args)
    first = ["fit"] if name in TRAININGS else []
    if rest[:1] == first:
        rest = rest[1:]
    if "--help" in rest or "-h" in rest or (name == "sites" and rest[:1] == ["join"]):
        return [name, *first, *rest]
    return [name, *first, *as_flags(rest)]
