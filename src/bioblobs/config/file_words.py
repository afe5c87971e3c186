"""Turn a file of parameters into words of a command line, so that one parser reads both by one rule."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import fields
from pathlib import Path

from yaml.nodes import MappingNode, Node, ScalarNode

from bioblobs.config.schema import Paths, leaf_keys
from bioblobs.config.yaml_file import YamlFile, quoted

PATHS = "paths"
"""Group of the places, which are no keys of params.yaml but may stand in a file of its form."""


def with_files_read(args: Sequence[str], others: Collection[str] = ()) -> list[str]:
    """Replace each ``--config FILE`` by the words that the file stands for; later words win.

    Args:
        others: groups that a file may hold beside those of the schema; they are passed on as they are.

    Raises:
        BioBlobsError: naming file, line and key of what is no YAML or no key.
    """
    found: list[str] = []
    words = iter(args)
    for word in words:
        name, equals, value = word.partition("=")
        if name in ("--config", "-c"):
            found += _words(Path(value if equals else next(words, "")), others)
        else:
            found.append(word)
    return found


def no_such_key(key: str, known: Collection[str]) -> str:
    """Say that a key is unknown, and which it may have been."""
    near = difflib.get_close_matches(key, known, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return f"{key}: no such key{hint}; params.yaml lists them all"


def _words(path: Path, others: Collection[str]) -> list[str]:
    file = YamlFile(path)
    if not isinstance(file.root, MappingNode):
        got = "a single value or list" if file.root else "an empty file"
        file.refuse(f"expected groups of keys, as params.yaml has them; got {got}")
    known = {*leaf_keys(), *(f"{PATHS}.{item.name}" for item in fields(Paths))}
    passed: list[str] = []
    found: dict[str, str] = {}
    for name, node in file.pairs(file.root):
        if name in others:
            passed.append(f"--config={{{quoted(name)}: {file.listed(node)}}}")
            continue
        for key, value in _leaves(file, name, node, known):
            if key in found:
                file.refuse(f"{key}: stands twice; keep one", value)
            found[key] = f"--{key}={file.spelt(value)}"
    return [*passed, *found.values()]


def _leaves(file: YamlFile, name: str, node: Node, known: Collection[str]) -> Iterator[tuple[str, Node]]:
    """Full name and value of each key in a group."""
    if name in known:
        yield name, node
        return
    if not any(key.startswith(f"{name}.") for key in known):
        file.refuse(no_such_key(name, known), node)
    if not isinstance(node, MappingNode):
        got = (node.value or "nothing") if isinstance(node, ScalarNode) else "a list"
        file.refuse(f"{name}: expected keys of this group; got {got}", node)
    for key, value in file.pairs(node):
        yield from _leaves(file, f"{name}.{key}", value, known)
