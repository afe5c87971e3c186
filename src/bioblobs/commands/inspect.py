"""``bioblobs data inspect``: what is read of structure files; of a folder with a table, what is used, too."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from jsonargparse import Namespace
from tqdm import tqdm

from bioblobs.config.file_words import no_such_key
from bioblobs.config.flags import DEFAULT_CONFIG, as_flags
from bioblobs.config.parsing import Parser, parse
from bioblobs.config.schema import DataConfig, leaf_keys
from bioblobs.errors import BioBlobsError, printable
from bioblobs.io import open_text, writing
from bioblobs.structures.files import find_structures, suffix_of
from bioblobs.structures.inspection import NAMES, Finding, as_cells, as_rows, as_text, files_of, inspect_file

TABLES = ("labels.csv", "labels.tsv")
"""Names of tables that are looked for; :data:`bioblobs.sources.folder_table.NAMES`, which needs pandas."""


def main(args: Sequence[str]) -> int:
    """Inspect; return 0 if anything could be read, or trained on."""
    options = parser().parse_args(args)
    keys = [word for word in options.paths if _is_key(word)]
    paths = [word for word in options.paths if word not in keys]
    if not paths:
        raise BioBlobsError("name structure files, or a folder of them")
    tables = [path / name for path in map(Path, paths) for name in TABLES if (path / name).is_file()]
    with_table = bool(tables or options.table or any(key.startswith("data.table=") for key in keys))
    if with_table and not options.json and len(paths) == 1 and Path(paths[0]).is_dir():
        data = _data_of(paths[0], options.table, keys)  # first, so that a wrong word costs no work
        if options.csv or find_structures(Path(paths[0])):
            _inspect_files(paths, options)
            print()
        return _inspect_table(data)
    if keys or options.table:
        raise BioBlobsError(f"{(keys or ['--table'])[0]}: only for one folder with a table, without --json")
    for table in tables:
        note = f"note: {table}: not looked at; name its folder alone, without --json"
        print(printable(note), file=sys.stderr)
    return _inspect_files(paths, options)


def _is_key(word: str) -> bool:
    """Tell ``data.KEY=VALUE`` from the name of a file.

    Raises:
        BioBlobsError: it is another key, or looks like one and is no file either.
    """
    key, equals, _ = word.partition("=")
    known = leaf_keys()
    if not equals or (key not in known and (Path(word).exists() or suffix_of(Path(word)))):
        return False
    if key not in known:
        raise BioBlobsError(f"{word}: no such file; {no_such_key(key, known)}")
    if not key.startswith("data."):
        raise BioBlobsError(f"{word}: has no effect here; data inspect takes data.KEY=VALUE only")
    return True


def _data_of(folder: str, table: str | None, keys: list[str]) -> DataConfig:
    """Make the data keys for a folder and its table.

    Raises:
        BioBlobsError: there is no such table, or a key contradicts the folder or the table that is named.
    """
    from bioblobs.sources.folder_report import of_folder
    from bioblobs.sources.folder_table import find_table

    for word in keys:
        key, _, value = word.partition("=")
        if key == "data.source" and value != "folder":
            raise BioBlobsError(f"{word}: {folder} is inspected as data.source=folder; leave the key out")
        if key == "data.folder" and Path(value).resolve() != Path(folder).resolve():
            raise BioBlobsError(f"{word}: the folder named is {folder}; leave one of the two out")
        if key == "data.table" and table and value != table:
            raise BioBlobsError(f"{word}: the table named is --table {table}; leave one of the two out")
    words = as_flags(keys)
    if not Path(DEFAULT_CONFIG).is_file():
        words = [word for word in words if word != f"--config={DEFAULT_CONFIG}"]
    config, _ = parse("", words)
    data = of_folder(config.data, folder, table)
    find_table(Path(folder), data.table)
    return data


def _inspect_table(data: DataConfig) -> int:
    """Print what of the folder and its table would be trained on."""
    from bioblobs.sources.folder_report import folder_report

    report = folder_report(data)
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
        "of labels (labels.csv), also what would be trained on and the next command.",
    )
    made.add_argument(
        "paths", nargs="+", help="PDB or mmCIF files, or folders of them; data.KEY=VALUE for one with a table"
    )
    made.add_argument("--table", type=str | None, help="table of the folder, if not labels.csv or labels.tsv")
    made.add_argument(
        "--json", action="store_true", help="print what is read of each file, as JSON, and nothing of a table"
    )
    made.add_argument("--csv", type=str | None, help="write what is read of each file to a table, too")
    return made
