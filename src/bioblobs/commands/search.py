"""``bioblobs search``: Optuna's proposals as DVC experiments."""

from __future__ import annotations

from collections.abc import Sequence


def main(args: Sequence[str]) -> int:
    """Search."""
    from bioblobs.search.__main__ import main as run_search

    run_search(list(args))
    return 0
