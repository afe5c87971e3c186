"""Base of the groups of params.yaml, and facts of single keys, which stand on their fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any, ClassVar, NoReturn

from bioblobs.config.ranges import plain
from bioblobs.errors import BioBlobsError

Facts = Mapping[str, Any]
NO_SHAPE: Facts = MappingProxyType({"shapes": False})
"""Metadata of a key that no result depends on: a place, a number of processes, a live view."""
NETWORK: Facts = MappingProxyType({"part": "network"})
"""Metadata of a model key that shapes the network of stage 0; a checkpoint of another value does not fit."""
CODEBOOK: Facts = MappingProxyType({"part": "codebook"})
"""Metadata of a model key that shapes the codebook."""
CODEBOOK_LOSS: Facts = MappingProxyType({"part": "codebook loss"})
"""Metadata of a model key that only the losses of a codebook use."""


class Group:
    """A group of keys; ``path`` is its place in params.yaml."""

    path: ClassVar[str]

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        """Refuse values that no single type can exclude.

        Raises:
            BioBlobsError: naming the key, what it may be, and what it is.
        """


class Refuse:
    """Raise the error that names a key, what it may be, and what it was."""

    def __init__(self, group: str) -> None:
        self.group = group

    def __call__(self, name: str, got: object, expected: str) -> NoReturn:
        """Raise it."""
        raise BioBlobsError(f"{self.group}.{name}: expected {expected}; got {got}")


def subgroups(group: type) -> dict[str, type[Group]]:
    """Fields of a config class that are groups themselves."""
    made: dict[str, Any] = {item.name: item.default_factory for item in fields(group)}
    return {name: kind for name, kind in made.items() if isinstance(kind, type) and issubclass(kind, Group)}


def leaf_keys(group: type, only_shaping: bool = False) -> list[str]:
    """Full name of every key of a group, or of those that results depend on."""
    inner = subgroups(group)
    own = [
        f"{group.path}.{item.name}"  # type: ignore[attr-defined]
        for item in fields(group)
        if item.name not in inner and (item.metadata.get("shapes", True) or not only_shaping)
    ]
    return own + [key for kind in inner.values() for key in leaf_keys(kind, only_shaping)]


def keys_of_part(group: type, *parts: Facts) -> tuple[str, ...]:
    """Names of the keys that belong to the given parts of the model, part by part."""
    return tuple(
        item.name for part in parts for item in fields(group) if item.metadata.get("part") == part["part"]
    )


def shaping_values(group: Group) -> dict[str, Any]:
    """Full name and plain value of each key that results depend on, subgroups included."""
    found: dict[str, Any] = {}
    for item in fields(group):  # type: ignore[arg-type]
        value = vars(group)[item.name]
        if isinstance(value, Group):
            found |= shaping_values(value)
        elif item.metadata.get("shapes", True):
            found[f"{group.path}.{item.name}"] = plain(value)
    return found
