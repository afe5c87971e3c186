"""Class names short enough for a chip or under a thumbnail."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

LONGEST = 24
"""Letters; longer names are cut."""
COMMON = 0.9
"""Share of the names from which a word tells nothing of a class."""


def short_names(classes: Mapping[str, str]) -> dict[str, str]:
    """Class identifier -> short name, different for each class: ``Alpha and beta proteins (a/b)`` -> ``a/b``.

    An abbreviation in brackets stands for the whole name; words that most names share are left out. A short
    name that two classes would share stays whole.
    """
    words = Counter(word for name in classes.values() for word in {*name.lower().split()})
    common = {word for word, count in words.items() if len(classes) > 2 and count > COMMON * len(classes)}
    made = {key: _shortened(name, common) for key, name in classes.items()}
    shared = {name for name, count in Counter(made.values()).items() if count > 1}
    return {key: classes[key] if name in shared else name for key, name in made.items()}


def _shortened(name: str, common: set[str]) -> str:
    bracketed = re.search(r"\(([^()\s]{1,8})\)\s*$", name)
    if bracketed:
        return bracketed.group(1)
    kept = " ".join(word for word in name.split() if word.lower() not in common) or name
    return kept if len(kept) <= LONGEST else kept[: LONGEST - 1].rstrip(" ,;-") + "…"
