"""Unpack a gzip file of proteins, whole or not at all."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from pathlib import Path
from typing import Any

from tqdm import tqdm

from bioblobs.errors import BioBlobsError
from bioblobs.io import whole_file
from bioblobs.sources.resumable import CHUNK, FetchError, require_space, size_of
from bioblobs.sources.shake_avro import count


class DamagedError(BioBlobsError):
    """Packed file that is cut, overwritten, or holds another number of proteins than it says."""


def unpack(packed: Path, target: Path) -> dict[str, Any]:
    """Unpack to ``target``, which appears only once it is checked, and return its manifest entry.

    The checksum of gzip covers every byte; the count of proteins shows a cut end.
    """
    try:
        size = _unpacked_size(packed)
        require_space(target, size)
        with whole_file(target) as scratch:
            digest = _unpack(packed, scratch, f"unpack {target.name}", size)
            return {"bytes": size_of(scratch), "proteins": count(scratch), "sha256": digest}
    except (EOFError, zlib.error, gzip.BadGzipFile, BioBlobsError) as error:
        raise DamagedError(
            f"{packed}: damaged, or no file of ProteinShake ({error}); fetch it again"
        ) from error
    except FetchError as error:
        raise BioBlobsError(f"{target}: {error}") from error


def _unpack(packed: Path, target: Path, title: str, size: int) -> str:
    """Unpack and return the SHA-256 of the content."""
    digest = hashlib.sha256()
    with (
        gzip.open(packed) as source,
        target.open("wb") as file,
        tqdm(desc=title, total=size, unit="B", unit_scale=True, mininterval=1) as bar,
    ):
        while chunk := source.read(CHUNK):
            file.write(chunk)
            digest.update(chunk)
            bar.update(len(chunk))
    return digest.hexdigest()


def _unpacked_size(packed: Path) -> int:
    """Least possible size: gzip keeps it modulo 4 GiB, and no content is below half of its packed size."""
    size = size_of(packed)
    with packed.open("rb") as file:
        file.seek(max(size - 4, 0))
        kept = int.from_bytes(file.read(4), "little")
    return kept + max(0, -(-(size // 2 - kept) // 2**32)) * 2**32
