"""Sequence identity by the program MMseqs2 (Steinegger & Söding 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bioblobs.similarity.external import as_hits, call, read_table, write_fasta
from bioblobs.similarity.hits import Hits

PROGRAM = "mmseqs"
SENSITIVITY = "7.5"
"""Most sensitive k-mer prefilter that MMseqs2 names."""


def search(queries: Sequence[str], targets: Sequence[str] | None, max_evalue: float, threads: int) -> Hits:
    """Find the hits of :func:`bioblobs.similarity.opal.search`, less those that the k-mer prefilter misses.

    Identity is counted as there (``--seq-id-mode 1``: matches over the shorter sequence), and nothing is
    masked or corrected.

    Raises:
        BioBlobsError: mmseqs failed.
    """
    with TemporaryDirectory(prefix="bioblobs-mmseqs-") as name:
        folder = Path(name)
        write_fasta(folder / "queries.fasta", queries)
        of_targets = folder / ("queries.fasta" if targets is None else "targets.fasta")
        if targets is not None:
            write_fasta(of_targets, targets)
        listed = len(queries if targets is None else targets)
        files = [
            str(path) for path in (folder / "queries.fasta", of_targets, folder / "hits", folder / "work")
        ]
        options = {
            "-s": SENSITIVITY,
            "-e": f"{max_evalue:g}",
            "--alignment-mode": "3",
            "--seq-id-mode": "1",
            "--comp-bias-corr": "0",
            "--mask": "0",
            "--max-seqs": str(listed),
            "--format-output": "query,target,fident,qcov",
            "--threads": str(threads),
            "-v": "1",
        }
        call([PROGRAM, "easy-search", *files, *(word for pair in options.items() for word in pair)])
        table = read_table(folder / "hits", ["query", "target", "similarity", "coverage"])
    return as_hits(table, targets is None)
