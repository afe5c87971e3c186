"""The command ``bioblobs``, for what is not a stage of the pipeline.

Each subcommand imports what it needs only when it runs, so that none waits for the libraries of another.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from jsonargparse import Namespace
from tqdm import tqdm

from bioblobs.errors import one_line_errors
from bioblobs.parameters.parsing import Parser


def inspect(options: Namespace) -> int:
    """``bioblobs data inspect``: what would be read from structure files, chain by chain."""
    from bioblobs.structures.inspection import NAMES, as_cells, as_rows, as_text, files_of, inspect_file

    files = files_of(options.paths)
    shown = tqdm(files, "inspect", unit="file", disable=None if len(files) > 20 else True)
    findings = [finding for path in shown for finding in inspect_file(path)]
    if options.csv:
        with Path(options.csv).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, NAMES)
            writer.writeheader()
            writer.writerows(as_cells(findings))
    readable = sum(not finding.reason for finding in findings)
    if options.json:
        print(json.dumps(as_rows(findings), indent=1))
    else:
        print(as_text(findings))
        skipped = len(findings) - readable
        print(f"{len(files)} files: {readable} chains would be read, {skipped} chains or files skipped")
    return 0 if readable else 1


def _inspect_parser() -> Parser:
    parser = Parser(description="Show what would be read from structure files, chain by chain.")
    parser.add_argument("paths", nargs="+", help="PDB or mmCIF files, or folders of them")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--csv", type=str | None, help="write a table with all columns to this file, too")
    return parser


def _parser() -> Parser:
    parser = Parser(prog="bioblobs", description="Protein classification from structure.")
    topics = parser.add_subcommands(dest="command")
    data = Parser(description="Look at data before anything is trained.")
    topics.add_subcommand("data", data, help="look at data before anything is trained")
    names = data.add_subcommands(dest="command")  # after its parent: jsonargparse wants them level by level
    names.add_subcommand("inspect", _inspect_parser(), help="what would be read from structure files")
    return parser


COMMANDS: dict[tuple[str, ...], Callable[[Namespace], int]] = {("data", "inspect"): inspect}
"""What runs for the words of a command."""


def main(args: Sequence[str] | None = None) -> None:
    """Command line; exits with the status of the subcommand."""
    values = _parser().parse_args(args)
    words: tuple[str, ...] = ()
    while "command" in values:
        words += (values.command,)
        values = values[values.command]
    with one_line_errors():
        sys.exit(COMMANDS[words](values))


if __name__ == "__main__":
    main()
