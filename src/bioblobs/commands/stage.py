"""``bioblobs stage``: one stage of the pipeline, its keys as key=value."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from bioblobs.config.flags import as_flags
from bioblobs.config.parsing import parameter_parser
from bioblobs.stages.__main__ import NAMES, usage
from bioblobs.stages.__main__ import main as run_stage

TRAININGS = ("train_stage0", "train_stage1")
WITHOUT_KEYS = ("pipeline",)
"""Stages that read key=value themselves."""


def main(args: Sequence[str], command: str = "bioblobs stage") -> int:
    """Run the stage, with params.yaml unless ``--config`` names another file.

    Args:
        command: words before the name of the stage, for its help.
    """
    name = args[0] if args else ""
    if name in ("", "-h", "--help"):
        print(usage().replace("python -m bioblobs.stages", command))
        return 0 if name else 2
    if name in NAMES and name not in TRAININGS and _asks_for_help(args) and args[1] != "join":
        # The stage's own parser would call itself by the name of the running script.
        parser = parameter_parser(import_module(f"bioblobs.stages.{name}").__doc__ or "")
        parser.prog = f"{command} {name}"
        parser.print_help()
        return 0
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
    if _asks_for_help(rest) or (name == "sites" and rest[:1] == ["join"]):
        return [name, *first, *rest]
    return [name, *first, *as_flags(rest)]


def _asks_for_help(words: Sequence[str]) -> bool:
    return "--help" in words or "-h" in words
