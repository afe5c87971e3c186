"""The process in which a model runs: threads, the allocator, advice where memory or kernels are missing."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch

from bioblobs.errors import BioBlobsError
from bioblobs.ops.build import reason

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_BYTES = 2**31 - 1
BF16_PAYS_FROM = 64
"""Scalar width below which bf16 did not make a step faster on a CPU that has it (docs/speed.md)."""
_CPU_MESSAGES = ("can't allocate memory", "not enough memory")
"""Of torch's CPU allocator, which raises a plain RuntimeError."""


def begin(num_threads: int) -> None:
    """Set allocator and threads before any tensor is made; ``num_threads`` 0 leaves torch's choice."""
    keep_freed_memory()
    if num_threads:
        torch.set_num_threads(num_threads)


def keep_freed_memory() -> bool:
    """Raise glibc's mmap and trim thresholds; True where that worked.

    By default glibc hands blocks of some hundred KiB back to the system when they are freed, so that
    every large temporary of a step is paid for in page faults again.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another libc
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _BYTES) and mallopt(_M_TRIM_THRESHOLD, _BYTES))


def bf16_note(precision: str, device: str, width: int) -> str | None:
    """Note for bf16 that gains nothing: on a CPU without it, or for a narrow model; else None."""
    if precision != "bf16-mixed" or device != "cpu":
        return None
    able = torch.cpu.get_capabilities()
    if not (able.get("avx512_bf16") or able.get("amx_bf16") or able.get("bf16")):
        return "note: train.precision=bf16-mixed: this processor has no bf16 arithmetic; 32-true is faster"
    if width < BF16_PAYS_FROM:
        return f"note: train.precision=bf16-mixed: gains nothing on a CPU at model.node_h_dim={width}"
    return None


def slow_note(device: str) -> str | None:
    """Warning for CPUs without the compiled message; else None. Triggers compilation."""
    if device != "cpu" or (why := reason()) is None:
        return None
    return f"note: {why}; messages go through torch's operations, which takes 2 to 3 times as long"


def is_out_of_memory(error: BaseException) -> bool:
    """True if an error is a device's or the system's refusal of memory."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _CPU_MESSAGES)


@contextmanager
def memory_advice(values: Mapping[str, object]) -> Iterator[None]:
    """Report the keys that control memory use; the caller may fill ``values`` inside the block.

    Raises:
        BioBlobsError: in place of an error of memory.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        now = ", ".join(f"{key} ({value})" for key, value in values.items())
        raise BioBlobsError(
            "out of memory; lower train.max_residues or train.batch_size, or set train.recompute=true; "
            f"now {now}"
        ) from error
