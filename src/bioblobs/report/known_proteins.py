"""What databases say of the sample's chains: accessions, names, families, resolution, and links."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

KEY = "id"
COLUMNS = ("name", "organism", "pdb_id", "uniprot", "pfam", "ec", "cath", "scop_sf", "scop_fa", "resolution")
"""Read where the table has them."""
NAMED = {"pfam": "pfam", "scop_sf": "scop2_sf", "scop_fa": "scop2_fa"}
"""Column -> kind of its names in label_names.tsv."""
ROWS = {
    "organism": "Organism",
    "scop_fa": "Family (SCOP)",
    "scop_sf": "Superfamily (SCOP)",
    "uniprot": "UniProt",
    "pfam": "Pfam",
    "ec": "EC",
    "cath": "CATH",
}
"""Column -> title on the page."""
_PDB, _UNIPROT = re.compile(r"[0-9][A-Za-z0-9]{3}"), re.compile(r"[A-Z0-9]{6,10}")

Known = dict[str, Any]
"""``name``, ``facts`` (title, text), ``links`` (title, address) and ``words`` that a search finds."""


def known_of_sample(folder: Path, ids: Collection[str]) -> dict[str, Known]:
    """Read chains.parquet and label_names.tsv; a chain that the table lacks is left out.

    Args:
        folder: of the two files; empty result where it has no table.
        ids: chains wanted.
    """
    table, names = folder / "chains.parquet", folder / "label_names.tsv"
    if not table.is_file():
        return {}
    file = pq.ParquetFile(table)
    columns = [name for name in COLUMNS if name in file.schema_arrow.names]
    frame = file.read(columns=[KEY, *columns]).to_pandas()
    found = _names(names)
    wanted = frame[frame[KEY].isin(list(ids))].to_dict("records")
    return {str(row[KEY]): known(row, found) for row in wanted}


def known(row: Mapping[Any, Any], names: Mapping[str, Mapping[str, str]]) -> Known:
    """One chain of the table, whatever of :data:`COLUMNS` it has.

    Args:
        names: kind of label_names.tsv -> identifier -> name.
    """
    values = {column: _values(row.get(column)) for column in COLUMNS}
    called = {
        column: [names.get(NAMED.get(column, ""), {}).get(value, "") for value in values[column]]
        for column in COLUMNS
    }
    facts = [
        [title, "; ".join(_text(column, *pair) for pair in zip(values[column], called[column], strict=True))]
        for column, title in ROWS.items()
        if values[column]
    ]
    if values["resolution"]:
        facts.append(["Resolution", f"{float(values['resolution'][0]):.2f} Å"])
    titles = [*values["name"], *called["scop_fa"], *called["scop_sf"], *called["pfam"]]
    searched = [column for column in COLUMNS if column != "resolution"]
    words = [word for column in searched for word in (*values[column], *called[column]) if word]
    return {
        "name": next(filter(None, titles), ""),
        "facts": facts,
        "links": links(values["pdb_id"], values["uniprot"]),
        "words": " ".join(words),
    }


def _names(path: Path) -> dict[str, dict[str, str]]:
    """Kind -> identifier -> name, of label_names.tsv; empty without it."""
    if not path.is_file():
        return {}
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    return {
        str(kind): dict(zip(part["id"], part["name"], strict=True)) for kind, part in table.groupby("kind")
    }


def links(pdb: list[str], uniprot: list[str]) -> list[list[str]]:
    """Pages of the databases: of the PDB entry, and of the first UniProt accession."""
    found = []
    if pdb and _PDB.fullmatch(pdb[0]):
        found.append(["RCSB PDB", f"https://www.rcsb.org/structure/{pdb[0].upper()}"])
    if uniprot and _UNIPROT.fullmatch(uniprot[0]):
        accession = uniprot[0]
        found += [
            ["PDBe-KB", f"https://www.ebi.ac.uk/pdbe/pdbe-kb/proteins/{accession}"],
            ["UniProt", f"https://www.uniprot.org/uniprotkb/{accession}"],
            ["AlphaFold DB", f"https://alphafold.ebi.ac.uk/entry/{accession}"],
        ]
    return found


def _text(column: str, value: str, name: str) -> str:
    if column.startswith("scop"):
        return name or value
    return f"{value} ({name})" if name else value


def _values(cell: Any) -> list[str]:
    """The entries of a cell, which is a list, one value or empty."""
    if cell is None or (isinstance(cell, float | np.floating) and np.isnan(cell)):
        return []
    if isinstance(cell, list | tuple | np.ndarray):
        return [str(each) for each in cell if str(each)]
    return [str(cell)] if str(cell) else []
