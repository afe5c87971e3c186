"""predictions.json, written structure by structure: to a file, or to standard output."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

from bioblobs import __version__
from bioblobs.interpretation.versioned_json import DIGEST, ContentDigest
from bioblobs.prediction.predicted import StructurePrediction
from bioblobs.prediction.saved import SCHEMA_VERSION
from bioblobs.prediction.structure_files import shown_name


class JsonDocument:
    """One document, begun with its first structure that has a predicted chain; earlier ones wait for it.

    So nothing is written where nothing can be predicted.
    """

    def __init__(self, file: TextIO, about: Mapping[str, Any]) -> None:
        self.file, self.waiting, self.begun = file, list[str](), False
        head = {"schema_version": SCHEMA_VERSION, "bioblobs_version": __version__, "model": about}
        self.head, self.digest = json.dumps(head, allow_nan=False), ContentDigest()
        self.digest.add(json.loads(self.head))

    def add(self, structure: StructurePrediction, coloured: Iterable[str] = ()) -> None:
        """Write one structure.

        Args:
            coloured: names of its coloured files.
        """
        record = {
            "file": shown_name(structure.path),
            "name": structure.name,
            "models": structure.models,
            "coloured": list(coloured),
            "chains": [chain.to_json() for chain in structure.chains],
            "skipped": [{"chain": each.chain, "reason": each.reason} for each in structure.skipped],
        }
        text = json.dumps(record, allow_nan=False)
        self.digest.add(json.loads(text))
        self.waiting.append(text)
        if self.begun or structure.chains:
            start = ",\n" if self.begun else self.head[:-1] + ', "structures": [\n'
            self.file.write(start + ",\n".join(self.waiting))
            self.begun, self.waiting = True, []

    def end(self) -> None:
        """Close the document, if it was begun."""
        if self.begun:
            self.file.write(f'\n], "{DIGEST}": "{self.digest.hex}"}}\n')
