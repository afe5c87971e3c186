"""The one error that users are meant to read: what is wrong, where, and what to do."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class BioBlobsError(Exception):
    """Bad input or an impossible request, in one line that names the file, key or residue."""


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
        sys.exit(f"error: {error}")
