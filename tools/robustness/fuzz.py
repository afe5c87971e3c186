"""Read damaged files by the thousand: nothing may end in a traceback, hang or take all memory (`make fuzz`).

    python -m robustness.fuzz --inputs 100000 --processes 2

Input N of a kind is the same in every run, and is read in a process that a crash ends alone. Outcomes are
counted by kind in metrics/fuzz.json; inputs that were not read and not refused in one line are listed there,
and ``--only KIND:N`` reads one of them again with its traceback.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
import random
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from bioblobs.errors import BioBlobsError
from robustness.mutations import mutated
from robustness.readers import ROOT, Kind, kinds

SECONDS, GIB = 5, 3
"""Most that one input may take: seconds of the processor, and memory beyond what the process has."""
WAIT = 60
"""As many times that in all, for an input that waits: a busy machine is no fault of the reader."""
FINE = ("read", "refused")
CHUNK = 100


class Hang(BaseException):
    """An input took too long; no reader catches it."""


def outcome(kind: Kind, number: int, folder: Path, seed: str) -> str:
    """Damage a file, read it and say what happened."""
    draw = random.Random(f"{seed}:{number}")
    name, content = draw.choice(kind.files)
    path = folder / name
    path.write_bytes(mutated(content, draw, [other for _, other in kind.files]))
    said = io.StringIO()
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.setitimer(signal.ITIMER_REAL, WAIT * SECONDS)
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            kind.read(path)
    except Hang:
        return f"hang: over {SECONDS} s"
    except BioBlobsError:
        return "refused"
    except SystemExit:
        return "refused" if said.getvalue().count("\n") == 1 else "several lines"
    except MemoryError:
        return "memory"
    except Exception as error:
        return f"traceback: {type(error).__name__}: {str(error).splitlines()[:1]}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        path.unlink()
    return "read"


def _worker(kind: Kind, seed: str, numbers: list[int], sender: Any) -> None:
    def alarm(*_: object) -> None:
        raise Hang

    signal.signal(signal.SIGPROF, alarm)
    signal.signal(signal.SIGALRM, alarm)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + GIB * 2**30,) * 2)
    with tempfile.TemporaryDirectory() as folder:
        for number in numbers:
            sender.send((number, outcome(kind, number, Path(folder), seed)))
    sender.send(None)


def results(kind: Kind, seed: str, numbers: list[int]) -> Iterator[tuple[int, str]]:
    """Outcomes of these inputs; a process that dies counts for the input that it was reading."""
    context = multiprocessing.get_context("fork")
    left = list(numbers)
    while left:
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_worker, args=(kind, seed, left, sender))
        process.start()
        sender.close()
        try:
            while (got := receiver.recv()) is not None:
                left.pop(0)
                yield got
        except EOFError:
            process.join()
            yield left.pop(0), f"crash: exit status {process.exitcode}"
        process.join()


def _chunk(job: tuple[str, list[int]]) -> tuple[str, list[tuple[int, str]]]:
    name, numbers = job
    return name, list(results(_KINDS[name], name, numbers))


_KINDS: dict[str, Kind] = {}
"""Of this process and of those that are forked from it."""


def run(inputs: int, processes: int, work: Path, minutes: float = float("inf")) -> dict[str, Any]:
    """Try so many inputs, an equal number of each kind; stop after some minutes, with those tried by then."""
    until = time.monotonic() + 60 * minutes
    _KINDS.update({name: kind for name, kind in kinds(work).items() if kind.files})
    each = -(-inputs // len(_KINDS))
    jobs = [
        (name, list(range(start, min(start + CHUNK, each))))
        for start in range(0, each, CHUNK)
        for name in _KINDS
    ]
    counts: dict[str, Counter[str]] = {name: Counter() for name in _KINDS}
    bad: list[dict[str, Any]] = []
    with ProcessPoolExecutor(processes, multiprocessing.get_context("fork")) as pool:
        for name, found in pool.map(_chunk, jobs):
            for number, what in found:
                counts[name][what.split(":")[0]] += 1
                if what not in FINE:
                    bad.append({"input": f"{name}:{number}", "outcome": what})
            if time.monotonic() > until:
                pool.shutdown(cancel_futures=True)
                break
    return {
        "inputs": sum(count.total() for count in counts.values()),
        "limits": {"seconds": SECONDS, "memory_gib": GIB},
        "outcomes": {name: dict(sorted(count.items())) for name, count in counts.items()},
        "not_fine": len(bad),
        "examples": sorted(bad, key=lambda entry: str(entry["input"]))[:100],
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop then, with fewer inputs")
    parser.add_argument("--only", default="", help="KIND:N, one input again, with its traceback")
    parser.add_argument("--out", type=Path, default=ROOT / "metrics" / "fuzz.json")
    options = parser.parse_args()
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as work:
        if options.only:
            name, number = options.only.split(":")
            kind = kinds(Path(work))[name]
            draw = random.Random(f"{name}:{number}")
            file, content = draw.choice(kind.files)
            path = Path(work) / file
            path.write_bytes(mutated(content, draw, [other for _, other in kind.files]))
            kind.read(path)
            return
        made = run(options.inputs, options.processes, Path(work), options.minutes)
    options.out.write_text(json.dumps(made, indent=1) + "\n")
    print(f"{made['inputs']} inputs in {time.perf_counter() - begun:.0f} s, {made['not_fine']} not fine")
    for name, counts in made["outcomes"].items():
        print(f"  {name:14s}" + ", ".join(f"{what} {count}" for what, count in counts.items()))
    sys.exit(1 if made["not_fine"] else 0)


if __name__ == "__main__":
    main()
