"""``bioblobs data inspect``: what is read of structure files; of a folder with a table, what is used."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

from jsonargparse import Namespace
from tqdm import tqdm

from bioblobs.config.flags import DEFAULT_CONFIG, as_flags
from bioblobs.config.parsing import Parser, parse
from bioblobs.errors import BioBlobsError, printable
from bioblobs.io import open_text, writing
from bioblobs.structures.inspection import NAMES, Finding, as_cells, as_rows, as_text, files_of, inspect_file

TABLES = ("labels.csv", "labels.tsv")
"""Names of tables that are looked for; :data:`bioblobs.sources.folder_table.NAMES`, which needs pandas."""


def main(args: Sequence[str]) -> int:
    """Inspect; return 0 if anything could be read, or trained on."""
    options = parser().parse_args(args)
    keys = [word for word in options.paths if word.startswith("data.") and "=" in word]
    paths = [word for word in options.paths if word not in keys]
    if not paths:
        raise BioBlobsError("name structure files, or a folder of them")
    if _has_table(paths, options):
        return _inspect_table(paths[0], options.table, keys)
    if keys or options.table:
        raise BioBlobsError(
            f"{(keys or ['--table'])[0]}: only for one folder with a table, without --json and --csv"
        )
    return _inspect_files(paths, options)


def _has_table(paths: list[str], options: Namespace) -> bool:
    if len(paths) != 1 or options.json or options.csv or not Path(paths[0]).is_dir():
        return False
    return bool(options.table) or any((Path(paths[0]) / name).is_file() for name in TABLES)


def _inspect_table(folder: str, table: str | None, keys: list[str]) -> int:
    """Print what of the folder and its table would be trained on."""
    from bioblobs.sources.folder_report import folder_report, of_folder

    words = as_flags(keys)
    if not Path(DEFAULT_CONFIG).is_file():
        words = [word for word in words if word != f"--config={DEFAULT_CONFIG}"]
    config, _ = parse("", words)
    report = folder_report(of_folder(config.data, folder, table))
    print(printable("\n".join(report.lines())))
    return 1 if report.problem else 0


def _inspect_files(paths: list[str], options: Namespace) -> int:
    """Print what is read of each file, chain by chain."""
    files = files_of(paths)
    shown = tqdm(files, "inspect", unit="file", disable=None if len(files) > 20 else True)
    findings = [finding for path in shown for finding in inspect_file(path)]
    if options.csv:
        _write_table(Path(options.csv), findings)
    readable = sum(not finding.reason for finding in findings)
    if options.json:
        print(json.dumps(as_rows(findings), indent=1))
    else:
        print(printable(as_text(findings)))
        skipped = len(findings) - readable
        print(f"{len(files)} files: {readable} chains would be read, {skipped} chains or files skipped")
    return 0 if readable else 1


def _write_table(path: Path, findings: list[Finding]) -> None:
    with writing(path), open_text(path) as file:
        writer = csv.DictWriter(file, NAMES)
        writer.writeheader()
        writer.writerows(as_cells(findings))


def parser() -> Parser:
    """Make the parser of the command's arguments."""
    made = Parser(
        prog="bioblobs data inspect",
        description="Show what would be read of structure files, chain by chain; of one folder with a table "
        "of labels (labels.csv), what would be trained on and the next command.",
    )
    made.add_argument(
        "paths", nargs="+", help="PDB or mmCIF files, or folders of them; data.KEY=VALUE for one with a table"
    )
    made.add_argument("--table", type=str | None, help="table of the folder, if not labels.csv or labels.tsv")
    made.add_argument("--json", action="store_true", help="print what is read of each file, as JSON")
    made.add_argument("--csv", type=str | None, help="write what is read of each file to a table, too")
    return made
