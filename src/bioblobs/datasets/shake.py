"""ProteinShake's four data sets, through its own tasks (Kucera et al., NeurIPS 2023).

Labels and splits come from the residue-level file, backbone atoms from the atom-level one. A root that
already holds both is used as it is; otherwise ProteinShake downloads them.
"""

from __future__ import annotations

import io
import warnings
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from fastavro import block_reader
from fastavro import reader as avro_reader
from fastavro.schema import SchemaParseException, UnknownType

from bioblobs.datasets.source import check_split_column
from bioblobs.datasets.store import SPLITS
from bioblobs.datasets.tasks import EC_NAMES, SCOP_LEVELS, split_column
from bioblobs.errors import BioBlobsError
from bioblobs.parameters.schema import DataConfig
from bioblobs.proteins.alphabet import encode
from bioblobs.proteins.record import ATOMS, Protein, ProteinError

DAMAGE = (
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    OverflowError,
    MemoryError,
    SchemaParseException,
    UnknownType,
)
"""What fastavro raises on cut or overwritten files."""
ALTERNATE_LOCATION_MAX = 2.0
"""Two N of one residue number closer than this (angstrom) are alternate locations, not two residues."""
DATASET_CLASSES = {
    "enzymecommission": "EnzymeCommissionDataset",
    "geneontology": "GeneOntologyDataset",
    "proteinfamily": "ProteinFamilyDataset",
    "scop": "SCOPDataset",
}


class AtomBlock(NamedTuple):
    """A block of an avro file as it lies there: decoding it is what takes long.

    Attributes:
        path: of the file.
        header: of the file, which makes the block readable alone.
        offset: where the block begins.
        size: its bytes.
        first: row of its first protein.
        ids: that its proteins must have.
        chosen: which of them are asked for.
    """

    path: Path
    header: bytes
    offset: int
    size: int
    first: int
    ids: list[str]
    chosen: list[int]


class ProteinShakeSource:
    """Reads ``<data_dir>/raw/<dataset_name>/<Dataset>.{residue,atom}.avro``."""

    def __init__(self, data: DataConfig) -> None:
        self.data = data
        self.root = Path(data.data_dir) / "raw" / data.dataset_name
        self.dataset = DATASET_CLASSES[data.dataset_name]
        for resolution in ("residue", "atom"):
            self._fetch(resolution)
        first = next(iter(self._records("residue")), None)
        if first is None:
            raise BioBlobsError(f"{self._file('residue')}: no protein in the file")
        # ProteinShake falls back to an unseeded random split where the column is missing.
        self.split_name = split_column(data)
        check_split_column(self.split_name, list(first["protein"]), data)

    def table(self) -> pd.DataFrame:
        """See :class:`~bioblobs.datasets.source.Source`."""
        self.ids = [record["protein"]["ID"] for record in self._records("residue")]
        task = self._task()
        split = np.full(task.size, "none", object)
        for name in SPLITS:
            split[np.asarray(getattr(task, f"{name}_index"), np.int64)] = name
        records = [protein["protein"] for protein in task.proteins]
        return pd.DataFrame(
            {
                "id": [record["ID"] for record in records],
                "length": [len(record["sequence"]) for record in records],
                "labels": [self._labels(record) for record in records],
                "split": split,
            }
        )

    def items(self, rows: Sequence[int]) -> Iterator[AtomBlock]:
        """See :class:`~bioblobs.datasets.source.Source`; every block of the file is checked to be there."""
        wanted, path, count = set(rows), self._file("atom"), 0
        try:
            with path.open("rb") as file:
                blocks = block_reader(file)
                expected = int(blocks.metadata["number_of_proteins"])
                header = b""
                for block in blocks:
                    header = header or _bytes_at(path, 0, block.offset)
                    first, count = count, count + block.num_records
                    chosen = [row - first for row in range(first, count) if row in wanted]
                    if chosen and count <= len(self.ids):
                        ids = self.ids[first:count]
                        yield AtomBlock(path, header, block.offset, block.size, first, ids, chosen)
        except DAMAGE as error:
            raise _damaged(path, count) from error
        if count != expected:
            raise BioBlobsError(f"{path}: holds {count} of {expected} proteins; fetch it again")
        if count != len(self.ids):
            raise _strangers(path)

    @staticmethod
    def read(item: AtomBlock) -> list[Protein | ProteinError]:
        """See :class:`~bioblobs.datasets.source.Source`."""
        made: list[Protein | ProteinError] = []
        raw = io.BytesIO(item.header + _bytes_at(item.path, item.offset, item.size))
        try:
            records: Iterator[Any] = avro_reader(raw)
            for place, record in enumerate(records):
                name = record["protein"]["ID"]
                if name != item.ids[place]:
                    raise _strangers(item.path)
                if place in item.chosen:
                    made.append(_from_atoms(name, record["atom"]))
        except DAMAGE as error:
            raise _damaged(item.path, item.first) from error
        return made

    def class_names(self) -> dict[str, str]:
        """See :class:`~bioblobs.datasets.source.Source`."""
        return EC_NAMES if self.data.dataset_name == "enzymecommission" else {}

    def left_out(self) -> dict[str, int]:
        """See :class:`~bioblobs.datasets.source.Source`."""
        return {}

    def _labels(self, record: dict[str, Any]) -> tuple[str, ...]:
        name = self.data.dataset_name
        if name == "enzymecommission":
            return (record["EC"].split(".")[0],)
        if name == "geneontology":
            return tuple(sorted(set(record["molecular_function"])))
        if name == "proteinfamily":
            return tuple(record["Pfam"][:1])  # as ProteinFamilyTask's target
        return (record[f"SCOP-{SCOP_LEVELS[self.data.scop_level].upper()}"],)

    def _task(self) -> Any:
        from proteinshake import tasks

        keys = {
            "root": str(self.root),
            "split": self.data.split,
            "split_similarity_threshold": f"{self.data.split_similarity_threshold:g}",
            "verbosity": 0,
        }
        if self.data.dataset_name == "enzymecommission":
            return tasks.EnzymeClassTask(**keys)
        if self.data.dataset_name == "geneontology":
            return tasks.GeneOntologyTask(**keys)
        if self.data.dataset_name == "proteinfamily":
            return tasks.ProteinFamilyTask(**keys)
        level = SCOP_LEVELS[self.data.scop_level].upper()
        return tasks.StructuralClassTask(scop_level=f"SCOP-{level}", **keys)

    def _file(self, resolution: str) -> Path:
        return self.root / f"{self.dataset}.{resolution}.avro"

    def _fetch(self, resolution: str) -> None:
        """Download through ProteinShake what is not there yet."""
        if self._file(resolution).is_file():
            return
        import requests
        from proteinshake import datasets

        self.root.mkdir(parents=True, exist_ok=True)
        try:
            with warnings.catch_warnings():
                # "Could not find precomputed file" would start hours of processing raw entries.
                warnings.simplefilter("error", UserWarning)
                getattr(datasets, self.dataset)(root=str(self.root)).download_precomputed(resolution)
        except (requests.RequestException, OSError, EOFError, zlib.error, UserWarning) as error:
            for partial in self.root.glob(f"{self.dataset}.{resolution}.avro*"):
                partial.unlink()
            raise BioBlobsError(
                f"{self._file(resolution)}: not there, and it could not be downloaded "
                f"({type(error).__name__}); put the file there or check the network"
            ) from error

    def _records(self, resolution: str) -> Iterator[dict[str, Any]]:
        path = self._file(resolution)
        count = 0
        try:
            with path.open("rb") as file:
                records = avro_reader(file)
                expected = int(records.metadata["number_of_proteins"])
                for record in records:
                    count += 1
                    yield record  # type: ignore[misc]
        except DAMAGE as error:
            raise _damaged(path, count) from error
        if count != expected:
            raise BioBlobsError(f"{path}: holds {count} of {expected} proteins; fetch it again")


