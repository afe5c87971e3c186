"""Break the pipeline two hundred times, stage by stage, and look at what comes of it (`make faults`).

    python -m robustness.faults --faults 210

Faults: a stage is killed at a random moment; the disk is full; a folder is read-only; an input of a stage is
damaged, exchanged for another file, emptied or gone. What must come of it: the next run has the same
metrics, or the stage stops with one line that says why. Outcomes are counted in metrics/faults.json; what is
neither is listed there by its number, and ``--only N`` repeats one.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from bioblobs.io import write_json
from robustness.mutations import mutated
from robustness.readers import ROOT
from robustness.small_run import STAGES, Done, copied, results, run

KINDS = ("killed", "disk full", "read-only", "damaged", "exchanged", "empty", "missing")
FINE = ("same result", "refused", "same after the next run", "refused, same after the next run")


class Pipeline:
    """A finished small run, and what each stage found before it."""

    def __init__(self, work: Path, stages: Sequence[str] = STAGES) -> None:
        self.work = work
        self.stages = stages
        self.before: dict[str, Path] = {}
        self.seconds: dict[str, float] = {}
        self.after: dict[str, dict[str, bytes]] = {}
        for stage in stages:
            import_module(f"bioblobs.stages.{stage}")  # once, for all processes that are forked from this one
        folder = work / "reference"
        folder.mkdir()
        for stage in stages:
            self.before[stage] = copied(folder, work / f"before_{stage}")
            done = run(stage, folder)
            if done.status:
                raise RuntimeError(f"{stage} fails without a fault:\n{done.said}")
            self.seconds[stage] = done.seconds
            self.after[stage] = results(folder)

    def fault(self, number: int) -> dict[str, Any]:
        """Inject fault ``number``, and say what came of it."""
        draw = random.Random(number)
        stage, kind = draw.choice(self.stages), KINDS[number % len(KINDS)]
        folder = copied(self.before[stage], self.work / f"fault_{number}")
        try:
            where, what = self._happens(kind, stage, folder, draw)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return {"fault": number, "kind": kind, "stage": stage, "where": where, "outcome": what}

    def _happens(self, kind: str, stage: str, folder: Path, draw: random.Random) -> tuple[str, str]:
        if kind == "killed":
            moment = draw.random() * self.seconds[stage]
            run(stage, folder, kill_after=moment)
            return f"after {moment:.2f} s", self._next_run(stage, folder)
        if kind == "disk full":
            size = int(10 ** draw.uniform(0, 6))
            done = run(stage, folder, largest_file=size)
            return f"files of {size} bytes", self._mended(stage, folder, done)
        if kind == "read-only":
            place = draw.choice([folder, *sorted(path for path in folder.rglob("*") if path.is_dir())])
            mode = place.stat().st_mode
            place.chmod(mode & ~0o222)
            done = run(stage, folder)
            place.chmod(mode)
            return str(place.relative_to(folder)), self._mended(stage, folder, done)
        inputs = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
        if not inputs:  # nothing comes before the first stage
            return "nothing to damage", "same result"
        path = draw.choice(inputs)
        if kind == "missing":
            path.unlink()
        elif kind == "empty":
            path.write_bytes(b"")
        elif kind == "exchanged":
            alike = [other for other in inputs if other.suffix == path.suffix and other != path]
            path.write_bytes(draw.choice(alike or inputs).read_bytes())
        else:
            path.write_bytes(mutated(path.read_bytes(), draw, []))
        done = run(stage, folder)
        where = str(path.relative_to(folder))
        if not done.status:
            return where, self._compared(stage, folder)
        return where, "refused" if done.refused else _bad(done.status, done.said)

    def _mended(self, stage: str, folder: Path, done: Done) -> str:
        """Outcome of a run whose fault is of its surroundings, which are in order for the next run."""
        if not done.status:
            return self._compared(stage, folder)
        if not done.refused:
            return _bad(done.status, done.said)
        after = self._next_run(stage, folder)
        return f"refused, {after}" if after.startswith("same") else after

    def _next_run(self, stage: str, folder: Path) -> str:
        done = run(stage, folder)
        if done.status:
            return "refused" if done.refused else _bad(done.status, done.said)
        found = self._compared(stage, folder)
        return "same after the next run" if found == "same result" else found

    def _compared(self, stage: str, folder: Path) -> str:
        """Compare with the run without a fault, but for files that the stage did not write itself."""
        found, wanted = results(folder), self.after[stage]
        own = {name for name, content in wanted.items() if self._before(stage).get(name) != content}
        differs = sorted(name for name in own if found.get(name) != wanted[name])
        return f"another result: {differs[0]}" if differs else "same result"

    def _before(self, stage: str) -> dict[str, bytes]:
        return results(self.before[stage])


def _bad(status: int, said: str) -> str:
    lines = said.strip().splitlines()[-1:] or [""]
    kind = "hang" if "hang: " in lines[0] else "traceback" if "Traceback" in said else f"status {status}"
    return f"{kind}: {lines[0][:300]}"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--faults", type=int, default=210)
    parser.add_argument("--only", type=int, default=None, help="one fault again")
    parser.add_argument("--out", type=Path, default=ROOT / "metrics" / "faults.json")
    options = parser.parse_args()
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as work:
        pipeline = Pipeline(Path(work))
        if options.only is not None:
            print(json.dumps(pipeline.fault(options.only), indent=1))
            return
        found: list[dict[str, Any]] = []
        for number in range(options.faults):
            found.append(pipeline.fault(number))
            if (what := found[-1]["outcome"]) not in FINE:
                print(f"fault {number}: {found[-1]['kind']}, {found[-1]['stage']}: {what}", flush=True)
            write_json(options.out, _counted(found))  # each time: a run of hours may be cut short
    bad = _counted(found)["not_fine"]
    print(f"{len(found)} faults in {time.perf_counter() - begun:.0f} s, {bad} not fine")
    sys.exit(1 if bad else 0)


def _counted(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Outcomes by kind of fault, and every one that is not fine."""
    counts = {kind: Counter(_short(each) for each in found if each["kind"] == kind) for kind in KINDS}
    bad = [each for each in found if each["outcome"] not in FINE]
    return {
        "faults": len(found),
        "outcomes": {kind: dict(sorted(count.items())) for kind, count in counts.items()},
        "not_fine": len(bad),
        "examples": bad,
    }


def _short(fault: dict[str, Any]) -> str:
    return str(fault["outcome"]).split(":")[0]


if __name__ == "__main__":
    main()
