"""Run a stage by its name: python -m bioblobs.stages NAME [arguments of the stage]."""

from __future__ import annotations

import ast
import difflib
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

FOLDER = Path(__file__).parent
NAMES = (
    *("download", "prepare", "leakage", "train_stage0", "init_codebook", "train_stage1"),
    *("evaluate", "interpret", "faithfulness", "report", "summary"),
    *("pipeline", "sanity", "seeds", "baselines", "sites"),
)
"""Stages of dvc.yaml in their order; the whole pipeline; measurements that need trainings of their own."""


def usage() -> str:
    """Return the names, each with the first line of its module's docstring."""
    lines = ["usage: python -m bioblobs.stages NAME [arguments]; NAME --help shows its arguments", ""]
    for name in NAMES:
        text = ast.get_docstring(ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))) or ""
        lines.append(f"  {name:14s}{text.splitlines()[0].removeprefix(f'DVC stage ``{name}``: ')}")
    return "\n".join(lines)


def main(args: Sequence[str] | None = None) -> None:
    """Run the named stage; exit with status 2 where there is none."""
    words = list(sys.argv[1:] if args is None else args)
    name, rest = (words[0] if words else ""), words[1:]
    if name in ("", "-h", "--help"):
        print(usage())
        sys.exit(0 if name else 2)
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        print(f"error: {name}: no such stage{hint}; --help lists them", file=sys.stderr)
        sys.exit(2)
    import_module(f"bioblobs.stages.{name}").main(rest)


if __name__ == "__main__":
    main()
