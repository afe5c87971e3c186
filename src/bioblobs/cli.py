"""The command ``bioblobs``: its subcommands by name.

A subcommand is imported only when it runs, so that none waits for the libraries of another.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from importlib import import_module

from bioblobs import __version__
from bioblobs.errors import one_line_errors

COMMANDS: dict[tuple[str, ...], tuple[str, str]] = {
    ("predict",): ("predict", "classes and blobs of your own structures"),
    ("card",): ("card", "what a model was trained on, and how well it does"),
    ("embed",): ("embed", "per-residue embeddings by ESM-2, for data.embeddings"),
    ("data", "inspect"): ("inspect", "what would be read of structure files, and trained on of a folder"),
    ("run",): ("run", "the whole pipeline without DVC: key=value ..., or --resume FOLDER"),
    ("stage",): ("stage", "one stage of the pipeline: NAME key=value ..."),
    ("report",): ("report", "the page outputs/report/index.html from results that are there"),
    ("search",): ("search", "good parameters by Optuna, each trial a DVC experiment"),
}
"""Words of a command -> its module in :mod:`bioblobs.commands`, and what it is."""


def usage() -> str:
    """Return the commands, each with what it does."""
    lines = [
        "usage: bioblobs COMMAND [arguments]; bioblobs COMMAND --help shows its arguments",
        "",
        "Protein classification from 3-D structure that shows which parts of the structure decided it.",
        "",
    ]
    lines += [f"  {' '.join(words):14s}{text}" for words, (_, text) in COMMANDS.items()]
    lines += [
        "",
        "key=value sets a key of params.yaml, as in train.seed=1; it means the same in every command and in",
        "`dvc exp run -S key=value`. `dvc repro` runs the pipeline with DVC.",
        "bioblobs --version prints the version.",
    ]
    return "\n".join(lines)


def main(args: Sequence[str] | None = None) -> None:
    """Command line; exits with the status of the subcommand, and 2 where there is none of that name."""
    words = list(sys.argv[1:] if args is None else args)
    if words[:1] in (["--help"], ["-h"]) or (words[1:2] in (["--help"], ["-h"]) and _is_topic(words[0])):
        print(usage())
        sys.exit(0)
    if words[:1] == ["--version"]:
        print(f"bioblobs {__version__}")
        sys.exit(0)
    known = next((each for each in COMMANDS if tuple(words[: len(each)]) == each), None)
    if known is None:
        print(f"error: {_unknown(words)}", file=sys.stderr)
        sys.exit(2)
    module = import_module(f"bioblobs.commands.{COMMANDS[known][0]}")
    with one_line_errors():
        sys.exit(module.main(words[len(known) :]))


def _is_topic(word: str) -> bool:
    return any(len(each) > 1 and each[0] == word for each in COMMANDS)


def _unknown(words: list[str]) -> str:
    """Say which commands there are, and which may have been meant."""
    start = words[:1] if words and _is_topic(words[0]) else []
    rest = words[len(start) :][:1]
    known = [" ".join(each[len(start) :]) for each in COMMANDS if list(each[: len(start)]) == start]
    heads = [name.split()[0] for name in known]
    near = difflib.get_close_matches(rest[0], heads, n=1) if rest else []
    said = (
        f"{rest[0]}: no such command" if rest else f"bioblobs {' '.join(start)}".strip() + ": which command?"
    )
    hint = f" (did you mean {near[0]}?)" if near else ""
    return f"{said}{hint} Expected {', '.join(heads)}; bioblobs --help says what each does"


if __name__ == "__main__":
    main()
