"""``bioblobs predict``: classes and blobs of structure files, into a folder or as JSON on standard output."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from jsonargparse import Namespace
from tqdm import tqdm

from bioblobs.config.parsing import Parser
from bioblobs.errors import BioBlobsError, printable

if TYPE_CHECKING:
    from bioblobs.prediction.model import Model
    from bioblobs.prediction.predicted import ChainPrediction, StructurePrediction
    from bioblobs.prediction.save import Counts


def main(args: Sequence[str]) -> int:
    """Predict; return 0 if any chain was predicted."""
    options = parser().parse_args(args)
    if not options.json and options.out is None:
        raise BioBlobsError("--out: name a folder for the results, or ask for --json")
    if options.parquet and options.out is None:
        raise BioBlobsError("--parquet: the tables need a folder; add --out")
    from bioblobs.inference.device import choose
    from bioblobs.prediction.model import load
    from bioblobs.prediction.output_folder import output_folder
    from bioblobs.prediction.parquet import check_parquet
    from bioblobs.prediction.structure_files import check_workers, find_files

    _check_model(Path(options.model))
    check_workers(options.workers)
    device = choose(options.device)  # first, so that a wrong name costs no work
    files = find_files(options.paths)
    if options.parquet:
        check_parquet()
    with ExitStack() as stack:
        scratch = None
        if options.out is not None:  # taken before any work, so that none is done twice or in vain
            scratch = stack.enter_context(output_folder(Path(options.out), options.overwrite, files))
        model = load(options.model, device, options.calibrated)
        made = _as_json if options.json else _for_people
        tell = made(model, files, options, scratch)
    tell()  # what can be read of the folder now
    return 0


def _check_model(path: Path) -> None:
    """Refuse structures in the place of the model, of which a reader of checkpoints says nothing useful."""
    from bioblobs.structures.files import suffix_of

    if suffix_of(path) or path.is_dir():
        kind = "a folder" if path.is_dir() else "a structure file"
        raise BioBlobsError(
            f"{path}: {kind}, not a model; the model comes first: bioblobs predict MODEL FILES --out FOLDER"
        )


def _as_json(model: Model, files: list[Path], options: Namespace, scratch: Path | None) -> Callable[[], None]:
    """Predict; return what prints predictions.json, and nothing else, to standard output."""
    from bioblobs.prediction.output_folder import PREDICTIONS
    from bioblobs.prediction.save import write_folder, write_json

    with _shown(model.stream(files, options.chain, options.workers), files) as structures:
        if scratch is None:
            counts = write_json(structures, model.about, sys.stdout)
        else:
            counts = write_folder(structures, model.about, scratch, options.format, options.parquet)

    def tell() -> None:
        if options.out is not None:
            sys.stdout.write((Path(options.out) / PREDICTIONS).read_text(encoding="utf-8"))
        _warn(counts, "the notes of each chain")

    return tell


def _for_people(
    model: Model, files: list[Path], options: Namespace, scratch: Path | None
) -> Callable[[], None]:
    """Print which model, and predict; return what prints one line per chain and where to look."""
    from bioblobs.prediction.lines import SHOWN, about_model, chain_lines, first_chains
    from bioblobs.prediction.output_folder import PAGE
    from bioblobs.prediction.save import write_folder

    assert scratch is not None
    print(printable("\n".join(about_model(model.card, options.model, model.temperature))))
    begun, out = time.perf_counter(), Path(options.out)
    seen: list[ChainPrediction] = []
    made = first_chains(model.stream(files, options.chain, options.workers), seen)
    with _shown(made, files) as structures:
        counts = write_folder(structures, model.about, scratch, options.format, options.parquet)
    seconds = time.perf_counter() - begun

    def tell() -> None:
        print(*map(printable, chain_lines(seen)), sep="\n")
        if counts.chains > SHOWN:
            print(f"and {counts.chains - SHOWN} more chains, in predictions.csv")
        _warn(counts, "the column notes of predictions.csv")
        print(
            f"chains predicted: {counts.chains}, from {counts.predicted} of {counts.files} files, "
            f"in {seconds:.1f} s; files or chains skipped: {len(counts.skipped)}"
        )
        print(f"open {out / PAGE} in a browser; tables and structures are beside it")

    return tell


def _shown(structures: Iterator[StructurePrediction], files: list[Path]) -> tqdm[StructurePrediction]:
    """Show progress, on standard error."""
    return tqdm(structures, "predict", len(files), unit="file", mininterval=1)


def _warn(counts: Counts, notes: str) -> None:
    """Say on standard error what was skipped, and what to know of the rest."""
    for skipped in counts.skipped:
        chain = f" chain {skipped.chain}" if skipped.chain else ""
        print(printable(f"skipped {skipped.file}{chain}: {skipped.reason}"), file=sys.stderr)
    for note in counts.uncoloured:
        print(printable(f"note: {note}"), file=sys.stderr)
    if counts.outside:
        print(
            f"warning: {counts.outside} of {counts.chains} chains are outside what the model was trained on; "
            f"see {notes}",
            file=sys.stderr,
        )


def parser() -> Parser:
    """Make the parser of the command's arguments."""
    made = Parser(
        prog="bioblobs predict",
        description="Predict classes and blobs of protein structures (docs/predict.md).",
    )
    made.add_argument("model", help="a checkpoint, such as outputs/final_multistage_model.ckpt")
    made.add_argument("paths", nargs="+", help="PDB or mmCIF files (.gz, .bz2 too), or folders of them")
    made.add_argument("--out", type=str | None, help="folder for the results, which must be new or empty")
    made.add_argument("--overwrite", action="store_true", help="replace a folder of earlier predictions")
    made.add_argument(
        "--json", action="store_true", help="print predictions.json; then --out may be left out"
    )
    made.add_argument("--parquet", action="store_true", help="write the tables as Parquet files, too")
    made.add_argument(
        "--chain",
        action="append",
        type=str,
        default=[],
        help="only chains of this author id; may be given several times",
    )
    made.add_argument(
        "--calibrated",
        action="store_true",
        help="divide logits, base and contributions by the temperature fitted on validation chains",
    )
    made.add_argument(
        "--format", type=Literal["cif", "pdb", "both"], default="cif", help="of the coloured structures"
    )
    made.add_argument("--workers", type=int, default=0, help="processes that read files; 0: one per core")
    made.add_argument("--device", type=str, default="auto", help="where the model runs: auto, cpu or cuda")
    return made
