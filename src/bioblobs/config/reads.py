"""Groups of keys whose reads can be recorded: how a test holds dvc.yaml to what each stage really reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

_reads: set[str] | None = None


@contextmanager
def recorded_reads() -> Iterator[set[str]]:
    """Collect the full keys (``model.max_clusters``) that are read inside the block."""
    global _reads
    before, _reads = _reads, set()
    try:
        yield _reads
    finally:
        _reads = before


@contextmanager
def unrecorded() -> Iterator[None]:
    """Leave reads in the block out: those of a config that does not come from params.yaml."""
    global _reads
    before, _reads = _reads, None
    try:
        yield
    finally:
        _reads = before


def note_read(key: str) -> None:
    """Record a key that is read past the group classes (a linked argument of the Lightning CLI)."""
    if _reads is not None:
        _reads.add(key)


class Group:
    """A group of keys; ``path`` is its place in params.yaml."""

    path: ClassVar[str]

    def __post_init__(self) -> None:
        with unrecorded():  # checking a value is no use of it
            self.check()

    def check(self) -> None:
        """Refuse values that no single type can exclude.

        Raises:
            BioBlobsError: naming the key, what it may be, and what it is.
        """

    def __getattribute__(self, name: str) -> object:
        value = object.__getattribute__(self, name)
        if _reads is not None and not isinstance(value, Group):
            kind = type(self)
            if name in kind.__dataclass_fields__:  # type: ignore[attr-defined]
                _reads.add(f"{kind.path}.{name}")
        return value
