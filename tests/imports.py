"""Static imports of the package: which files a module reaches, by the text of its import statements."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from conftest import ROOT

PACKAGE = ROOT / "src" / "bioblobs"


def file_of(name: str) -> Path | None:
    """File of a dotted name of this package; None for what is no module (a class, a function)."""
    path = ROOT / "src" / Path(*name.split("."))
    for file in (path / "__init__.py", path.with_suffix(".py")):
        if file.is_file():
            return file
    return None


@cache
def direct_imports(path: Path) -> frozenset[Path]:
    """Files of this package that a file imports, in functions too; bioblobs itself imports lazily."""
    if path == PACKAGE / "__init__.py":
        return frozenset()
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    files = {file_of(name) for name in names if name.split(".")[0] == "bioblobs"}
    return frozenset(file for file in files if file is not None)


def closure(path: Path) -> set[Path]:
    """The file, and all that it imports directly or through others; folders' bare __init__.py left out."""
    found: set[Path] = set()
    new = {path}
    while new:
        found |= new
        new = {file for each in new for file in direct_imports(each)} - found
    return {file for file in found if file.name != "__init__.py"}


def stage_file(stage: str) -> Path:
    return PACKAGE / "stages" / f"{stage}.py"
