"""Damage a file's bytes at random, in the ways in which files are damaged: by disks, editors and programs."""

from __future__ import annotations

import random
import re

ODD = (
    b"nan",
    b"-1",
    b"1e400",
    b"99999999999",
    b"",
    b"\xff\xfe",
    b"0x1F",
    b"****",
    b"'",
    b'"',
    b"\x00",
    b"null",
)
"""What takes the place of a word."""


def mutated(content: bytes, draw: random.Random, others: list[bytes]) -> bytes:
    """Damage once to four times; never return what was given, unless there is nothing to damage.

    Args:
        others: contents of other files of the kind, for parts of one in another.
    """
    made = content
    for _ in range(draw.randint(1, 4)):
        made = draw.choice(WAYS)(made, draw, others)
    return made if made != content else _flipped(content, draw, others)


def _flipped(content: bytes, draw: random.Random, others: list[bytes]) -> bytes:
    """Flip up to eight bits."""
    found = bytearray(content)
    for _ in range(draw.randint(1, 8) if found else 0):
        found[draw.randrange(len(found))] ^= 1 << draw.randrange(8)
    return bytes(found)


def _cut(content: bytes, draw: random.Random, others: list[bytes]) -> bytes:
    """Keep the beginning."""
    return content[: draw.randrange(len(content) + 1)]


def _without_a_span(content: bytes, draw: random.Random, others: list[bytes]) -> bytes:
    start, end = _span(content, draw)
    return content[:start] + content[end:]


def _with_a_span_again(content: bytes, draw: random.Random, others: list[bytes]) -> bytes:
    start, end = _span(content, draw)
    place = draw.randrange(len(content) + 1)
    return content[:place] + content[start:end] + content[place:]


def _with_noise(content: bytes, draw: random.Random, others: list[bytes]) -> bytes:
    place = draw.randrange(len(content) + 1)
    return content[:place] + draw.randbytes(draw.randint(1, 40)) + content[place:]


def _spliced(content: bytes, draw: random.Random, others: list[bytes]) -> bytes:
    """Join the beginning of this file and the end of another one."""
    other = draw.choice(others) if others else content
    return content[: draw.randrange(len(content) + 1)] + other[draw.randrange(len(other) + 1) :]


def _other_lines(content: bytes, draw: random.Random, others: list[bytes]) -> bytes:
    """Drop, repeat or exchange lines."""
    lines = content.splitlines(keepends=True)
    if not lines:
        return content
    one, two = draw.randrange(len(lines)), draw.randrange(len(lines))
    what = draw.randrange(3)
    if what == 0:
        del lines[one]
    elif what == 1:
        lines.insert(two, lines[one])
    else:
        lines[one], lines[two] = lines[two], lines[one]
    return b"".join(lines)


def _other_word(content: bytes, draw: random.Random, others: list[bytes]) -> bytes:
    """Put something odd, or another word of the file, in a word's place."""
    words = list(re.finditer(rb"[^\s,;:\[\]{}]+", content[:200_000]))
    if not words:
        return content
    word = draw.choice(words)
    new = draw.choice(ODD) if draw.random() < 0.6 else draw.choice(words)[0]
    return content[: word.start()] + new + content[word.end() :]


def _shifted_column(content: bytes, draw: random.Random, others: list[bytes]) -> bytes:
    """Move everything from one column on, in a run of lines."""
    lines = content.split(b"\n")
    first, column = draw.randrange(len(lines)), draw.randrange(80)
    for number in range(first, min(first + draw.randint(1, 60), len(lines))):
        line = lines[number]
        lines[number] = line[:column] + b" " + line[column:] if len(line) > column else line
    return b"\n".join(lines)


def _span(content: bytes, draw: random.Random) -> tuple[int, int]:
    start = draw.randrange(len(content) + 1)
    return start, min(start + draw.randint(1, 400), len(content))


WAYS = (
    _flipped,
    _cut,
    _without_a_span,
    _with_a_span_again,
    _with_noise,
    _spliced,
    _other_lines,
    _other_word,
    _shifted_column,
)
