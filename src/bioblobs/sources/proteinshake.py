"""Source of ProteinShake's four data sets (Kucera et al., NeurIPS 2023), from its published files.

Labels and splits come from the residue-level file, backbone atoms from the atom-level one. The labels are
those of ProteinShake's own tasks (docs/data.md names the differences); its task classes are not used to
read them, because they hold a whole file as Python objects.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from bioblobs.config.schema import DataConfig
from bioblobs.errors import BioBlobsError
from bioblobs.proteins.record import Protein, ProteinError
from bioblobs.sources.shake_atoms import protein_from_atoms
from bioblobs.sources.shake_avro import Block, blocks, decode, records
from bioblobs.sources.shake_files import shake_file, shake_root
from bioblobs.sources.source import check_split_column
from bioblobs.sources.tasks import EC_NAMES, SCOP_LEVELS, ec_labels, split_column
from bioblobs.splits import SPLITS


class Asked(NamedTuple):
    """Block of the atom file, and the wanted proteins in it.

    Attributes:
        block: undecoded, since decoding takes most of the time.
        ids: of all its proteins, as the residue file has them.
        chosen: places in the block of the wanted ones.
    """

    block: Block
    ids: list[str]
    chosen: list[int]


class ProteinShakeSource:
    """Read ``<data_dir>/raw/<dataset_name>/<Dataset>.{residue,atom}.avro``."""

    def __init__(self, data: DataConfig) -> None:
        self.data, self.split_name = data, split_column(data)
        root = shake_root(data.data_dir, data.dataset_name)
        self.residue_file, self.atom_file = (
            shake_file(root, data.dataset_name, r) for r in ("residue", "atom")
        )
        for path in (self.residue_file, self.atom_file):
            if not path.is_file():
                raise BioBlobsError(f"{path}: not there; python -m bioblobs.stages download fetches it")
        first = next(records(self.residue_file), None)
        if first is None:
            raise BioBlobsError(f"{self.residue_file}: no protein in the file")
        self._check_fields(first["protein"])

    def table(self) -> pd.DataFrame:
        """Implement :class:`~bioblobs.sources.source.Source`."""
        rows = [self._row(record["protein"]) for record in records(self.residue_file)]
        table = pd.DataFrame(rows, columns=["id", "length", "labels", "split"])
        self.ids: list[str] = table["id"].tolist()
        return table

    def items(self, rows: Sequence[int]) -> Iterator[Asked]:
        """Implement :class:`~bioblobs.sources.source.Source`; check that every block of the file is there."""
        wanted, end = set(rows), 0
        for block in blocks(self.atom_file):
            end = block.row + block.size
            if end > len(self.ids):
                raise _strangers(self.atom_file)
            if chosen := [place for place in range(block.size) if block.row + place in wanted]:
                yield Asked(block, self.ids[block.row : end], chosen)
        if end != len(self.ids):
            raise _strangers(self.atom_file)

    @staticmethod
    def read(item: Asked) -> list[Protein | ProteinError]:
        """Implement :class:`~bioblobs.sources.source.Source`."""
        records = decode(item.block)
        if [record["protein"]["ID"] for record in records] != item.ids:
            raise _strangers(item.block.path)
        return [_protein(records[place]) for place in item.chosen]

    def class_names(self) -> dict[str, str]:
        """Implement :class:`~bioblobs.sources.source.Source`."""
        return EC_NAMES if self.data.dataset_name == "enzymecommission" else {}

    def left_out(self) -> dict[str, int]:
        """Implement :class:`~bioblobs.sources.source.Source`."""
        return {}

    def _row(self, protein: dict[str, Any]) -> tuple[str, int, tuple[str, ...], str]:
        split = protein[self.split_name]
        known = split if split in SPLITS else "none"
        return protein["ID"], len(protein["sequence"]), labels_of(protein, self.data), known

    def _check_fields(self, protein: dict[str, Any]) -> None:
        """Refuse missing columns; without a split ProteinShake would make an unseeded random one."""
        check_split_column(self.split_name, list(protein), self.data)
        field = label_field(self.data)
        if missing := {field, "ID", "sequence"} - set(protein):
            raise BioBlobsError(
                f"{self.residue_file}: has no {min(missing)}; not a file of data.dataset_name="
                f"{self.data.dataset_name}"
            )


def _strangers(path: Path) -> BioBlobsError:
    """Make the error for two files, of labels and of coordinates, that list different proteins."""
    other = path.with_name(path.name.replace(".atom.", ".residue."))
    return BioBlobsError(f"{path}: not the proteins of {other}; fetch both again")


def label_field(data: DataConfig) -> str:
    """Name the field of a protein that holds its labels."""
    if data.dataset_name == "scop":
        return f"SCOP-{SCOP_LEVELS[data.scop_level].upper()}"
    fields = {"enzymecommission": "EC", "geneontology": "molecular_function", "proteinfamily": "Pfam"}
    return fields[data.dataset_name]


def labels_of(protein: dict[str, Any], data: DataConfig) -> tuple[str, ...]:
    """Labels of a protein in ProteinShake's task; several for geneontology only."""
    value = protein[label_field(data)]
    if data.dataset_name == "enzymecommission":
        return ec_labels([value], data.ec_level)
    if data.dataset_name == "geneontology":
        return tuple(sorted(set(value)))
    if data.dataset_name == "proteinfamily":
        return tuple(value[:1])
    return (value,)


def _protein(record: dict[str, Any]) -> Protein | ProteinError:
    try:
        return protein_from_atoms(record["protein"]["ID"], record["atom"])
    except ProteinError as error:
        return error
