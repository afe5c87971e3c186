"""A small run of the pipeline that faults are injected into: its stages, folders and files."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from robustness.readers import ROOT

KEYS = {
    "data.data_dir": ROOT / "data",
    "data.subset": 60,
    "data.max_length": 100,
    "data.edge_types": "knn_6",
    "data.workers": 1,
    "model.node_h_dim": "[8,2]",
    "model.edge_h_dim": "[4,1]",
    "model.num_layers": 1,
    "model.codebook_size": 16,
    "train.num_threads": 1,
    "train.accelerator": "cpu",
    "multistage.stage0.epochs": 2,
    "multistage.stage1.epochs": 2,
    "multistage.stage1.kmeans_batches": 4,
    "evaluation.bootstrap": 20,
    "interpretability.deletion_repeats": 1,
    "interpretability.gradient_steps": 2,
    "interpretability.proteins": 4,
}
STAGES = ("prepare", "leakage", "train_stage0", "init_codebook", "train_stage1", "evaluate", "interpret",
          "faithfulness", "report")  # fmt: skip
PLACES = ("prepared", "output", "metrics", "plots")


@dataclass(frozen=True)
class Done:
    """How a stage's process ended.

    Attributes:
        status: exit status; negative: the signal that killed it.
        said: what it printed.
        seconds: how long it took.
    """

    status: int
    said: str
    seconds: float

    @property
    def refused(self) -> bool:
        """True where it stopped with one clear line."""
        last = self.said.strip().splitlines()[-1:] or [""]
        return self.status > 0 and last[0].startswith("error: ") and "Traceback" not in self.said


def flags(stage: str, folder: Path) -> list[str]:
    """Command line of a stage whose results lie in ``folder``."""
    places = {f"paths.{name}": folder / name for name in PLACES}
    words = [f"--{key}={value}" for key, value in {**KEYS, **places}.items()]
    return ["fit", "--trainer.enable_progress_bar=false", *words] if stage.startswith("train") else words


def run(
    stage: str,
    folder: Path,
    kill_after: float | None = None,
    largest_file: int | None = None,
    limit: float = 1800,
) -> Done:
    """Run a stage in a forked process, which has the libraries already.

    Args:
        kill_after: seconds after which it is killed at once, with every process it started.
        largest_file: bytes beyond which a write fails, as on a full disk.
        limit: seconds after which it counts as hanging.
    """
    begun = time.monotonic()
    ours, its = os.pipe()  # no file: the limit on files would cut what it says
    child = os.fork()
    if child == 0:
        os.close(ours)
        _become(stage, folder, its, largest_file)
    with suppress(PermissionError, ProcessLookupError):  # here, too: it may be killed before it gets that far
        os.setpgid(child, child)
    os.close(its)
    words: list[bytes] = []
    listener = threading.Thread(target=_listen, args=(ours, words), daemon=True)
    listener.start()
    end = begun + (limit if kill_after is None else kill_after)
    status = None
    while status is None and time.monotonic() < end:
        found, code = os.waitpid(child, os.WNOHANG)
        status = code if found else None
        time.sleep(0.005)
    if status is None:
        os.killpg(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        if kill_after is None:
            return Done(-signal.SIGALRM, f"hang: over {limit} s", limit)
    listener.join(60)  # beyond its end where a process that it started still holds the pipe
    said = b"".join(words).decode(errors="replace")
    return Done(os.waitstatus_to_exitcode(status), said, time.monotonic() - begun)


def _listen(pipe: int, words: list[bytes]) -> None:
    """Collect what comes through a pipe, to its end."""
    with open(pipe, "rb", buffering=0) as stream:
        while chunk := stream.read(65536):
            words.append(chunk)


def _become(stage: str, folder: Path, said: int, largest_file: int | None) -> None:
    """Turn this forked process into the stage; never returns."""
    import resource

    os.setpgid(0, 0)
    _leave_the_fork_server()
    _bow_to_permissions()
    os.dup2(said, 1)
    os.dup2(said, 2)
    os.close(said)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", 1, closefd=False) for number in (1, 2))
    if largest_file is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    code = 1
    try:
        import_module(f"bioblobs.stages.{stage}").main(flags(stage, folder))
        code = 0
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _leave_the_fork_server() -> None:
    """Forget the parent's server of worker processes: a forked process cannot wait for it. The stage starts
    its own.
    """
    from multiprocessing import forkserver

    forkserver._forkserver.__init__()  # type: ignore[misc]


def _bow_to_permissions() -> None:
    """Give up root's right to write into read-only folders (DAC_OVERRIDE, DAC_READ_SEARCH)."""
    if os.geteuid():
        return
    version, this_process = 0x20080522, 0
    header = (ctypes.c_uint32 * 2)(version, this_process)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; each in two halves
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.capget(header, sets) == 0:
        sets[0] &= ~0b110
        if libc.capset(header, sets) == 0:
            return
    raise OSError(ctypes.get_errno(), "the powers of root can't be given up")


def copied(source: Path, target: Path) -> Path:
    """Copy a run's folder."""
    shutil.copytree(source, target, symlinks=True)
    return target


def results(folder: Path) -> dict[str, bytes]:
    """Content of metrics and plots: what a run is compared by."""
    found = {}
    for name in ("metrics", "plots"):
        for path in sorted((folder / name).rglob("*")):
            if path.is_file() and not path.name.endswith("_run.json"):
                found[str(path.relative_to(folder))] = path.read_bytes()
    return found
