"""Run a stage, then print the keys of params.yaml that it read: python tests/recorder.py STAGE [arguments].

Only groups that come from the command line count: a model of a checkpoint is made from its card's keys.
Reads while a group is checked do not count either, nor do those through ``vars``, as in
``DataConfig.identity``, which compares a store with the keys.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

from bioblobs.config import parsing
from bioblobs.config.groups import Group


def record() -> set[str]:
    """Patch the groups so that the returned set collects what is read from now on."""
    reads: set[str] = set()
    known: dict[int, Group] = {}
    make_group = parsing.make_group

    def make(group: type[Any], values: Any) -> Any:
        made = make_group(group, values)
        if isinstance(made, Group):
            known[id(made)] = made
        return made

    def read(self: Group, name: str) -> object:
        value = object.__getattribute__(self, name)
        kind = type(self)
        if id(self) in known and name in kind.__dataclass_fields__ and not isinstance(value, Group):
            reads.add(f"{kind.path}.{name}")
        return value

    parsing.make_group = make
    Group.__getattribute__ = read  # type: ignore[assignment]
    return reads


if __name__ == "__main__":
    found = record()
    importlib.import_module(f"bioblobs.stages.{sys.argv[1]}").main(sys.argv[2:])
    files = [m.__file__ for n, m in sorted(sys.modules.items()) if n.startswith("bioblobs") and m.__file__]
    print("RECORDED", json.dumps({"reads": sorted(found), "files": files}))
