"""Words ``key=value``, as DVC takes them, as options of a stage; and a config as the text of params.yaml."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import yaml

from bioblobs.config.groups import Group
from bioblobs.config.ranges import plain
from bioblobs.config.schema import Config, leaf_keys
from bioblobs.errors import BioBlobsError

DEFAULT_CONFIG = "params.yaml"


def as_flags(args: Sequence[str]) -> list[str]:
    """Turn ``key=value`` into ``--key=value``; ``--config`` comes first and defaults to params.yaml.

    Raises:
        BioBlobsError: a word that is neither, or a key that params.yaml does not have.
    """
    flags: list[str] = []
    config = ["--config", DEFAULT_CONFIG]
    words = iter(args)
    keys = set(leaf_keys())
    for word in words:
        key, equals, _ = word.partition("=")
        if word == "--config":
            config = ["--config", next(words, "")]
        elif word.startswith("--config="):
            config = [word]
        elif word.startswith("--"):
            flags.append(word)
        elif not equals:
            raise BioBlobsError(f"{word}: expected key=value, as in train.batch_size=64")
        elif key not in keys:
            raise BioBlobsError(f"{key}: no such key{_closest(key, keys)}; params.yaml lists them all")
        else:
            flags.append(f"--{word}")
    return [*config, *flags]


def _closest(key: str, keys: set[str]) -> str:
    near = difflib.get_close_matches(key, keys, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def as_yaml(config: Config) -> str:
    """Write a config in the form of params.yaml."""
    return str(yaml.safe_dump(_tree(vars(config)), sort_keys=False))


def _tree(values: Any) -> Any:
    """Convert groups to plain dictionaries."""
    if isinstance(values, Group):
        values = vars(values)
    if isinstance(values, dict):
        return {key: _tree(value) for key, value in values.items()}
    return plain(values)
