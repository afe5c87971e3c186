"""Structural similarity by the program Foldseek (van Kempen et al. 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from biotite.sequence import ProteinSequence
from numpy.typing import NDArray

from bioblobs.errors import BioBlobsError
from bioblobs.io import open_text, writing
from bioblobs.proteins.alphabet import decode, encode
from bioblobs.similarity.external import as_hits, call, read_table
from bioblobs.similarity.hits import Hits

PROGRAM = "foldseek"
COLUMNS = ("query", "target", "qtmscore", "ttmscore", "qcov")


def search(sequences: Sequence[str], ca: Sequence[NDArray[np.float32]], threads: int) -> Hits:
    """Find pairs of chains and their TM-scores in Foldseek's TM-align mode, each pair with query < target.

    ``--alignment-type 1`` aligns by TM-align; ``qtmscore`` and ``ttmscore`` are normalised by the length of
    the query and of the target: the larger of the two counts. ``-e inf`` keeps what the prefilter found.

    Raises:
        BioBlobsError: foldseek failed, or wrote another table.
    """
    with TemporaryDirectory(prefix="bioblobs-foldseek-") as name:
        folder = Path(name)
        (folder / "chains").mkdir()
        for place, (sequence, atoms) in enumerate(zip(sequences, ca, strict=True)):
            path = folder / "chains" / f"{place}.pdb"
            with writing(path), open_text(path) as file:
                file.write(ca_pdb(sequence, atoms))
        chains = str(folder / "chains")
        options = {
            "--alignment-type": "1",
            "--tmscore-threshold": "0",
            "-s": "9.5",
            "-e": "inf",
            "--max-seqs": str(len(sequences)),
            "--format-output": ",".join(COLUMNS),
            "--threads": str(threads),
            "-v": "1",
        }
        files = [chains, chains, str(folder / "hits"), str(folder / "work")]
        call([PROGRAM, "easy-search", *files, *(word for pair in options.items() for word in pair)])
        return read_hits(folder / "hits")


def read_hits(path: Path) -> Hits:
    """Read a table of :data:`COLUMNS`, chains named by their place, with or without a suffix.

    Raises:
        BioBlobsError: it has other columns or names.
    """
    table = read_table(path, COLUMNS)
    places = {
        name: table[name].astype(str).str.extract(r"^(\d+)(?:\.pdb)?(?:_\w+)?$")[0] for name in COLUMNS[:2]
    }
    if any(column.isna().any() for column in places.values()):
        raise BioBlobsError(f"{path.name}: a chain has an unknown name")
    table = table.assign(
        **places, similarity=table[["qtmscore", "ttmscore"]].max(axis=1), coverage=table["qcov"]
    )
    return as_hits(table, within=True)


def ca_pdb(sequence: str, ca: NDArray[np.float32]) -> str:
    """Write C-alphas as PDB text, numbered from 1 (and again after 9,999: the format has four digits)."""
    centred = ca - np.nanmean(ca, axis=0)  # large coordinates would not fit the format's columns
    names = [ProteinSequence.convert_letter_1to3(letter) for letter in decode(encode(sequence))]
    rows = (
        f"ATOM  {place % 99999 + 1:5d}  CA  {name} A{place % 9999 + 1:4d}    "
        f"{x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00           C  \n"
        for place, (name, (x, y, z)) in enumerate(zip(names, centred, strict=True))
        if np.isfinite(x + y + z)
    )
    return "".join([*rows, "TER\nEND\n"])
