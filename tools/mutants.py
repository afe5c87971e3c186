"""Change formulas one operation at a time and count which changes the tests notice; `make mutants`.

What is changed, and which tests are asked, stands in pyproject.toml ([tool.mutmut]). All happens in a copy of
the tree. Writes benchmarks/results/mutants.json: changes noticed per file, and every change that was not.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

from working_tree import ROOT, copy_of_the_tree

CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutmut"]
WITHOUT_GRADIENT = "@torch.no_grad()"
UNNOTICED = {0, 5, 33, 34, 35, None}
"""Exit statuses of mutmut's processes: tests passed, there was none, or it was not run."""


def undecorated(source: str) -> str:
    """Move ``torch.no_grad`` from a function's decorator into its body: mutmut passes decorated ones over."""
    lines, found = source.splitlines(keepends=True), []
    while lines:
        line = lines.pop(0)
        if line.strip() != WITHOUT_GRADIENT:
            found.append(line)
            continue
        indent = line[: len(line) - len(line.lstrip())] + "    "
        while not lines[0].startswith(indent) or '"""' in lines[0]:  # the signature and a line of docstring
            found.append(lines.pop(0))
        found.append(f"{indent}with torch.no_grad():\n")
        while lines and (not lines[0].strip() or lines[0].startswith(indent)):
            line = lines.pop(0)
            found.append(f"    {line}" if line.strip() else line)
    return "".join(found)


def counted(tree: Path) -> dict[str, dict[str, int]]:
    """Changes and noticed ones per file."""
    found = {}
    for name in CONFIG["only_mutate"]:
        statuses = json.loads((tree / "mutants" / f"{name}.meta").read_text())["exit_code_by_key"].values()
        noticed = sum(status not in UNNOTICED for status in statuses)
        found[name] = {"changes": len(statuses), "noticed": noticed}
    return found


def survivors(tree: Path) -> list[str]:
    """Each unnoticed change as "function: old line -> new line"."""
    found = []
    for name in CONFIG["only_mutate"]:
        statuses = json.loads((tree / "mutants" / f"{name}.meta").read_text())["exit_code_by_key"]
        for mutant in [mutant for mutant, status in statuses.items() if status in UNNOTICED]:
            shown = mutmut("show", mutant, tree=tree, capture_output=True, text=True).stdout.splitlines()
            old = [line[1:].strip() for line in shown if line[:1] == "-" and line[:3] != "---"]
            new = [line[1:].strip() for line in shown if line[:1] == "+" and line[:3] != "+++"]
            where = (
                mutant.removeprefix("bioblobs.").split("__mutmut")[0].replace("ǁ", ".").replace(".x_", ".")
            )
            found.append(f"{where}: {' '.join(old)} -> {' '.join(new) or 'nothing'}")
    return found


def mutmut(*words: str, tree: Path, **more: Any) -> subprocess.CompletedProcess[Any]:
    """Run mutmut there, with this interpreter."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    variables |= {"OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, "-m", "mutmut", *words], cwd=tree, env=variables, **more)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "mutants.json")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mutants") as folder:
        tree = Path(folder)
        copy_of_the_tree(tree)
        for name in CONFIG["only_mutate"]:
            (tree / name).write_text(undecorated((tree / name).read_text()))
        mutmut("run", "--max-children", str(given.processes), tree=tree, check=True)
        files, unnoticed = counted(tree), survivors(tree)
    total = {key: sum(counts[key] for counts in files.values()) for key in ("changes", "noticed")}
    result = {
        "command": "make mutants",
        "mutmut": version("mutmut"),
        "files": files,
        "total": total,
        "unnoticed": unnoticed,
    }
    given.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    for name, counts in {**files, "all": total}.items():
        print(f"{name:40s}{counts['noticed']:5d} of {counts['changes']:5d} changes noticed")
    if any(counts["noticed"] < 0.8 * counts["changes"] for counts in files.values()):
        sys.exit(
            "error: tests notice fewer than 80 % of the changes of a file; see the list in " + str(given.out)
        )


if __name__ == "__main__":
    main()
