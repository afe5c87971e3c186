"""Read the report that ``interpret`` writes: checked, and as tables."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from bioblobs.errors import BioBlobsError
from bioblobs.inference.chain import Chain, worth
from bioblobs.interpretation.versioned_json import Format, Keys, Older, nulls, schema_of, without
from bioblobs.sums import Sums

SCHEMA_VERSION = "4.0"
"""Raised in its first number when a reader must change."""
ADDED: Keys = {
    "": ("explanation",),
    "protein": ("explained", "logits"),
    "blob": ("contribution", "contributions"),
    "importance": ("unsupported", "share_against"),
    "code": ("evidence", "argues_for"),
}
"""Keys that reports of version 2.1 do not have; in them importance is an attention weight."""


def _schema_3() -> dict[str, Any]:
    return schema_of("bioblobs.interpretation", "schema_3.0.json")


def _from_3(content: dict[str, Any]) -> None:
    """Name blobs by slot, and rank them."""
    for protein in content["proteins"]:
        for blob in protein["blobs"]:
            blob["slot"] = blob.pop("blob")
        protein["blobs"].sort(key=lambda blob: -worth(blob["importance"], blob["contribution"]))
        for rank, blob in enumerate(protein["blobs"], start=1):
            blob["rank"] = rank
    for code in content["dataset"]["codes"]:
        found = [each for each in code["superposition"].values() if each]
        overlays = [each for part in found for each in part.get("overlay", ())]
        for reference in [*code["members"], *(part["medoid"] for part in found), *overlays]:
            reference["slot"] = reference.pop("blob")


def _from_2(content: dict[str, Any]) -> None:
    content["explanation"] = nulls(("head", "blob_view", "base"))
    content["dataset"]["importance"] |= nulls(ADDED["importance"])
    for code in content["dataset"]["codes"]:
        code |= nulls(ADDED["code"])
    for protein in content["proteins"]:
        protein |= nulls(ADDED["protein"])
        for blob in protein["blobs"]:
            blob |= nulls(ADDED["blob"])


REPORT = Format(
    package="bioblobs.interpretation",
    version=SCHEMA_VERSION,
    older=(
        Older("2.1", lambda: without(_schema_3(), ADDED, "2.1"), _from_2),
        Older("3.0", _schema_3, _from_3),
    ),
    name="report",
    remedy="run interpret again",
)


def schema() -> dict[str, Any]:
    """The JSON Schema of the report."""
    return REPORT.schema()


@dataclass(frozen=True)
class Report:
    """A report (schema.json), whole as ``content``, and as tables.

    Attributes:
        path: the file that it was read from; logos are named from its folder.
        content: everything that the file holds; what an older version does not have is None.
    """

    path: Path
    content: dict[str, Any]

    @cached_property
    def chains(self) -> list[Chain]:
        """Every protein as a typed record; of version 2.1 without ``explained`` and ``logits`` (None)."""
        return [Chain.from_json(protein) for protein in self.content["proteins"]]

    @cached_property
    def proteins(self) -> pd.DataFrame:
        """One row per protein, by ``id``: classes as lists; ``p_<class>`` and ``logit_<class>``."""
        plain = ("id", "length", "true", "predicted", "explained")
        rows = [
            {
                **{name: protein[name] for name in plain},
                **{f"p_{name}": p for name, p in protein["probabilities"].items()},
                **{f"logit_{name}": value for name, value in (protein["logits"] or {}).items()},
            }
            for protein in self.content["proteins"]
        ]
        per_class = [f"{kind}_{name}" for kind in ("p", "logit") for name in self.classes]
        return _by(rows, ["id"], [*plain, *per_class])

    @cached_property
    def blobs(self) -> pd.DataFrame:
        """One row per blob, by ``protein`` and ``slot``; residues are lists."""
        rows = [{"protein": protein, **blob} for protein, blob in self._blobs]
        table = _by(rows, ["protein", "slot"], [key for key in self._keys("blob") if key != "contributions"])
        return table.astype({"contribution": float})

    @cached_property
    def contributions(self) -> pd.DataFrame:
        """One row per blob, as in :attr:`blobs`, and one column per class; NaN with an attention head.

        ``report.base + report.contributions.groupby("protein").sum()`` are the logits of an additive head.
        """
        rows = [
            {"protein": protein, "slot": blob["slot"], **(blob["contributions"] or {})}
            for protein, blob in self._blobs
        ]
        return _by(rows, ["protein", "slot"], list(self.classes)).astype(float)

    @property
    def base(self) -> pd.Series[float]:
        """Logit of each class before any blob is read; NaN with an attention head."""
        return pd.Series(self.content["explanation"]["base"] or {}, list(self.classes), dtype=float)

    @cached_property
    def codes(self) -> pd.DataFrame:
        """One row per code, by ``code``: its numbers, and the class that it argues for."""
        lists = ("members", "against_background", "motif", "superposition", "enriched_classes", "evidence")
        rows = [{k: v for k, v in code.items() if k not in lists} for code in self._codes]
        return _by(rows, ["code"], [key for key in self._keys("code") if key not in lists])

    @cached_property
    def scorecard(self) -> pd.DataFrame:
        """One row per code in use, one column per class: contribution of a blob of that code; else NaN."""
        rows = [{"code": code["code"], **(code["evidence"] or {})} for code in self._codes]
        return _by(rows, ["code"], list(self.classes)).astype(float)

    @cached_property
    def members(self) -> pd.DataFrame:
        """One row per blob that has a code: ``code``, ``protein``, ``slot``."""
        return self._listed("members", "blob_reference")

    @cached_property
    def against_background(self) -> pd.DataFrame:
        """One row per code and feature: shares, log2 ratio, p-values."""
        return self._listed("against_background", "difference")

    @cached_property
    def enriched_classes(self) -> pd.DataFrame:
        """One row per code and class that it is enriched in: effect size, p-values."""
        return self._listed("enriched_classes", "enriched_class")

    @cached_property
    def superposition(self) -> pd.DataFrame:
        """One row per code, by ``code``; columns such as ``windows.same_structure.p``, NaN where null."""
        rows = [{"code": code["code"], **_without_nulls(code["superposition"])} for code in self._codes]
        if not rows:
            return _by([], ["code"], [])
        table = pd.json_normalize(rows).set_index("code")
        return table.drop(columns="windows.overlay", errors="ignore")

    @cached_property
    def overlay(self) -> pd.DataFrame:
        """One row per window laid on its code's medoid: ``code``, blob, RMSD, rotation, translation."""
        windows = [(code["code"], code["superposition"]["windows"]) for code in self._codes]
        rows = [{"code": code, **each} for code, found in windows if found for each in found["overlay"]]
        return pd.DataFrame(rows, columns=["code", *self._keys("overlaid")])

    def motif(self, code: int) -> pd.DataFrame:
        """Counts around the seeds of a code's blobs: one row per place, one column per residue type.

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

    @property
    def _blobs(self) -> list[tuple[str, Any]]:
        """Identifier of the protein, and blob."""
        return [(protein["id"], blob) for protein in self.content["proteins"] for blob in protein["blobs"]]

    def _listed(self, key: str, kind: str) -> pd.DataFrame:
        rows = [{"code": code["code"], **entry} for code in self._codes for entry in code[key]]
        return pd.DataFrame(rows, columns=["code", *self._keys(kind)])

    @staticmethod
    def _keys(kind: str) -> list[str]:
        """Columns, so that an empty table has them as well."""
        return list(schema()["$defs"][kind]["properties"])


def load(path: Path | str) -> Report:
    """Read and check a report: ``load("outputs/interpretability/test_interpretability.json").codes``.

    Reports of versions 2.1 and 3.0 are read too; what they do not have is None or NaN.

    Raises:
        BioBlobsError: no such file, not JSON, of another version, not as the schema says, or not what
            interpret wrote (where the run's digests are still beside it).
    """
    place = Path(path)
    Sums({"output": place.parent.parent}).check(place)
    return Report(place, REPORT.read(place))


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
