"""Reader of ProteinShake's avro files, by block; every kind of damage is one error."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from fastavro import block_reader, schemaless_reader
from fastavro.schema import SchemaParseException, UnknownType

from bioblobs.errors import BioBlobsError

DAMAGE = (
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    OverflowError,
    MemoryError,
    zlib.error,
    SchemaParseException,
    UnknownType,
)
"""Exceptions of fastavro on cut or overwritten files."""
COUNT_KEY = "number_of_proteins"


class Block(NamedTuple):
    """Consecutive proteins, undecoded: cheap to hand to another process.

    Attributes:
        path: the file.
        row: place of the first protein in the file.
        size: number of proteins.
        schema: the file's avro schema.
        content: the encoded proteins.
    """

    path: Path
    row: int
    size: int
    schema: Any
    content: bytes


def blocks(path: Path) -> Iterator[Block]:
    """Yield the blocks of a file, undecoded.

    Raises:
        BioBlobsError: the file is cut or damaged, or holds another number of proteins than it says.
    """
    row = 0
    with path.open("rb") as file, _damage(path, lambda: row):
        read = block_reader(file)
        expected = int(read.metadata[COUNT_KEY])
        for block in read:
            content = block.bytes_.getvalue()  # type: ignore[attr-defined]
            yield Block(path, row, block.num_records, block.writer_schema, content)
            row += block.num_records
    if row != expected:
        raise BioBlobsError(f"{path}: holds {row} of {expected} proteins; fetch it again")


def decode(block: Block) -> list[dict[str, Any]]:
    """Decode a block to ProteinShake's proteins: lists of Python numbers, 450 kB each."""
    content = io.BytesIO(block.content)
    with _damage(block.path, lambda: block.row):
        return [schemaless_reader(content, block.schema, None) for _ in range(block.size)]  # type: ignore[misc]


def records(path: Path) -> Iterator[dict[str, Any]]:
    """Yield all proteins of a file, decoded by block."""
    for block in blocks(path):
        yield from decode(block)


def count(path: Path) -> int:
    """Count the proteins of a file without decoding them."""
    return sum(block.size for block in blocks(path))


@contextmanager
def _damage(path: Path, row: Callable[[], int]) -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        raise BioBlobsError(f"{path}: damaged after {row()} proteins; fetch it again") from error
