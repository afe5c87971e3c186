"""Read the report that ``interpret`` writes: checked, and as tables."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd

from bioblobs.errors import BioBlobsError

SCHEMA_VERSION = "2.1"
"""Raised in its first number when a reader must change."""


def schema() -> dict[str, Any]:
    """The JSON Schema of the report."""
    return json.loads(files("bioblobs.interpretation").joinpath("schema.json").read_text())


@dataclass(frozen=True)
class Report:
    """A report (schema.json), whole as ``content``, and as tables.

    Attributes:
        path: the file that it was read from; logos are named from its folder.
        content: everything that the file holds.
    """

    path: Path
    content: dict[str, Any]

    @cached_property
    def proteins(self) -> pd.DataFrame:
        """One row a protein, by ``id``: classes as lists, the probability of class c in column ``p_c``."""
        rows = [
            {
                **{name: protein[name] for name in ("id", "length", "true", "predicted")},
                **{f"p_{name}": p for name, p in protein["probabilities"].items()},
            }
            for protein in self.content["proteins"]
        ]
        columns = ["id", "length", "true", "predicted", *(f"p_{name}" for name in self.classes)]
        return pd.DataFrame(rows, columns=columns).set_index("id")

    @cached_property
    def blobs(self) -> pd.DataFrame:
        """One row a blob, by ``protein`` and slot ``blob``; residues are lists."""
        rows = [{"protein": p["id"], **blob} for p in self.content["proteins"] for blob in p["blobs"]]
        return _by(rows, ["protein", "blob"], self._keys("blob"))

    @cached_property
    def codes(self) -> pd.DataFrame:
        """One row a code, by ``code``: what it holds in numbers; other tables hold its lists."""
        lists = ("members", "against_background", "motif", "superposition", "enriched_classes")
        rows = [{k: v for k, v in code.items() if k not in lists} for code in self._codes]
        return _by(rows, ["code"], [key for key in self._keys("code") if key not in lists])

    @cached_property
    def members(self) -> pd.DataFrame:
        """One row a blob that has a code: ``code``, ``protein``, ``blob``."""
        return self._listed("members", "blob_reference")

    @cached_property
    def against_background(self) -> pd.DataFrame:
        """One row a code and feature: shares, log2 ratio, p-values."""
        return self._listed("against_background", "difference")

    @cached_property
    def enriched_classes(self) -> pd.DataFrame:
        """One row a code and class that it is enriched in: effect size, p-values."""
        return self._listed("enriched_classes", "enriched_class")

    @cached_property
    def superposition(self) -> pd.DataFrame:
        """One row a code, by ``code``; columns such as ``windows.same_structure.p``, NaN where null."""
        rows = [{"code": code["code"], **_without_nulls(code["superposition"])} for code in self._codes]
        if not rows:
            return _by([], ["code"], [])
        table = pd.json_normalize(rows).set_index("code")
        return table.drop(columns="windows.overlay", errors="ignore")

    @cached_property
    def overlay(self) -> pd.DataFrame:
        """One row a window laid on its code's medoid: ``code``, blob, RMSD, rotation, translation."""
        windows = [(code["code"], code["superposition"]["windows"]) for code in self._codes]
        rows = [{"code": code, **each} for code, found in windows if found for each in found["overlay"]]
        return pd.DataFrame(rows, columns=["code", *self._keys("overlaid")])

    def motif(self, code: int) -> pd.DataFrame:
        """Counts around the seeds of a code's blobs: one row a place, one column a residue type.

        Raises:
            BioBlobsError: no blob has the code.
        """
        found = next((entry["motif"] for entry in self._codes if entry["code"] == code), None)
        if found is None:
            raise BioBlobsError(f"{self.path}: no blob has code {code}")
        table = pd.DataFrame(found["counts"])
        return table.set_axis(range(found["first"], found["first"] + len(table)))

    @property
    def classes(self) -> dict[str, str]:
        """Class identifier -> name."""
        return self.content["task"]["classes"]

    @property
    def _codes(self) -> list[Any]:
        return self.content["dataset"]["codes"]

    def _listed(self, key: str, kind: str) -> pd.DataFrame:
        rows = [{"code": code["code"], **entry} for code in self._codes for entry in code[key]]
        return pd.DataFrame(rows, columns=["code", *self._keys(kind)])

    @staticmethod
    def _keys(kind: str) -> list[str]:
        """Columns, so that an empty table has them as well."""
        return list(schema()["$defs"][kind]["properties"])


def load(path: Path | str) -> Report:
    """Read and check a report: ``load("outputs/interpretability/test_interpretability.json").codes``.

    Raises:
        BioBlobsError: no such file, not JSON, of another version, or not as the schema says.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise BioBlobsError(f"{path}: cannot be read ({error})") from error
    except json.JSONDecodeError as error:
        raise BioBlobsError(f"{path}: not JSON (line {error.lineno}: {error.msg})") from error
    found = content.get("schema_version") if isinstance(content, dict) else None
    if found is None:
        raise BioBlobsError(f"{path}: no schema_version there; it is no report of the interpret stage")
    if found != SCHEMA_VERSION:
        raise BioBlobsError(
            f"{path}: report version {found}, this reader knows {SCHEMA_VERSION}; run interpret again"
        )
    _validate(path, content)
    return Report(path, content)


def _validate(path: Path, content: Any) -> None:
    import jsonschema  # here: reading is the only thing that needs it

    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema()).iter_errors(content))
    if error is not None:
        message = error.message if len(error.message) < 200 else f"{error.message[:200]} ..."
        raise BioBlobsError(f"{path}: {error.json_path}: {message}")


def _by(rows: list[dict[str, Any]], index: list[str], columns: list[str]) -> pd.DataFrame:
    every = [*index, *(name for name in columns if name not in index)]
    return pd.DataFrame(rows, columns=every).set_index(index)


def _without_nulls(entry: dict[str, Any]) -> dict[str, Any]:
    """Nested keys that hold something: a null would become a column beside those of its keys."""
    return {
        key: _without_nulls(value) if isinstance(value, dict) else value
        for key, value in entry.items()
        if value is not None
    }
