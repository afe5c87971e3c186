"""Content of a structure file: read within limits, unpacked, as plain text with \\n at the ends of lines."""

from __future__ import annotations

import bz2
import io
import os
import re
import stat
import zlib
from collections.abc import Callable
from gzip import BadGzipFile, GzipFile
from pathlib import Path
from typing import BinaryIO

SIZE_MAX = 400 * 2**20
"""Largest file that is read, packed or unpacked (bytes); the largest entries of the PDB have about 300 MB."""
RATIO_MAX = 100
"""Largest ratio of unpacked to packed size; structure files reach about 10."""
RATIO_FROM = 16 * 2**20
"""Unpacked size from which the ratio is checked (bytes)."""
PACKED: dict[str, tuple[bytes, Callable[[BinaryIO], BinaryIO]]] = {
    ".gz": (b"\x1f\x8b", lambda packed: GzipFile(fileobj=packed)),  # type: ignore[dict-item, return-value]
    ".bz2": (b"BZh", lambda packed: bz2.BZ2File(packed)),  # type: ignore[dict-item, return-value]
}
"""Packed files: suffix, first bytes and what opens them."""
READ_ERRORS = (RuntimeError, ValueError, LookupError, OSError, EOFError, MemoryError, zlib.error)
"""Exceptions of gemmi, gzip and bz2 on files that are damaged or of another kind."""
_CHUNK = 2**20
_FOREIGN = (
    (rb"\x1f\x8b|BZh\d1AY", "packed more than twice; unpack it"),
    (rb"PK\x03\x04", "a zip archive; unpack it"),
    (rb"\xfd7zXZ", "packed by xz; unpack it"),
    (rb"\x28\xb5\x2f\xfd", "packed by zstd; unpack it"),
    (rb"7z\xbc\xaf", "a 7z archive; unpack it"),
    (rb"[\s\S]{257}ustar", "a tar archive; unpack it"),
    (rb"%PDF", "a PDF document"),
    (rb"\s*<\?xml|\s*<PDBx:", "XML (PDBML?); get the mmCIF file"),
    (rb"(?i)\s*<(?:!doctype )?html", "a web page; download the file itself"),
    (rb"\s*[{[]", "JSON"),
    (rb"\s*>[^\n]*\n\s*[A-Za-z*-]+\s*(?:\n|$)", "FASTA: a sequence without coordinates"),
    (rb"(?s).{0,200}\xa7encoder|.{0,2000}dataBlocks", "BinaryCIF; get the mmCIF file"),
    (rb"(?s).{0,2000}@<TRIPOS>", "MOL2; convert it to PDB or mmCIF"),
    (rb"(?s).{0,2000}V[23]000", "an SDF or MOL file; convert it to PDB or mmCIF"),
    (rb"[^\n]*\n *\d+ *\n *-?\d+[A-Z]", "a GROMACS file (.gro); convert it to PDB or mmCIF"),
    (rb" *\d+ *\n[^\n]*\n *[A-Z][a-z]? +-?\d", "an XYZ file without residues"),
    (rb"[^\0]*\0[\s\S]*\0[\s\S]*\0[\s\S]*\0", "binary data"),
)
"""First bytes of files of other formats, and their names."""


def read_content(path: Path) -> bytes:
    """Read a plain or packed file as UTF-8 text with ``\\n`` at the ends of lines.

    Raises:
        ValueError: it is no regular file, too large, or packed beyond :data:`RATIO_MAX`.
        OSError, EOFError, zlib.error: it cannot be read or unpacked.
    """
    # Not blocking: opening a pipe waits for its writer. A directory opens too, and fails when read.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with open(handle, "rb") as file:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise ValueError("not a regular file (a pipe or device?); save it as a file first")
        content = _read(file, 0)
    for _ in range(2):  # a file may have been packed twice
        for begin, opener in PACKED.values():
            if content.startswith(begin):
                content = _unpacked(opener(io.BytesIO(content)), len(content))
    content = _as_utf8(content)
    content = content.replace(b"\xef\xbb\xbf", b"").replace(b"\xc2\xa0", b" ")  # of editors and web pages
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return content.rstrip(b"\0\x1a")  # padding of tapes and of DOS


def _unpacked(file: BinaryIO, packed: int) -> bytes:
    try:
        return _read(file, packed)
    except BadGzipFile:
        raise ValueError("damaged gzip file (something else follows its end?)") from None


def _read(file: BinaryIO, packed: int) -> bytes:
    """Read all; ``packed`` is the size that it has been unpacked from, 0: a plain file."""
    chunks, size = [], 0
    while chunk := file.read(_CHUNK):
        chunks.append(chunk)
        size += len(chunk)
        if size > SIZE_MAX:
            raise ValueError(f"larger than {SIZE_MAX // 2**20} MB{' unpacked' if packed else ''}; too large")
        if packed and size > max(RATIO_FROM, RATIO_MAX * packed):
            raise ValueError(f"unpacks to more than {RATIO_MAX} times its size; no structure file does")
    return b"".join(chunks)


def _as_utf8(content: bytes) -> bytes:
    """Convert UTF-16 and UTF-32, with or without a byte-order mark."""
    head = content[:400]
    for mark, name in (
        (b"\xff\xfe\0\0", "utf-32"),
        (b"\0\0\xfe\xff", "utf-32"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if head.startswith(mark):
            return content.decode(name).encode()
    if len(head) > 8 and b"\0" in head:
        for part, name in ((head[1::2], "utf-16-le"), (head[::2], "utf-16-be")):
            if not part.strip(b"\0"):
                return content.decode(name).encode()
    return content


def foreign(content: bytes) -> str:
    """Name the format of a file that is neither PDB nor mmCIF; empty if it is not known."""
    head = content[:4096]
    return next((name for begin, name in _FOREIGN if re.match(begin, head)), "")


def printable(text: str) -> str:
    """Replace control characters and what is not ASCII, for messages."""
    return "".join(each if each.isascii() and each.isprintable() else "?" for each in text)
