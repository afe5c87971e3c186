"""Report running out of memory in one line that names the keys to change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch

from bioblobs.errors import BioBlobsError

_CPU_MESSAGES = ("can't allocate memory", "not enough memory")
"""Of torch's CPU allocator, which raises a plain RuntimeError."""


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
