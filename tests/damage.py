"""Ways in which a file is damaged, for tests that nothing damaged is believed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np


def flipped(content: bytes, seed: int) -> bytes:
    """One bit of it is another."""
    rng = np.random.default_rng(seed)
    changed = bytearray(content)
    changed[rng.integers(len(changed))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    **{f"bit {seed}": lambda content, seed=seed: flipped(content, seed) for seed in range(4)},  # type: ignore[misc]
    "first bit": lambda content: bytes([content[0] ^ 128]) + content[1:],
    "cut by one": lambda content: content[:-1],
    "cut in half": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "longer": lambda content: content + b"\0",
    "zeros": lambda content: bytes(len(content)),
    "not UTF-8": lambda content: b"\xff\xfe" + content,
    "very deep": lambda content: b"[" * 100_000,
    "a list": lambda content: b"[1, 2]\n",
    "another kind": lambda content: b"PK\x03\x04" + content,
}
"""Name -> what becomes of the content."""


def damage(path: Path, kind: str) -> None:
    """Damage a file that was written by another process, in place."""
    content = path.read_bytes()
    path.unlink()  # it may be a link
    if kind == "a folder":
        path.mkdir()
    elif kind != "missing":
        path.write_bytes(DAMAGES[kind](content))


KINDS = (*DAMAGES, "missing", "a folder")
"""All of them."""
