"""Words ``key=value``, as DVC takes them, as options of a stage; and a config as the text of params.yaml."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from bioblobs.config.file_words import no_such_key
from bioblobs.config.groups import Group
from bioblobs.config.ranges import plain
from bioblobs.config.schema import Config, leaf_keys
from bioblobs.errors import BioBlobsError

DEFAULT_CONFIG = "params.yaml"


def as_flags(args: Sequence[str]) -> list[str]:
    """Turn ``key=value`` into ``--key=value``; ``--config`` comes first, and is params.yaml unless given.

    Raises:
        BioBlobsError: a word that is neither, or a key that params.yaml does not have.
    """
    flags: list[str] = []
    config: list[str] = []
    keys = set(leaf_keys())
    option = ""  # that the word before named without a value
    for word in args:
        key, equals, _ = word.partition("=")
        if option == "--config":
            config.append(f"--config={word}")
        elif option and not equals and not word.startswith("--"):
            flags.append(word)
        elif word.startswith("--config="):
            config.append(word)
        elif word.startswith("--"):
            flags += [] if word == "--config" else [word]
        elif not equals:
            raise BioBlobsError(f"{word}: expected key=value, as in train.batch_size=64")
        elif key not in keys:
            raise BioBlobsError(no_such_key(key, keys))
        else:
            flags.append(f"--{word}")
        option = word if word.startswith("--") and not equals else ""
    if option == "--config":
        raise BioBlobsError("--config: name a file after it, such as params.yaml")
    config = config or [f"--config={DEFAULT_CONFIG}"]
    return [*config, *flags]


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
