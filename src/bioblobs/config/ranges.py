"""Numbers and strings of a limited range, refused by the parser with the key's name.

A module of its own, because jsonargparse evaluates ``if TYPE_CHECKING`` blocks of the module that a class
is defined in, and would take the plain types that the type checker needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jsonargparse import Namespace

if TYPE_CHECKING:
    from typing import TypeAlias

    PositiveInt: TypeAlias = int
    NonNegativeInt: TypeAlias = int
    PositiveFloat: TypeAlias = float
    NonNegativeFloat: TypeAlias = float
    UnitFloat: TypeAlias = float
    EdgeTypes: TypeAlias = str
else:
    from jsonargparse.typing import (
        ClosedUnitInterval,
        NonNegativeFloat,
        NonNegativeInt,
        PositiveFloat,
        PositiveInt,
        restricted_string_type,
    )

    UnitFloat = ClosedUnitInterval
    EdgeTypes = restricted_string_type(
        "EdgeTypes", r"^(knn_[1-9]\d*|eps_[1-9]\d*(\.\d+)?)$", docstring="knn_K or eps_R (R in angstrom)"
    )

__all__ = [
    "EdgeTypes",
    "NonNegativeFloat",
    "NonNegativeInt",
    "PositiveFloat",
    "PositiveInt",
    "UnitFloat",
    "plain",
]


def plain(value: Any) -> Any:
    """Convert parsed values to those of YAML, JSON and ``weights_only`` checkpoints, without range types."""
    if isinstance(value, Namespace):
        return {key: plain(item) for key, item in vars(value).items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value
