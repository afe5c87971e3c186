"""A packed file of proteins -> the file under its name, or nothing."""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from pathlib import Path
from typing import Any

from tqdm import tqdm

from bioblobs.errors import BioBlobsError
from bioblobs.sources.resumable import CHUNK, FetchError, require_space, size_of
from bioblobs.sources.shake_avro import count


class DamagedError(BioBlobsError):
    """A packed file that is cut, overwritten, or not what its own count says."""


def unpack(packed: Path, target: Path) -> dict[str, Any]:
    """Unpack beside ``target``, check, and only then give it its name; its entry of the manifest.

    gzip's checksum covers every byte, the count of proteins the end of the file.
    """
    scratch = target.with_name(f".{target.name}.partial")
    digest = hashlib.sha256()
    try:
        size = _unpacked_size(packed)
        require_space(target, size)
        with (
            gzip.open(packed) as source,
            scratch.open("wb") as file,
            tqdm(desc=f"unpack {target.name}", total=size, unit="B", unit_scale=True, mininterval=1) as bar,
        ):
            while chunk := source.read(CHUNK):
                file.write(chunk)
                digest.update(chunk)
                bar.update(len(chunk))
        entry = {"bytes": size_of(scratch), "proteins": count(scratch), "sha256": digest.hexdigest()}
        os.replace(scratch, target)
    except (EOFError, zlib.error, gzip.BadGzipFile, BioBlobsError) as error:
        raise DamagedError(
            f"{packed}: damaged, or no file of ProteinShake ({error}); fetch it again"
        ) from error
    except FetchError as error:
        raise BioBlobsError(f"{target}: {error}") from error
    finally:
        scratch.unlink(missing_ok=True)
    return entry


def _unpacked_size(packed: Path) -> int:
    """Bytes at least: gzip keeps the size modulo 4 GiB; no content is below half of its packed size."""
    size = size_of(packed)
    with packed.open("rb") as file:
        file.seek(max(size - 4, 0))
        kept = int.from_bytes(file.read(4), "little")
    return kept + max(0, -(-(size // 2 - kept) // 2**32)) * 2**32
