"""Read the predictions.json that ``bioblobs predict`` writes: checked, and as tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from bioblobs.interpretation.versioned_json import Format, Keys, Older, nulls, schema_of, without

SCHEMA_VERSION = "3.1"
"""Of predictions.json; raised in its first number when a reader must change."""
ADDED: Keys = {
    "model": ("head", "blob_view", "base"),
    "chain": ("explained", "logits"),
    "blob": ("contribution", "contributions"),
}
"""Keys that predictions of version 1.0 do not have; in them importance is an attention weight."""
NEW_IN_3_1 = ("temperature", "blob_input", "baselines", "calibration")
"""Keys of ``model`` that predictions of version 3.0 do not have."""


def _schema_2() -> dict[str, Any]:
    return schema_of("bioblobs.prediction", "schema_2.0.json")


def _schema_3_0() -> dict[str, Any]:
    return without(PREDICTIONS.schema(), {"model": NEW_IN_3_1}, "3.0")


def _from_3_0(content: dict[str, Any]) -> None:
    content["model"] |= nulls(("temperature", "blob_input"))


def _from_2(content: dict[str, Any]) -> None:
    """Name blobs by rank (slots were not written), and residues by chain and number."""
    for structure in content["structures"]:
        for chain in structure["chains"]:
            author = re.sub(r"\.\d+$", "", chain["chain"])
            for blob in chain["blobs"]:
                blob |= {"slot": None, "rank": blob.pop("blob")}
                blob["author"] = [f"{author}/{number}" for number in blob["author"]]


def _from_1(content: dict[str, Any]) -> None:
    content["model"] |= nulls(ADDED["model"])
    for structure in content["structures"]:
        for chain in structure["chains"]:
            chain |= nulls(ADDED["chain"])
            for blob in chain["blobs"]:
                blob |= nulls(ADDED["blob"])


PREDICTIONS = Format(
    package="bioblobs.prediction",
    version=SCHEMA_VERSION,
    older=(
        Older("1.0", lambda: without(_schema_2(), ADDED, "1.0"), _from_1),
        Older("2.0", _schema_2, _from_2),
        Older("3.0", _schema_3_0, _from_3_0),
    ),
    name="predictions file",
    remedy="run bioblobs predict again",
    items="structures",
)


@dataclass(frozen=True)
class SavedPredictions:
    """A predictions.json (schema.json), whole as ``content``, and as tables.

    Attributes:
        path: the file that it was read from.
        content: everything that the file holds; what an older version does not have is None.
    """

    path: Path
    content: dict[str, Any]

    @property
    def classes(self) -> dict[str, str]:
        """Class identifier -> name."""
        return self.content["model"]["classes"]

    @cached_property
    def chains(self) -> pd.DataFrame:
        """One row per chain, by ``id``: classes and notes as lists; ``p_<class>`` and ``logit_<class>``."""
        plain = ("id", "file", "chain", "length", "predicted", "explained", "notes", "outside_training")
        rows = [
            {
                **{name: ({"file": file} | chain)[name] for name in plain},
                **{f"p_{name}": p for name, p in chain["probabilities"].items()},
                **{f"logit_{name}": value for name, value in (chain["logits"] or {}).items()},
            }
            for file, chain in self._chains()
        ]
        per_class = [f"{kind}_{name}" for kind in ("p", "logit") for name in self.classes]
        return pd.DataFrame(rows, columns=[*plain, *per_class]).set_index("id")

    @cached_property
    def blobs(self) -> pd.DataFrame:
        """One row per blob, by ``id`` and ``rank``: ``c_<class>`` are contributions, or NaN."""
        rows = [
            {
                "id": chain["id"],
                **{key: value for key, value in blob.items() if key != "contributions"},
                **{f"c_{name}": value for name, value in (blob["contributions"] or {}).items()},
            }
            for _, chain in self._chains()
            for blob in chain["blobs"]
        ]
        keys = PREDICTIONS.schema()["$defs"]["blob"]["properties"]
        numbers = [f"c_{name}" for name in self.classes]
        columns = ["id", *(key for key in keys if key != "contributions"), *numbers]
        table = pd.DataFrame(rows, columns=columns).set_index(["id", "rank"])
        return table.astype(dict.fromkeys(["contribution", *numbers], float))

    def _chains(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """File and chain."""
        for structure in self.content["structures"]:
            for chain in structure["chains"]:
                yield structure["file"], chain


def read_predictions(path: Path | str) -> SavedPredictions:
    """Read and check a predictions.json: ``read_predictions("results/predictions.json").blobs``.

    Files of versions 1.0, 2.0 and 3.0 are read too; what they do not have is None or NaN.

    Raises:
        BioBlobsError: no such file, not JSON, of another version, or not as the schema says.
    """
    return SavedPredictions(Path(path), PREDICTIONS.read(Path(path)))
