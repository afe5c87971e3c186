"""JSON files with a schema and a version: read, checked, and those of the version before brought up."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from bioblobs.errors import BioBlobsError

Keys = Mapping[str, tuple[str, ...]]
"""Name of a definition in the schema ("" the whole) -> keys of such an object."""


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes:
        package: where its ``schema.json`` is.
        version: ``schema_version`` of what is written now.
        older: the version before, which is read as well.
        added: the keys that ``older`` does not have.
        bring_up: gives a checked content of ``older`` those keys, null, in place.
        name: of the file in messages: "report".
        remedy: what to do about other versions: "run interpret again".
    """

    package: str
    version: str
    older: str
    added: Keys = field(hash=False)
    bring_up: Callable[[dict[str, Any]], None]
    name: str
    remedy: str

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of ``version``."""
        return json.loads(files(self.package).joinpath("schema.json").read_text())

    def older_schema(self) -> dict[str, Any]:
        """The JSON Schema of ``older``: without the keys that came later."""
        schema = copy.deepcopy(self.schema())
        for name, keys in self.added.items():
            part = schema["$defs"][name] if name else schema
            for key in keys:
                del part["properties"][key]
            part["required"] = [key for key in part["required"] if key not in keys]
        schema["properties"]["schema_version"] = {"const": self.older}
        return schema

    def read(self, path: Path) -> dict[str, Any]:
        """The content of a file in the form of ``version``; its ``schema_version`` stays as it was.

        Raises:
            BioBlobsError: no such file, not JSON, of another version, or not as its schema says.
        """
        content = _json(path)
        found = content.get("schema_version") if isinstance(content, dict) else None
        if found is None:
            raise BioBlobsError(f"{path}: no schema_version there; it is no {self.name} of BioBlobs")
        if found not in (self.version, self.older):
            raise BioBlobsError(
                f"{path}: {self.name} version {found}, this reader knows {self.older} and {self.version}; "
                f"{self.remedy}"
            )
        _check(path, content, self.schema() if found == self.version else self.older_schema())
        if found == self.older:
            self.bring_up(content)
        return content


def nulls(keys: tuple[str, ...]) -> dict[str, None]:
    """Keys that a file does not have."""
    return dict.fromkeys(keys)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BioBlobsError(f"{path}: cannot be read ({error})") from error
    except json.JSONDecodeError as error:
        raise BioBlobsError(f"{path}: not JSON (line {error.lineno}: {error.msg})") from error


def _check(path: Path, content: Any, schema: Mapping[str, Any]) -> None:
    import jsonschema  # here: reading is the only thing that needs it

    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(content))
    if error is not None:
        message = error.message if len(error.message) < 200 else f"{error.message[:200]} ..."
        raise BioBlobsError(f"{path}: {error.json_path}: {message}")
