"""A training step alone and beside another process that keeps one core busy. ``python -m benchmarks.busy``.

Two settings alternate: libgomp's own, whose waiting threads spin for a long time, and this project's
(``bioblobs.SPINS``). Results: benchmarks/results/busy.json.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.machine import record
from benchmarks.speed import case, merged
from bioblobs import SPINS

RESULTS = Path("benchmarks") / "results" / "busy.json"
LIBGOMP_SPINS = "300000"
BUSY = [sys.executable, "-c", "while True: pass"]


def measure(arguments: list[str], rounds: int) -> list[dict[str, Any]]:
    """Seconds a step of each setting, alone and beside the other process."""
    found: dict[tuple[str, bool], list[dict[str, Any]]] = {}
    for _, busy, spins in itertools.product(range(rounds), (False, True), (LIBGOMP_SPINS, SPINS)):
        # A session of its own, as another terminal's: Linux gives each its share of a core by turns.
        other = subprocess.Popen(BUSY, start_new_session=True) if busy else None
        try:
            measured = case(["--step-only", *arguments], {"GOMP_SPINCOUNT": spins})
        finally:
            if other is not None:
                other.kill()
                other.wait()
        found.setdefault((spins, busy), []).append(measured)
    return [
        {"spins": int(spins), "busy": busy, "arguments": arguments, **merged(each)}
        for (spins, busy), each in found.items()
    ]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    rows = []
    for width in (["32", "4"], ["100", "16"]):
        rows += measure(["--width", *width], args.rounds)
        print(*map(json.dumps, rows[-4:]), sep="\n", flush=True)
    RESULTS.write_text(json.dumps({"machine": record(), "steps": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
