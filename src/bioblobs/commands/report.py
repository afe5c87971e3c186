"""``bioblobs report``: the page of results that are there, as the stage ``report`` makes it."""

from __future__ import annotations

from collections.abc import Sequence

from bioblobs.commands.stage import main as run_stage


def main(args: Sequence[str]) -> int:
    """Write the page."""
    return run_stage(["report", *args], "bioblobs")
