"""The search space: keys of params.yaml and what each may be, refused by name before any trial."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bioblobs.config.flags import as_flags
from bioblobs.config.parsing import parse
from bioblobs.config.yaml_file import YamlFile
from bioblobs.errors import BioBlobsError

if TYPE_CHECKING:
    from optuna.trial import Trial

DIGITS = 4
"""Significant digits of a proposed number: enough, and readable in ``dvc exp show``."""


@dataclass(frozen=True)
class Dimension:
    """One key and its values: the ``choices`` (as texts), or numbers from ``low`` to ``high``."""

    key: str
    kind: str
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    choices: tuple[str, ...] = ()

    def suggest(self, trial: Trial) -> str:
        """Propose a value by Optuna, as the text after ``-S key=``."""
        if self.kind == "choice":
            return str(trial.suggest_categorical(self.key, self.choices))
        if self.kind == "int":
            return str(trial.suggest_int(self.key, int(self.low), int(self.high), log=self.log))
        return f"{trial.suggest_float(self.key, self.low, self.high, log=self.log):.{DIGITS}g}"

    def extremes(self) -> tuple[str, ...]:
        """The values that must be possible: all choices, or both ends."""
        if self.kind == "choice":
            return self.choices
        ends = (self.low, self.high)
        return tuple(str(int(end)) if self.kind == "int" else f"{end:.{DIGITS}g}" for end in ends)


def read_space(path: Path, fixed: Sequence[str] = ()) -> list[Dimension]:
    """The dimensions in ``path``; each end and choice is tried against the schema of params.yaml.

    Args:
        path: YAML file, ``key: {kind: float, low: ..., high: ..., log: ...}`` a line.
        fixed: ``key=value`` overrides of every trial.

    Raises:
        BioBlobsError: an unreadable file, an unknown key, or an entry that is not a range.
        SystemExit: a value that the schema refuses, after one line that names the key.
    """
    content = YamlFile(path).plain()
    if not isinstance(content, dict) or not content:
        raise BioBlobsError(f"{path}: expected lines of `key: {{kind: float, low: 0.1, high: 1}}`")
    dimensions = [_dimension(str(key), entry) for key, entry in content.items()]
    parse("", as_flags(fixed))
    for dimension in dimensions:
        if dimension.key == "train.choose_by":
            raise BioBlobsError(f"{path}: {dimension.key} is the objective itself; trials must share one")
        if any(word.startswith(f"{dimension.key}=") for word in fixed):
            raise BioBlobsError(f"{dimension.key}: stands both in {path} and on the command line")
        for value in dimension.extremes():
            parse("", as_flags([*fixed, f"{dimension.key}={value}"]))
    return dimensions


def _dimension(key: str, entry: Any) -> Dimension:
    if not isinstance(entry, dict):
        raise BioBlobsError(f"{key}: expected {{kind: ..., ...}}; got {entry}")
    entry = dict(entry)
    kind = entry.pop("kind", None)
    if kind == "choice":
        choices = entry.pop("choices", None)
        if not isinstance(choices, list) or not choices or entry:
            raise BioBlobsError(f"{key}: kind choice takes choices: [...], and nothing else")
        return Dimension(key, kind, choices=tuple(map(_text, choices)))
    if kind not in ("float", "int"):
        raise BioBlobsError(f"{key}: kind: expected float, int or choice; got {kind}")
    return _interval(key, kind, entry)


def _interval(key: str, kind: str, entry: dict[str, Any]) -> Dimension:
    low, high, log = _number(key, entry, "low"), _number(key, entry, "high"), entry.pop("log", False)
    if entry or not isinstance(log, bool):
        raise BioBlobsError(f"{key}: kind {kind} takes low, high and log (true or false), and nothing else")
    if not low < high or (log and low <= 0):
        raise BioBlobsError(f"{key}: expected low < high{', and low above 0 for log' if log else ''}")
    if kind == "int" and (low % 1 or high % 1):
        raise BioBlobsError(f"{key}: low and high of kind int are whole numbers; got {low:g}, {high:g}")
    return Dimension(key, kind, low, high, log)


def _number(key: str, entry: dict[str, Any], name: str) -> float:
    value = entry.pop(name, None)
    try:
        return float(value)  # YAML 1.1 reads 1e-4 as a text
    except (TypeError, ValueError):
        raise BioBlobsError(f"{key}: {name}: expected a number; got {value}") from None


def _text(choice: Any) -> str:
    """Write a value for ``-S key=value``."""
    return choice if isinstance(choice, str) else json.dumps(choice)
