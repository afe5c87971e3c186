"""Read the chains of what a user names: the sample, a prepared store, structure files or a folder of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bioblobs.config.schema import DataConfig
from bioblobs.errors import BioBlobsError
from bioblobs.proteins.record import Protein, ProteinError
from bioblobs.sources.sample import SampleSource
from bioblobs.store.packed import META, Store
from bioblobs.structures.files import StructureError, stem_of
from bioblobs.structures.inspection import files_of
from bioblobs.structures.reader import read_chains

Named = tuple[str, Protein | ProteinError]
"""Id of a chain (or name of a file without one), and the chain or the reason why there is none."""
CHAINS = "chains.parquet"


def input_chains(path: Path | str, max_length: int | None = None) -> Iterator[Named]:
    """Yield the chains of ``path`` in order, under the ids that preparation gives them.

    Args:
        path: folder of the sample, prepared store, structure file, or folder of structures.
        max_length: leave longer chains out (residues); None: none.

    Raises:
        BioBlobsError: there is nothing to read.
    """
    path = Path(path)
    if not path.exists():
        raise BioBlobsError(f"{path}: not there; name a prepared store, structure files, or data/sample")
    if (path / META).is_file():
        found = _of_store(Store(path))
    elif (path / CHAINS).is_file():
        found = _of_sample(path)
    else:
        found = _of_files(files_of([str(path)]))
    for name, chain in found:
        if isinstance(chain, ProteinError) or max_length is None or len(chain) <= max_length:
            yield name, chain


def _of_store(store: Store) -> Iterator[Named]:
    for row, name in enumerate(store.table()["id"]):
        yield name, store.protein(row, name)


def _of_sample(folder: Path) -> Iterator[Named]:
    if folder.name != "sample":
        raise BioBlobsError(f"{folder}: the sample's folder must be called sample")
    source = SampleSource(DataConfig(data_dir=str(folder.parent)))
    names = source.table()["id"].tolist()
    for name, item in zip(names, source.items(range(len(names))), strict=True):
        yield name, source.read(item)[0]


def _of_files(files: list[Path]) -> Iterator[Named]:
    for file in files:
        try:
            chains = read_chains(file).chains
        except StructureError as error:
            yield str(file), ProteinError(error.reason)
            continue
        for chain in chains:
            yield f"{stem_of(file)}_{chain.name}" if chain.name else stem_of(file), chain.protein
