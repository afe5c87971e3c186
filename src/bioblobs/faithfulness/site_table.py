"""Annotated residues (active or binding sites): their table, and where they lie in a store.

P chains, N residues of them, M rows of the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bioblobs.errors import BioBlobsError
from bioblobs.faithfulness.chains import Chains
from bioblobs.proteins.alphabet import SYMBOLS
from bioblobs.store.packed import Store

CURATED = "M-CSA"
"""``source`` of residues that are annotated themselves, not carried over from a homologue."""
PROBLEMS = {
    "missing_chains": "of no prepared chain",
    "missing_residues": "not in their chain",
    "other_residue_type": "of another residue type",
}
NAMED = 3
"""Problems of a kind that are named; the others are counted."""


@dataclass
class Sites:
    """The annotated residues that a store has.

    Attributes:
        rows: (R,) residues of the store, ascending, each once.
        curated: (R,) True where ``source`` is M-CSA; None where the table has no such column.
        problems: by the kinds of :data:`PROBLEMS`, names of the chains and residues that were left out.
    """

    rows: NDArray[np.int64]
    curated: NDArray[np.bool_] | None
    problems: dict[str, list[str]]

    def of(self, chains: Chains) -> NDArray[np.bool_]:
        """(N,) True on annotated residues of these chains."""
        return np.isin(chains.residue, self.rows)

    def counts(self) -> dict[str, int]:
        """Number of chains and residues that were left out, by kind."""
        return {kind: len(names) for kind, names in self.problems.items()}

    def warnings(self) -> list[str]:
        """A line per kind of problem, with the first few named."""
        lines = []
        for kind, names in self.problems.items():
            if names:
                more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
                lines.append(f"sites {PROBLEMS[kind]}: {', '.join(names[:NAMED])}{more}")
        return lines


def read_sites(path: Path) -> pd.DataFrame:
    """The table of annotated residues: columns id, residue (57, 52A or A/52A), aa ("": not said) and source.

    Two forms are read: ``id,residue``, and ``id,number`` with ``icode`` where there are insertion codes; both
    may have ``aa`` (one letter) and ``source``. The last is missing from the result where the file has none.

    Raises:
        BioBlobsError: the file is missing, unreadable, has other columns, or a line lacks a value.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise BioBlobsError(f"interpretability.sites: {path} cannot be read ({error})") from error
    if "residue" not in table and "number" in table:
        table["residue"] = table["number"] + table.get("icode", "")
        lacking = table["number"] == ""
    else:
        lacking = table.get("residue", pd.Series(dtype=str)) == ""
    if missing := [name for name in ("id", "residue") if name not in table]:
        raise BioBlobsError(
            f"{path}: no column {missing[0]}; expected id,residue or id,number,icode (and aa, source)"
        )
    if (empty := table.index[(table["id"] == "") | lacking]).size:
        raise BioBlobsError(f"{path}: line {empty[0] + 2}: id or residue is empty")
    table["aa"] = table["aa"].str.upper() if "aa" in table else ""
    if (wrong := table.index[~table["aa"].isin(["", *SYMBOLS])]).size:
        bad = table["aa"][wrong[0]]
        raise BioBlobsError(f"{path}: line {wrong[0] + 2}: aa: expected a one-letter residue code; got {bad}")
    names = ["id", "residue", "aa", *(["source"] if "source" in table else [])]
    return table[names].drop_duplicates(["id", "residue", "aa"])


def find_sites(store: Store, table: pd.DataFrame) -> Sites:
    """Look the residues of a table (see :func:`read_sites`) up in a store.

    A residue that several chains of a protein have under its number is all of them, unless the table names
    the chain. Rows that name a missing chain, a missing residue or another residue type are left out.
    """
    table = table.reset_index(drop=True)
    proteins = store.table()["id"]
    known = table["id"].isin(proteins)
    chains = Chains(store, np.flatnonzero(proteins.isin(table["id"])))
    there = _residues(chains, proteins)
    pairs = pd.concat(  # of rows of the table and residues; a row without a residue has none
        [
            table.reset_index(names="site").merge(
                there.rename(columns={form: "residue"}), on=["id", "residue"]
            )
            for form in ("short", "long")
        ]
    )
    fits = (pairs["aa"] == "") | (pairs["aa"] == pairs["type"])
    numbered, found = (np.isin(table.index, part["site"]) for part in (pairs, pairs[fits]))
    names = table["id"] + " " + table["residue"]
    problems = {
        "missing_chains": table["id"][~known].unique().tolist(),
        "missing_residues": names[known & ~numbered].tolist(),
        "other_residue_type": (names + " " + table["aa"])[numbered & ~found].tolist(),
    }
    right = pairs[fits]
    rows = np.unique(right["row"].to_numpy(np.int64))
    curated = None
    if "source" in table:
        curated = np.isin(rows, right["row"][right["source"] == CURATED].to_numpy(np.int64))
    return Sites(rows, curated, problems)


def _residues(chains: Chains, proteins: pd.Series) -> pd.DataFrame:
    """One row per residue: id of its protein, author names without and with chain, type, row in the store."""
    store, at = chains.store, chains.residue
    number = pd.Series(np.asarray(store.residue_numbers[at]).astype(str))
    short = number + pd.Series(np.asarray(store.insertion_codes[at]).astype(str))
    return pd.DataFrame(
        {
            "id": proteins.to_numpy()[chains.rows][chains.protein],
            "short": short,
            "long": pd.Series(np.asarray(store.chain_ids[at]).astype(str)) + "/" + short,
            "type": np.array(list(SYMBOLS))[np.asarray(store.residue_types[at])],
            "row": at,
        }
    )
