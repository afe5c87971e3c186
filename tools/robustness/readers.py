"""What the project reads, and files of each kind to begin with."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bioblobs import read_interpretability, read_predictions
from bioblobs.checkpoints.file import load_model
from bioblobs.config.parsing import parse
from bioblobs.sources.folder_table import read_table
from bioblobs.structures.reader import read_chains

ROOT = Path(__file__).resolve().parents[2]
LARGEST = 200_000
"""Bytes of a file to begin with: damage is looked for in the reader, not in its speed."""


@dataclass(frozen=True)
class Kind:
    """One kind of input.

    Attributes:
        read: reads the file at a path; raises BioBlobsError, or ends with one line on stderr.
        files: name and content of intact files.
    """

    read: Callable[[Path], object]
    files: list[tuple[str, bytes]]


def kinds(work: Path) -> dict[str, Kind]:
    """Make every kind; ``work`` is an empty folder for files that are made first."""
    return {
        "structure": Kind(read_chains, _structures()),
        "table": Kind(_read_labels, [("labels.csv", _labels())]),
        "parameters": Kind(lambda path: parse("", ["--config", str(path)]), _parameters()),
        "checkpoint": Kind(load_model, _intact([ROOT / "models" / "scop-class.ckpt"], 2_000_000)),
        "predictions": Kind(read_predictions, _predictions(work)),
        "report": Kind(read_interpretability, _report()),
    }


def _intact(paths: list[Path], largest: int = LARGEST) -> list[tuple[str, bytes]]:
    return [(path.name, path.read_bytes()) for path in paths if path.stat().st_size <= largest]


def _structures() -> list[tuple[str, bytes]]:
    """Files of the tests and examples, as they are and unpacked."""
    paths = [*(ROOT / "tests" / "data").rglob("*"), *(ROOT / "data" / "examples").iterdir()]
    endings = (".pdb", ".cif", ".ent", ".pdb.gz", ".cif.gz")
    found = _intact([path for path in sorted(paths) if path.is_file() and path.name.endswith(endings)])
    plain = [(name.removesuffix(".gz"), gzip.decompress(b)) for name, b in found if name.endswith(".gz")]
    return [*found, *((name, content) for name, content in plain if len(content) <= LARGEST)]


def _labels() -> bytes:
    rows = [
        "file,chain,label,split",
        "one.pdb,A,kinase,train",
        "two.pdb,,other,val",
        'three.cif,B,"a, b",test',
    ]
    return ("\n".join(rows) + "\n").encode()


def _read_labels(path: Path) -> object:
    for name in ("one.pdb", "two.pdb", "three.cif"):
        (path.parent / name).touch()
    return read_table(path.parent, path.name)


def _parameters() -> list[tuple[str, bytes]]:
    return _intact([ROOT / "params.yaml", *sorted((ROOT / "params").glob("*.yaml"))])


def _predictions(work: Path) -> list[tuple[str, bytes]]:
    """Predict the example: the file is as long as one chain."""
    import bioblobs
    from bioblobs.prediction.save import save

    model = bioblobs.load(ROOT / "models" / "scop-class.ckpt", "cpu")
    example = next((ROOT / "data" / "examples").glob("*.pdb.gz"))
    save(model.stream([example], "", 1), model.about, work / "predicted", "cif", True)
    return [("predictions.json", (work / "predicted" / "predictions.json").read_bytes())]


def _report() -> list[tuple[str, bytes]]:
    """The report of the default run, where there is one, shortened to a few proteins."""
    path = ROOT / "outputs" / "interpretability" / "test_interpretability.json"
    if not path.is_file():
        return []
    content = json.loads(path.read_text())
    content["proteins"] = content["proteins"][:2]
    content["dataset"]["codes"] = content["dataset"]["codes"][:2]
    return [("test_interpretability.json", json.dumps(content).encode())]
