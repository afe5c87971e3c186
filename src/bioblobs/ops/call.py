"""Call compiled functions with tensors in place of pointers."""

from __future__ import annotations

import ctypes
from typing import Any

from torch import Tensor

from bioblobs.ops.build import library


def call(name: str, *arguments: Any) -> None:
    """Call a compiled function with the addresses of tensors and of lists of tensors.

    Raises:
        MemoryError: it says that there was not enough memory.
    """
    compiled = library()
    assert compiled is not None  # the caller asks before
    if getattr(compiled, name)(*map(_address, arguments)):
        raise MemoryError(f"{name}: not enough memory")


def _address(argument: Any) -> Any:
    if isinstance(argument, Tensor):
        return ctypes.c_void_p(argument.data_ptr())
    if isinstance(argument, list):
        return (ctypes.c_void_p * len(argument))(
            *(None if each is None else each.data_ptr() for each in argument)
        )
    if isinstance(argument, float):
        return ctypes.c_float(argument)
    return argument
