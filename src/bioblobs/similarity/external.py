"""External programs: whether they are installed, running them, their input and output tables."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bioblobs.errors import BioBlobsError
from bioblobs.io import open_text, writing
from bioblobs.similarity.hits import Hits


def installed(program: str) -> bool:
    """Tell whether a program is on PATH."""
    return shutil.which(program) is not None


def call(command: Sequence[str]) -> None:
    """Run a program, its output hidden.

    Raises:
        BioBlobsError: it failed; with the last line that it wrote.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise BioBlobsError(f"{command[0]} {command[1]} ended with status {done.returncode}: {said}")


def write_fasta(path: Path, sequences: Sequence[str]) -> None:
    """Write sequences, each named by its place."""
    with writing(path), open_text(path) as file:
        file.writelines(f">{place}\n{sequence}\n" for place, sequence in enumerate(sequences))


def read_table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Read a BLAST-like table: tab-separated columns without a header.

    Raises:
        BioBlobsError: there is no file, or it has other columns.
    """
    try:
        if not path.stat().st_size:
            return pd.DataFrame(columns=list(columns), dtype=float)
        table = pd.read_csv(path, sep="\t", header=None)
        if len(table.columns) != len(columns):
            raise ValueError(f"{len(table.columns)} columns")
        return table.set_axis(list(columns), axis=1)
    except (OSError, ValueError) as error:
        raise BioBlobsError(f"{path.name}: expected the columns {', '.join(columns)} ({error})") from error


def as_hits(table: pd.DataFrame, within: bool) -> Hits:
    """Convert columns query, target, similarity and coverage to hits.

    Args:
        within: queries and targets are one set. A chain is then no hit of itself, and query < target (a pair
            may come twice: a search lists it in both directions, or misses one).
    """
    query, target = table["query"].to_numpy(int), table["target"].to_numpy(int)
    similarity, coverage = table["similarity"].to_numpy(float), table["coverage"].to_numpy(float)
    hits = Hits(query, target, similarity, coverage)
    if not within:
        return hits
    keep = query != target
    low, high = np.minimum(query, target)[keep], np.maximum(query, target)[keep]
    return Hits(low, high, similarity[keep], coverage[keep])
