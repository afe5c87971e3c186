"""The command ``bioblobs``, for what is not a stage of the pipeline.

Each subcommand imports what it needs only when it runs, so that none waits for the libraries of another.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from jsonargparse import Namespace
from tqdm import tqdm

from bioblobs.config.parsing import Parser
from bioblobs.errors import one_line_errors

if TYPE_CHECKING:
    from bioblobs.prediction.predicted import ChainPrediction


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


def predict(options: Namespace) -> int:
    """``bioblobs predict``: classes and blobs of structure files, into a folder."""
    import time

    from bioblobs.inference.device import choose
    from bioblobs.prediction.lines import SHOWN, about_model, chain_lines, first_chains
    from bioblobs.prediction.model import load
    from bioblobs.prediction.output_folder import PAGE, check_output
    from bioblobs.prediction.save import save
    from bioblobs.prediction.structure_files import find_files

    device = choose(options.device)  # first, so that a wrong name costs no work
    files, out = find_files(options.paths), Path(options.out)
    check_output(out, options.overwrite, files)
    model = load(options.model, device)
    print(*about_model(model.card, options.model), sep="\n")
    begun = time.perf_counter()
    seen: list[ChainPrediction] = []
    made = first_chains(model.stream(files, options.chain, options.workers), seen)
    shown = tqdm(made, "predict", len(files), unit="file", mininterval=1)
    counts = save(shown, model.about, out, options.format, options.overwrite)
    shown.close()
    seconds = time.perf_counter() - begun
    print(*chain_lines(seen), sep="\n")
    if counts.chains > SHOWN:
        print(f"and {counts.chains - SHOWN} more chains, in predictions.csv")
    for skipped in counts.skipped:
        chain = f" chain {skipped.chain}" if skipped.chain else ""
        print(f"skipped {skipped.file}{chain}: {skipped.reason}", file=sys.stderr)
    for note in counts.uncoloured:
        print(f"note: {note}", file=sys.stderr)
    if counts.outside:
        print(
            f"warning: {counts.outside} of {counts.chains} chains are outside what the model was trained on; "
            "see the column notes of predictions.csv",
            file=sys.stderr,
        )
    print(
        f"predicted {counts.chains} chains of {counts.predicted} of {counts.files} files in {seconds:.1f} s, "
        f"skipped {len(counts.skipped)} files or chains"
    )
    print(f"open {out / PAGE} in a browser; tables and structures are beside it")
    return 0


def card(options: Namespace) -> int:
    """``bioblobs card``: what a model was trained on, how well it does and where it ends."""
    from bioblobs.prediction.model import load

    print(load(options.model, "cpu").describe(), end="")
    return 0


def _predict_parser() -> Parser:
    parser = Parser(description="Predict classes and blobs of protein structures (docs/predict.md).")
    parser.add_argument("model", help="a checkpoint, such as outputs/final_multistage_model.ckpt")
    parser.add_argument("paths", nargs="+", help="PDB or mmCIF files (.gz, .bz2 too), or folders of them")
    parser.add_argument("--out", required=True, help="folder for the results, which must be new or empty")
    parser.add_argument("--overwrite", action="store_true", help="replace a folder of earlier predictions")
    parser.add_argument("--chain", type=str, default="", help="only chains of this author id")
    parser.add_argument(
        "--format", type=Literal["cif", "pdb", "both"], default="cif", help="of the coloured structures"
    )
    parser.add_argument("--workers", type=int, default=0, help="processes that read files; 0: one per core")
    parser.add_argument("--device", type=str, default="auto", help="where the model runs: auto, cpu or cuda")
    return parser


def _card_parser() -> Parser:
    parser = Parser(description="Print a model's card: data, test scores, limits, classes.")
    parser.add_argument("model", help="a checkpoint, such as outputs/final_multistage_model.ckpt")
    return parser


def _inspect_parser() -> Parser:
    parser = Parser(description="Show what would be read from structure files, chain by chain.")
    parser.add_argument("paths", nargs="+", help="PDB or mmCIF files, or folders of them")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--csv", type=str | None, help="write a table with all columns to this file, too")
    return parser


def _parser() -> Parser:
    parser = Parser(prog="bioblobs", description="Protein classification from structure.")
    topics = parser.add_subcommands(dest="command")
    topics.add_subcommand("predict", _predict_parser(), help="classes and blobs of your own structures")
    topics.add_subcommand("card", _card_parser(), help="what a model was trained on, and how well it does")
    data = Parser(description="Look at data before anything is trained.")
    topics.add_subcommand("data", data, help="look at data before anything is trained")
    names = data.add_subcommands(dest="command")  # after its parent: jsonargparse wants them level by level
    names.add_subcommand("inspect", _inspect_parser(), help="what would be read from structure files")
    return parser


COMMANDS: dict[tuple[str, ...], Callable[[Namespace], int]] = {
    ("predict",): predict,
    ("card",): card,
    ("data", "inspect"): inspect,
}
"""Words of a command -> its function."""


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
