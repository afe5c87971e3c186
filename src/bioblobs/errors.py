"""The one error that users are meant to read: what is wrong, where, and what to do."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class BioBlobsError(Exception):
    """Bad input or an impossible request, in one line that names the file, key or residue."""

    def __str__(self) -> str:
        return joined_lines(super().__str__())


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn what a user can mend into one line on stderr and exit status 1.

    Programming errors keep their traceback. ``BIOBLOBS_DEBUG=1`` keeps every one.
    """
    try:
        yield
    except (BioBlobsError, OSError) as error:
        if os.environ.get("BIOBLOBS_DEBUG"):
            raise
        sys.exit(printable(joined_lines(f"error: {error}")))


def joined_lines(text: str) -> str:
    """Put spaces for line breaks: what a message quotes of a file may hold them."""
    return " ".join(text.splitlines())


def printable(text: str) -> str:
    """Write control characters, and bytes of file names that are not UTF-8, as ``\\x1b``: for a terminal.

    Names in files of strangers reach it, and an escape sequence in one could rewrite what is on the screen.
    """
    return "".join(each if each.isprintable() or each == "\n" else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # how Python holds a byte of a file name that is not UTF-8
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
