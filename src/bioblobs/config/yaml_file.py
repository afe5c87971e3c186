"""Read YAML files: small, UTF-8, each key once; values keep the spelling that they have in the file."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import Any, NoReturn

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

from bioblobs.errors import BioBlobsError

LARGEST = 100_000
"""Bytes of a file."""
MOST = 10_000
"""Values of a file, those that aliases repeat included."""
DEEPEST = 30
"""Groups and lists within one another."""
MERGE = "tag:yaml.org,2002:merge"
TAGS = ("null", "bool", "int", "float", "str", "seq", "map", "timestamp", "value", "merge")
"""Kinds of values that YAML itself defines and that have a spelling on a command line."""
BARE = re.compile(r"[\w.+~-]+")
"""Spelling that means the same within a list as it does alone."""


class YamlFile:
    """One YAML file, read once.

    Args:
        path: a regular file.

    Raises:
        BioBlobsError: it cannot be read, is too large or deep, or is no YAML.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.values = path, 0
        self.root = self._composed(self._text())

    def refuse(self, said: str, node: Node | None = None) -> NoReturn:
        """Raise the error that names file and line."""
        line = f" line {node.start_mark.line + 1}" if node is not None else ""
        raise BioBlobsError(f"{self.path}{line}: {said}")

    def _text(self) -> str:
        try:
            if not stat.S_ISREG(self.path.stat().st_mode):
                self.refuse("not a file; name a YAML file such as params.yaml")
            with self.path.open("rb") as file:
                content = file.read(LARGEST + 1)
        except (OSError, ValueError) as error:
            self.refuse(f"cannot be read ({getattr(error, 'strerror', None) or error})")
        if len(content) > LARGEST:
            self.refuse(f"more than {LARGEST} bytes, too large for a file of parameters")
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError as error:
            self.refuse(f"not UTF-8 (byte {error.start}); save it as UTF-8")

    def _composed(self, text: str) -> Node | None:
        try:
            return yaml.compose(text, yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = f" line {mark.line + 1}" if mark else ""
            raise BioBlobsError(f"{self.path}{line}: not YAML ({_squeezed(error.problem)})") from error
        except yaml.YAMLError as error:
            self.refuse(f"not YAML ({_squeezed(error)})")
        except RecursionError:
            self.refuse(f"lists or groups more than {DEEPEST} deep")

    def pairs(self, node: MappingNode, depth: int = 0) -> list[tuple[str, Node]]:
        """Keys and values of a group, merged ones (``<<``) included; refuse a key that stands twice."""
        found: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key, value in node.value:
            self.count(key, depth)
            if key.tag == MERGE:
                for part in [value] if isinstance(value, MappingNode) else value.value:
                    self.count(key, depth)
                    if not isinstance(part, MappingNode):
                        self.refuse("<<: expected a group of keys", key)
                    merged = dict(self.pairs(part, depth + 1)) | merged
            elif not isinstance(key, ScalarNode):
                self.refuse("expected a name before the colon; got a list or group", key)
            elif key.value in found:
                self.refuse(f"{key.value}: stands twice in its group; keep one", key)
            else:
                found[key.value] = value
        return list((merged | found).items())

    def count(self, node: Node, depth: int) -> None:
        """Refuse a file whose aliases make more of it than could be meant."""
        self.values += 1
        if self.values > MOST:
            self.refuse(f"more than {MOST} values (aliases that repeat aliases?)", node)
        if depth > DEEPEST:
            self.refuse(f"lists or groups more than {DEEPEST} deep", node)
        if node.tag.removeprefix("tag:yaml.org,2002:") not in TAGS:
            self.refuse(f"{node.tag}: a tag that is not known here; leave it out", node)

    def spelt(self, node: Node, depth: int = 0) -> str:
        """Spelling of a value on a command line: a scalar as it is, lists and groups in one line."""
        if not isinstance(node, ScalarNode):
            return self.listed(node, depth)
        self.count(node, depth)
        blank = not node.value and node.tag.endswith(":null")  # how DVC writes null
        return "null" if blank else str(node.value)

    def _within(self, node: Node, depth: int) -> str:
        """Spelling of a value within a list or group."""
        if isinstance(node, ScalarNode):
            bare = node.style is None and BARE.fullmatch(node.value)
            return str(node.value) if bare else _quoted(node)
        if isinstance(node, MappingNode):
            parts = self.pairs(node, depth)
            inner = [f"{quoted(key)}: {self.listed(each, depth + 1)}" for key, each in parts]
            return f"{{{', '.join(inner)}}}"
        return f"[{', '.join(self.listed(each, depth + 1) for each in node.value)}]"

    def listed(self, node: Node, depth: int = 0) -> str:
        """Spelling of a value in one line that YAML reads as the same value."""
        self.count(node, depth)
        return self._within(node, depth)

    def plain(self) -> Any:
        """The content as numbers, texts, lists and dictionaries; None for an empty file."""
        return None if self.root is None else yaml.safe_load(self.listed(self.root))


def quoted(text: str) -> str:
    """Text as YAML reads it within a list or group."""
    return json.dumps(text, ensure_ascii=False)


def _quoted(node: ScalarNode) -> str:
    """A value that is no bare word: null stays null, and all else is text."""
    return "null" if node.tag.endswith(":null") else quoted(node.value)


def _squeezed(said: object) -> str:
    return " ".join(str(said).split())