def _bytes_at(path: Path, offset: int, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(size)


def _damaged(path: Path, count: int) -> BioBlobsError:
    return BioBlobsError(f"{path}: damaged after {count} proteins; fetch it again")


def _strangers(path: Path) -> BioBlobsError:
    """Labels come from one file and coordinates from the other: they must list the same proteins."""
    other = path.with_name(path.name.replace(".atom.", ".residue."))
    return BioBlobsError(f"{path}: not the proteins of {other}; fetch both again")


def _from_atoms(name: str, atoms: dict[str, list[Any]]) -> Protein | ProteinError:
    try:
        return protein_from_atoms(name, atoms)
    except ProteinError as error:
        return error


def protein_from_atoms(name: str, atoms: dict[str, list[Any]]) -> Protein:
    """Backbone of ProteinShake's atom lists, residues told apart where numbers repeat.

    A residue begins where chain, number or type change, or at an N apart from the N before it that
    follows a C or O: ProteinShake drops insertion codes, so that residues 52 and 52A share a number. Of
    alternate locations the first atom of a name is kept.

    Raises:
        ProteinError: there is no backbone atom.
    """
    kind = np.array(atoms["atom_type"], dtype="U4")
    backbone = np.flatnonzero(np.isin(kind, ATOMS))
    if not len(backbone):
        raise ProteinError("no backbone atoms")
    kind = kind[backbone]
    number = np.array(atoms["residue_number"], np.int32)[backbone]
    types = encode("".join(atoms["residue_type"][i] or "X" for i in backbone))
    chains = np.array(atoms.get("chain_id") or ["A"] * len(atoms["atom_type"]), "S4")[backbone]
    place = np.argmax(kind[:, None] == np.array(ATOMS), axis=1)  # (M,)
    new = (number[1:] != number[:-1]) | (types[1:] != types[:-1]) | (chains[1:] != chains[:-1])
    xyz = np.stack([np.array(atoms[axis], np.float32)[backbone] for axis in "xyz"], -1)  # (M, 3)
    last_n = np.maximum.accumulate(np.where(place == 0, np.arange(len(place)), 0))[:-1]
    apart = np.linalg.norm(xyz[1:] - xyz[last_n], axis=-1) > ALTERNATE_LOCATION_MAX
    restart = (place[1:] == 0) & (place[:-1] >= 2) & apart
    residue = np.concatenate([[0], (new | restart).cumsum()])
    length = int(residue[-1]) + 1
    first = np.full((length, len(ATOMS)), len(backbone))  # of each name; past the end: missing
    np.minimum.at(first, (residue, place), np.arange(len(backbone)))
    coordinates = np.concatenate([xyz, np.full((1, 3), np.nan, np.float32)])[first]
    start = np.unique(residue, return_index=True)[1]
    return Protein(
        id=name,
        residue_types=types[start],
        residue_numbers=number[start],
        insertion_codes=np.full(length, b"", "S1"),
        chain_ids=chains[start],
        coordinates=coordinates,
    )
