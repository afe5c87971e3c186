"""Sequence identity between chains: its definition, and the choice of the tool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from joblib import cpu_count

from bioblobs.errors import BioBlobsError
from bioblobs.proteins.alphabet import decode, encode
from bioblobs.similarity import mmseqs
from bioblobs.similarity.external import installed
from bioblobs.similarity.hits import Hits

SequenceTool = Literal["mmseqs", "opal"]
MAX_EVALUE = 1e-3
"""Largest E-value of a hit: by chance, a short chain finds a third of its residues in almost any long one."""
IDENTITY = (
    "identical residues of the best local alignment (BLOSUM62, gaps 11/1, E <= 0.001) "
    "over the length of the shorter chain"
)


def identity_hits(
    queries: Sequence[str], targets: Sequence[str] | None = None, tool: SequenceTool = "opal"
) -> Hits:
    """Find chains that are similar in sequence: :data:`IDENTITY`, the divisor of CD-HIT's global identity.

    Two chains at identity t share an alignment of at least t of the shorter one, so there is no further
    condition on coverage.

    Args:
        queries: one-letter sequences; letters other than the 20 residues count as X.
        targets: sequences to compare with; None: the queries with one another, each pair with query < target.
        tool: mmseqs: MMseqs2, fast on tens of thousands of chains; opal: exhaustive, nothing is missed.

    Raises:
        BioBlobsError: the tool is missing or failed, or a sequence is empty.
    """
    queries, targets = _plain(queries), None if targets is None else _plain(targets)
    threads = cpu_count()
    if tool == "mmseqs":
        return mmseqs.search(queries, targets, MAX_EVALUE, threads)
    try:
        from bioblobs.similarity import opal
    except ImportError as error:
        raise BioBlobsError(
            f"no tool compares sequences here ({error}): pip install pyopal, or install MMseqs2"
        ) from error
    return opal.search(queries, targets, MAX_EVALUE, threads)


def sequence_tool() -> SequenceTool:
    """Choose MMseqs2 where it is on PATH, and pyopal otherwise."""
    return "mmseqs" if installed(mmseqs.PROGRAM) else "opal"


def _plain(sequences: Sequence[str]) -> list[str]:
    for place, sequence in enumerate(sequences):
        if not sequence:
            raise BioBlobsError(f"the sequence of chain {place} is empty")
    return [decode(encode(sequence)) for sequence in sequences]
