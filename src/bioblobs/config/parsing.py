"""params.yaml and command lines -> config objects; what is unknown or impossible is refused by its key."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, NoReturn, get_type_hints

import docstring_parser
from jsonargparse import ArgumentParser, Namespace

from bioblobs.config.ranges import plain
from bioblobs.config.schema import Config, Paths, leaf_keys, subgroups


class OneLineErrors:
    """Mixin of argument parsers: one line that names the key, instead of the whole usage."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Print and exit with status 2, as parsers do."""
        sys.stderr.write(f"error: {' '.join(str(message).split())}\n")
        sys.exit(2)


class Parser(OneLineErrors, ArgumentParser):
    """Command line and params.yaml of a stage that does not train."""


def add_group(parser: ArgumentParser, group: type[Any]) -> None:
    """Declare every key of a group, one argument each, so that links and errors know its full name."""
    types = get_type_hints(group)
    texts = {p.arg_name: p.description for p in docstring_parser.parse(group.__doc__ or "").params}
    inner = subgroups(group)
    for item in fields(group):
        if item.name in inner:
            add_group(parser, inner[item.name])
        else:
            parser.add_argument(
                f"--{group.path}.{item.name}",
                type=types[item.name],
                default=item.default,
                help=texts[item.name],
            )


def make_group(group: type[Any], values: Namespace) -> Any:
    """A config object from parsed values."""
    inner = subgroups(group)
    made = {
        item.name: make_group(inner[item.name], values[item.name])
        if item.name in inner
        else values[item.name]
        for item in fields(group)
    }
    return group(**made)


def flat_values(config: Config) -> dict[str, Any]:
    """Every parameter by its full name, as plain values."""
    found: dict[str, Any] = {}
    for key in leaf_keys():
        value: Any = config
        for name in key.split("."):
            value = getattr(value, name)
        found[key] = plain(value)
    return found


def parse(description: str, args: Sequence[str] | None = None) -> tuple[Config, Paths]:
    """Read ``--config params.yaml`` and overrides ``--group.key value``; refuse what is unknown."""
    parser = Parser(description=description)
    parser.add_argument("--config", action="config", help="params.yaml, or another file of its form")
    for group in subgroups(Config).values():
        add_group(parser, group)
    parser.add_class_arguments(Paths, "paths")
    values = parser.parse_args(args)
    return make_group(Config, values), Paths(**values.paths)
