"""The C++ sources in the folders beside this file, compiled at first use and loaded.

It takes GCC (``c++``, or what the variable CXX names; 9 or later, on processors with bf16 10) and some
seconds, once for each version of the sources and kind of processor; the library lies in the user's cache
folder. Without it, or on a processor that is not an x86 with AVX2, the model takes torch's operations.

torch.utils.cpp_extension would compile it as well, but it needs ninja on the path, and a compilation that was
killed makes every later caller wait for ever.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

import torch

SOURCES = sorted(Path(__file__).parent.glob("*/*.cpp"))
HEADERS = sorted(Path(__file__).parent.rglob("*.h"))
FLAGS = ["-std=c++17", "-O3", "-fno-math-errno", "-ffp-contract=fast", "-fopenmp", "-fPIC", "-shared"]
OF_PROCESSOR = {
    "AVX512": ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma"],
    "AVX2": ["-mavx2", "-mfma"],
}
"""Flags by torch's name for the processor's instructions."""


def library() -> ctypes.CDLL | None:
    """The compiled functions; None where there are none (:func:`reason`)."""
    return _found()[0]


def has_bf16() -> bool:
    """True if the processor multiplies bf16; the library then has functions for it."""
    wide = torch.backends.cpu.get_cpu_capability() == "AVX512"
    return wide and bool(torch.cpu.get_capabilities().get("avx512_bf16"))


def reason() -> str | None:
    """Reason why there is no library, in one line; None if there is one."""
    return _found()[1]


@functools.cache
def _found() -> tuple[ctypes.CDLL | None, str | None]:
    flags = OF_PROCESSOR.get(torch.backends.cpu.get_cpu_capability())
    if flags is None:
        return None, "this processor has no AVX2"
    flags = [*flags, *(["-mavx512bf16"] if has_bf16() else [])]
    name, *options = shlex.split(os.environ.get("CXX") or "c++")
    if (compiler := shutil.which(name)) is None:
        return None, f"there is no C++ compiler ({name})"
    command = [compiler, *options, *FLAGS, *flags]
    try:
        made = _built(command)
        try:
            return ctypes.CDLL(str(made)), None
        except OSError:  # cut off by a crash, or made by another system
            made.unlink()
            return ctypes.CDLL(str(_built(command))), None
    except subprocess.CalledProcessError as error:
        said = error.stderr.splitlines() or [f"status {error.returncode}"]
        first = next((line for line in said if "error" in line), said[0])
        return None, f"{compiler} could not compile the kernels ({first})"
    except (OSError, RuntimeError) as error:  # RuntimeError: no home folder
        return None, f"the kernels could not be compiled or loaded: {error}"


def _built(compile_with: list[str]) -> Path:
    """Path of the library that this command makes of the sources; compiled if missing."""
    read = [path.read_bytes() for path in (*SOURCES, *HEADERS)]
    key = hashlib.sha256(
        b"\0".join([*read, _output([compile_with[0], "--version"]), repr(compile_with).encode()])
    )
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bioblobs"
    made = cache / f"kernels-{key.hexdigest()[:16]}.so"
    if not made.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:  # several processes may be at it at once
            part = Path(folder) / made.name
            _output([*compile_with, *map(str, SOURCES), "-o", str(part)])
            part.replace(made)
    return made


def _output(command: list[str]) -> bytes:
    """Output of a command that must succeed."""
    done = subprocess.run(command, capture_output=True, check=True, encoding="utf-8", errors="replace")
    return done.stdout.encode()
