"""Sequence identity by exhaustive Smith-Waterman alignment: the bundled route (pyopal, SIMD).

Opal: Šošić, https://github.com/Martinsos/opal; pyopal: Larralde, https://github.com/althonos/pyopal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pyopal
from tqdm import tqdm

from bioblobs.similarity.hits import Hits

GAP_OPEN, GAP_EXTEND = 11, 1
LAMBDA, K = 0.267, 0.041
"""Karlin-Altschul parameters of BLOSUM62 with gap costs 11 and 1 (NCBI BLAST's table)."""


def search(queries: Sequence[str], targets: Sequence[str] | None, max_evalue: float, threads: int) -> Hits:
    """Every significant local alignment of queries with targets; None: of the queries with one another.

    Scores of all pairs first; only pairs that are significant are aligned in full. Among the queries
    themselves each pair comes once, query < target.
    """
    aligner = pyopal.Aligner("BLOSUM62", gap_open=GAP_OPEN, gap_extend=GAP_EXTEND)
    within = targets is None
    compared = queries if targets is None else targets
    database = pyopal.Database(compared, aligner.alphabet)
    lengths = [len(sequence) for sequence in compared]
    residues = sum(lengths)

    def hits_of(place: int) -> list[tuple[int, int, float, float]]:
        query = queries[place]
        start = place + 1 if within else 0
        if start >= len(lengths):
            return []
        least = significant_score(len(query), residues, max_evalue)
        scores = aligner.align(query, database, mode="score", start=start)
        found = [score.target_index for score in scores if score.score >= least]
        if not found:
            return []
        alignments = aligner.align(query, database.extract(found), mode="full")
        return [
            (
                place,
                target,
                alignment.alignment.count("M") / min(len(query), lengths[target]),
                alignment.coverage("query"),
            )
            for target, alignment in zip(found, alignments, strict=True)
        ]

    with ThreadPoolExecutor(threads) as pool:
        work = pool.map(hits_of, range(len(queries)))
        bar = tqdm(work, "align", len(queries), unit="protein", mininterval=1)
        return Hits.of(hit for hits in bar for hit in hits)


def significant_score(length: int, residues: int, max_evalue: float) -> float:
    """Least raw score of E = K m n exp(-lambda S) <= ``max_evalue`` (Karlin & Altschul 1990, eq. 1).

    m residues of the query against n of all targets.
    """
    return math.log(K * length * residues / max_evalue) / LAMBDA
