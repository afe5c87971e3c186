"""Five checks of what was measured, and one verdict over all of them: can importance be believed?

Imports no torch, because the report, which has none, calls it too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

Verdict = Literal["green", "amber", "red"]

LARGEST_ERROR = 1e-4
"""Of the sum, in units of a logit. Logits of 1 to 10 are 32-bit floats (7 digits), and ten terms are added:
rounding stays near 1e-5; a tenth of a percent of a probability needs 1e-3 or more."""
LEAST_GAIN = 0.0
"""Of an interval's low end: the gain over the control is then no accident of which chains were measured."""
LEAST_RAND_INDEX = 0.5
"""Of blobs under :data:`NOISE`: half-way from chance (0) to the same blobs (1). Two crystal structures of the
same protein differ by more than that noise: blobs below are those of the file, not of the protein."""
LEAST_SEED_AGREEMENT = 0.5
"""Spearman between trainings: below, an explanation depends as much on the seed as on the protein."""
NOISE = "0.1"
"""Angstrom: the coordinate error of a good crystal structure."""


def checks(faithfulness: Mapping[str, Any], seeds: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The five checks, in order: {"name", "holds", "figure", "text"}.

    Args:
        faithfulness: content of metrics/faithfulness.json.
        seeds: content of metrics/seeds.json; None where other seeds of this model were not trained.

    Returns:
        ``holds`` is None where a check was not measured; ``figure`` is the number that decides, with its
        bound; ``text`` says in a sentence what that means.
    """
    return [
        _sum_exact(faithfulness),
        _beats_exchanged(faithfulness),
        _beats_patch(faithfulness),
        _holds_under_noise(faithfulness),
        _seeds_agree(seeds),
    ]


def verdict(made: Sequence[Mapping[str, Any]]) -> Verdict:
    """Green if all checks hold, amber if some do, red if none; one that was not measured does not hold."""
    held = [check["holds"] is True for check in made]
    return "green" if held and all(held) else "amber" if any(held) else "red"


def _sum_exact(faithfulness: Mapping[str, Any]) -> dict[str, Any]:
    name, found = "sum exact", _part(faithfulness, "sum")
    if found is None:
        return _unmeasured(name, "The contributions were not added up: run the stage faithfulness again.")
    error = _number(found.get("largest_error"))
    if error is None:
        text = "This head does not add up: attention weights are no parts of the logits."
        return _check(name, False, "no sum", text)
    holds = error <= LARGEST_ERROR
    text = (
        "Base and contributions of the blobs add up to the logits of every chain."
        if holds
        else "Base and contributions of the blobs do not add up to the logits."
    )
    return _check(name, holds, f"largest error {error:.1e} (at most {LARGEST_ERROR:g})", text)


def _beats_exchanged(faithfulness: Mapping[str, Any]) -> dict[str, Any]:
    name = "importance beats the same blobs exchanged"
    modes = ("deletion", "insertion")
    gains = [_part(faithfulness, f"{mode}_gain", "random_blobs") for mode in modes]
    holds = _all(_above(gain, LEAST_GAIN) for gain in gains)
    if holds is None:
        return _unmeasured(name, "No gain of importance over exchanged importance was measured.")
    figure = "; ".join(f"{mode} {_interval(gain)}" for mode, gain in zip(modes, gains, strict=True))
    text = (
        "Residues of important blobs are worth more than those of the same blobs with importance exchanged."
        if holds
        else "Importance exchanged among the same blobs does as well, within the interval."
    )
    return _check(name, holds, f"{figure} (low ends above {LEAST_GAIN:g})", text)


def _beats_patch(faithfulness: Mapping[str, Any]) -> dict[str, Any]:
    name = "top blob beats a patch of as many residues"
    found = _part(faithfulness, "top_blob", "more_than_random_patch")
    holds = _above(found, LEAST_GAIN)
    if holds is None:
        return _unmeasured(name, "No top blob was removed that leaves something of its chain.")
    text = (
        "Removing the top blob costs more than removing a random patch of as many residues."
        if holds
        else "Removing a random patch of as many residues costs as much, within the interval."
    )
    return _check(name, holds, f"{_interval(found)} (low end above {LEAST_GAIN:g})", text)


def _holds_under_noise(faithfulness: Mapping[str, Any]) -> dict[str, Any]:
    name = f"blobs hold under {NOISE} angstrom of noise"
    found = _part(faithfulness, "noise", NOISE, "blobs")
    holds = None if found is None or _low(found) is None else _low(found) >= LEAST_RAND_INDEX  # type: ignore[operator]
    if holds is None:
        return _unmeasured(name, "Blobs of shaken coordinates were not measured.")
    text = (
        "Blobs stay where they are when coordinates move by their usual error."
        if holds
        else "Blobs move when coordinates do so by their usual error."
    )
    figure = f"adjusted Rand index {_interval(found)} (low end {LEAST_RAND_INDEX:g} or more)"
    return _check(name, holds, figure, text)


def _seeds_agree(seeds: Mapping[str, Any] | None) -> dict[str, Any]:
    name = "seeds agree"
    found = None if seeds is None else _part(seeds, "between", "contribution")
    mean = None if found is None else _number(found.get("mean"))
    if mean is None:
        return _unmeasured(name, "Not measured for this model: make seeds trains it with other seeds.")
    holds = mean >= LEAST_SEED_AGREEMENT
    text = (
        "Other trainings give the same residues the say."
        if holds
        else "Other trainings give other residues the say."
    )
    figure = f"rank correlation per residue {mean:.3f} ({LEAST_SEED_AGREEMENT:g} or more)"
    return _check(name, holds, figure, text)


def _check(name: str, holds: bool | None, figure: str, text: str) -> dict[str, Any]:
    return {"name": name, "holds": holds, "figure": figure, "text": text}


def _unmeasured(name: str, text: str) -> dict[str, Any]:
    return _check(name, None, "not measured", text)


def _part(content: Mapping[str, Any], *keys: str) -> Mapping[str, Any] | None:
    """Value at the keys; None where one is missing, as in files of older versions."""
    found: Any = content
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else None


def _number(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _low(found: Mapping[str, Any]) -> float | None:
    return _number(found.get("low"))


def _above(found: Mapping[str, Any] | None, least: float) -> bool | None:
    low = None if found is None else _low(found)
    return None if low is None else low > least


def _all(held: Any) -> bool | None:
    """Three-valued "and": False if one is False, else None if one is None."""
    seen = list(held)
    return False if False in seen else None if None in seen else True


def _interval(found: Mapping[str, Any] | None) -> str:
    """``0.144 (0.120 to 0.168)``."""
    parts = [None if found is None else _number(found.get(key)) for key in ("value", "low", "high")]
    value, low, high = ("?" if part is None else f"{part:.3f}" for part in parts)
    return f"{value} ({low} to {high})"
