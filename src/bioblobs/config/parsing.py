"""Parse params.yaml and command lines into config objects; refuse unknown or impossible keys by name."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, NoReturn, get_type_hints

import docstring_parser
from jsonargparse import ArgumentParser, Namespace

from bioblobs.config.file_words import no_such_key, with_files_read
from bioblobs.config.ranges import expected_of, plain, shown
from bioblobs.config.schema import Config, Paths, leaf_keys, subgroups


class OneLineErrors:
    """Mixin of argument parsers: no abbreviated options, and errors of one line instead of the usage."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Print and exit with status 2, as parsers do."""
        sys.stderr.write(f"error: {one_line(message)}\n")
        sys.exit(2)


def one_line(message: object) -> str:
    """Shorten a parser's message to the key, what it may be, and what it was."""
    text = " ".join(str(message).split())
    unknown = re.match(r"unrecognized arguments: --((\w+)\.[\w.]+)(?:=|$)", text, re.IGNORECASE)
    if unknown and unknown[2] in subgroups(Config):
        return no_such_key(unknown[1], leaf_keys())
    if (key := re.search(r'Parser key "([^"]+)"', text)) is None:
        return text
    if said := re.search(
        r"Not of type \w+: (expected .*?; got .*?)(?= - Expected | Given value type: |$)", text
    ):
        return f"{key[1]}: {said[1]}"
    got, kind = (
        re.search(r"(?:Got|Given) value:\s*(.*?)(?= Given value type: |$)", text),
        _kinds(Config).get(key[1]),
    )
    if kind is None or got is None:
        return text
    return f"{key[1]}: expected {expected_of(kind)}; got {shown(None if got[1] == 'None' else got[1])}"


def _kinds(group: type[Any]) -> dict[str, Any]:
    """Full name -> type of each key of a group."""
    found: dict[str, Any] = {}
    inner, types = subgroups(group), get_type_hints(group)
    for name in inner.values():
        found |= _kinds(name)
    prefix = f"{group.path}." if group.path else ""
    return found | {
        f"{prefix}{item.name}": types[item.name] for item in fields(group) if item.name not in inner
    }


class Parser(OneLineErrors, ArgumentParser):
    """Command line and params.yaml of a stage that does not train."""


def add_group(parser: ArgumentParser, group: type[Any]) -> None:
    """Declare every key of a group, one argument per key, so that errors know its full name."""
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
    """Make a config object from parsed values, as plain numbers, strings and tuples of them."""
    inner = subgroups(group)
    made = {
        item.name: make_group(inner[item.name], values[item.name])
        if item.name in inner
        else _bare(values[item.name])
        for item in fields(group)
    }
    return group(**made)


def _bare(value: Any) -> Any:
    """Drop range types: optimizers keep a rate, and checkpoints hold only plain numbers."""
    return tuple(plain(value)) if isinstance(value, tuple) else plain(value)


def flat_values(config: Config) -> dict[str, Any]:
    """Return every parameter by its full name, as plain values."""
    found: dict[str, Any] = {}
    for key in leaf_keys():
        value: Any = config
        for name in key.split("."):
            value = getattr(value, name)
        found[key] = plain(value)
    return found


def parse(description: str, args: Sequence[str] | None = None) -> tuple[Config, Paths]:
    """Read ``--config params.yaml`` and overrides ``--group.key value``; refuse what is unknown.

    Raises:
        BioBlobsError: a file that is no YAML or holds what is no key; an impossible combination of keys.
        SystemExit: an impossible value, after one line that names its key.
    """
    values = parameter_parser(description).parse_args(with_files_read(sys.argv[1:] if args is None else args))
    return make_group(Config, values), Paths(**values.paths)


def parameter_parser(description: str) -> Parser:
    """Make the parser of all keys and places."""
    parser = Parser(description=description)
    parser.add_argument("--config", action="config", help="params.yaml, or another file of its form")
    for group in subgroups(Config).values():
        add_group(parser, group)
    parser.add_class_arguments(Paths, "paths")
    return parser
