"""Numbers and strings of a limited range, refused by the parser with the key's name.

A module of its own, because jsonargparse evaluates ``if TYPE_CHECKING`` blocks of the module that a class
is defined in, and would take the plain types that the type checker needs.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from jsonargparse import Namespace
from jsonargparse.typing import extend_base_type

LONGEST = 100
"""Characters of a refused value that its message repeats."""


def _whole(name: str, least: int) -> Any:
    """Integer type with a lower bound. DVC writes 6e1 as 60.0, which is refused like 6e1 itself."""
    expected = f"expected a whole number from {least}, without point or exponent"

    def check(kind: type, value: object) -> None:
        written = re.fullmatch(r"[+-]?\d+", str(value)) is not None and not isinstance(value, bool)
        if not written or int(str(value)) < least:
            raise ValueError(f"{expected}; got {shown(value)}")

    return extend_base_type(name, int, check, expected)


def _finite(name: str, least: float, most: float, open_below: bool = False) -> Any:
    """Float type with bounds that excludes infinity and NaN."""
    limits = f"from {least:g} to {most:g}" if math.isfinite(most) else f"from {least:g}"
    expected = f"expected a finite number {f'above {least:g}' if open_below else limits}"

    def check(kind: type, value: Any) -> None:
        number = math.nan if isinstance(value, bool) else _number(value)
        inside = least < number if open_below else least <= number <= most
        if not (math.isfinite(number) and inside):
            raise ValueError(f"{expected}; got {shown(value)}")

    return extend_base_type(name, float, check, expected)


def _text(name: str, allowed: str, expected: str) -> Any:
    """String type that a whole match of ``allowed`` limits."""

    def check(kind: type, value: object) -> None:
        if not isinstance(value, str) or not re.fullmatch(allowed, value):
            raise ValueError(f"expected {expected}; got {shown(value)}")

    return extend_base_type(name, str, check, f"expected {expected}")


def shown(value: object) -> str:
    """Write a value as YAML would, so that nothing and null are seen."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = str(value)
    return (text if len(text) <= LONGEST else f"{text[:LONGEST]} ...") if text.strip() else "nothing"


def expected_of(kind: Any) -> str:
    """Say what a key of this type may be."""
    inner = [each for each in get_args(kind) if each not in (type(None), ...)]
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(str, inner))}"
    if get_origin(kind) is tuple:
        number = "" if ... in get_args(kind) else f"{len(inner)} "
        return f"a list, [..], of {number}values that are each {_without_expected(inner[0])}"
    if inner:
        return expected_of(inner[0])
    return "true or false" if kind is bool else _without_expected(kind)


def _without_expected(kind: Any) -> str:
    return str(kind.__doc__ or kind.__name__).removeprefix("expected ")


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


if TYPE_CHECKING:
    from typing import TypeAlias

    PositiveInt: TypeAlias = int
    NonNegativeInt: TypeAlias = int
    PositiveFloat: TypeAlias = float
    NonNegativeFloat: TypeAlias = float
    UnitFloat: TypeAlias = float
    EdgeTypes: TypeAlias = str
    Text: TypeAlias = str
else:
    PositiveInt = _whole("WholeFrom1", 1)
    NonNegativeInt = _whole("WholeFrom0", 0)
    PositiveFloat = _finite("FiniteAbove0", 0, math.inf, open_below=True)
    NonNegativeFloat = _finite("FiniteFrom0", 0, math.inf)
    UnitFloat = _finite("From0To1", 0, 1)
    EdgeTypes = _text(
        "EdgeTypes",
        r"knn_[1-9]\d*|eps_[1-9]\d*(\.\d+)?",
        "knn_K or eps_R (K neighbours, R angstrom), as in knn_30 or eps_8",
    )
    Text = _text(
        "Text",
        r"(?!(?i:null|~)$)[^\s\[{\x00-\x1f\x7f][^\x00-\x1f\x7f]*",
        "text in one line, not empty or null",
    )

__all__ = [
    "EdgeTypes",
    "NonNegativeFloat",
    "NonNegativeInt",
    "PositiveFloat",
    "PositiveInt",
    "Text",
    "UnitFloat",
    "expected_of",
    "plain",
    "shown",
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
