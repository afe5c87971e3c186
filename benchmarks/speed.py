"""Speed and memory, beside the public implementation where its checkout is given. ``make bench``.

Every case runs in a fresh process; implementations and variants alternate over the rounds, so that a change
of the machine meets all of them. Results: benchmarks/results/speed.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.machine import record

RESULTS = Path("benchmarks") / "results" / "speed.json"
SIZES = ((8, 100), (8, 300), (8, 600), (32, 300), (32, 600))
"""Proteins and residues each."""
VARIANTS = {
    "ours": [],
    "ours, recompute": ["--recompute"],
    "ours, bf16": ["--bf16"],
    "ours, no compiler": ["--no-compiler"],
}
SCALING: dict[str, list[list[str]]] = {
    "residues": [["--length", str(n)] for n in (100, 200, 400, 800, 1600)],
    "proteins": [["--proteins", str(n)] for n in (2, 4, 8, 16, 32)],
    "k": [["--k", str(n)] for n in (10, 16, 30)],
    "blobs": [["--blobs", str(n)] for n in (5, 10, 20)],
    "codes": [["--codes", str(n)] for n in (128, 512, 2048)],
    "width": [["--width", *pair] for pair in (("32", "4"), ("64", "8"), ("100", "16"), ("128", "32"))],
    "width, bf16": [
        ["--bf16", "--width", *pair] for pair in (("32", "4"), ("64", "8"), ("100", "16"), ("128", "32"))
    ],
}


def case(arguments: list[str], environment: dict[str, str] | None = None) -> dict[str, Any]:
    """Measure one case in a fresh process, with these variables of its environment changed."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.case", *arguments]
    changed = os.environ | (environment or {})
    found = subprocess.run(command, capture_output=True, text=True, check=False, env=changed)
    if found.returncode:
        raise SystemExit(f"{' '.join(arguments)}: {found.stderr.strip().splitlines()[-1]}")
    made: dict[str, Any] = json.loads(found.stdout.splitlines()[-1])
    return made


def merged(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Rounds of one case: median of medians, least of all, largest peak."""
    names = rounds[0]["median_s"]
    return {
        "median_s": {name: median(each["median_s"][name] for each in rounds) for name in names},
        "least_s": {name: min(each["least_s"][name] for each in rounds) for name in names},
        "peak_mib": max(each["peak_mib"] for each in rounds),
        "before_mib": max(each["before_mib"] for each in rounds),
        "mean_blob": median(each["mean_blob"] for each in rounds),
    }


def sizes(checkout: Path | None, rounds: int) -> Iterator[dict[str, Any]]:
    """Every variant at every size, alternating."""
    variants = {**({"public": ["--checkout", str(checkout)]} if checkout else {}), **VARIANTS}
    for proteins, length in SIZES:
        given = ["--proteins", str(proteins), "--length", str(length)]
        given += ["--repeats", "5"] if proteins * length < 5000 else ["--repeats", "3", "--step-only"]
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in variants}
        for _ in range(rounds):
            for name, arguments in variants.items():
                found[name].append(case([*given, *arguments]))
        for name, each in found.items():
            row = {"proteins": proteins, "length": length, "variant": name, **merged(each)}
            print(json.dumps(row), flush=True)
            yield row


def scaling(rounds: int) -> Iterator[dict[str, Any]]:
    """Ours along one axis at a time."""
    for axis, values in SCALING.items():
        found: list[list[dict[str, Any]]] = [[] for _ in values]
        for _ in range(rounds):
            for place, arguments in enumerate(values):
                found[place].append(case([*arguments, "--step-only", "--repeats", "3"]))
        for arguments, each in zip(values, found, strict=True):
            row = {"axis": axis, "arguments": arguments, **merged(each)}
            print(json.dumps(row), flush=True)
            yield row


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkout", type=Path, help="folder of the public implementation")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    result = {
        "machine": record(),
        "sizes": list(sizes(args.checkout, args.rounds)),
        "scaling": list(scaling(args.rounds)),
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
