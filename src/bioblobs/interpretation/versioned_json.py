"""JSON files with a schema and a version: read, checked, and those of older versions brought up."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from bioblobs.errors import BioBlobsError

SHARED = "../inference/schema.json#"
"""Reference to definitions that several files share."""
DIGEST = "sha256"
"""Key of the digest of all else in a file; optional."""
Keys = Mapping[str, tuple[str, ...]]
"""Name of a definition in the schema ("" the whole) -> keys of such an object."""


@dataclass(frozen=True)
class Older:
    """A version of a file that is read as well.

    Attributes:
        version: its ``schema_version``.
        schema: its JSON Schema.
        bring_up: turns a checked content into the next version's, in place; keys that it lacks become null.
    """

    version: str
    schema: Callable[[], dict[str, Any]]
    bring_up: Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes:
        package: room of its ``schema.json``.
        version: ``schema_version`` of what is written now.
        older: versions that are read as well, oldest first.
        name: of the file in messages: "report".
        remedy: what to do about other versions: "run interpret again".
        items: key of the long list, whose entries count one by one in the digest of a file that has one.
    """

    package: str
    version: str
    older: tuple[Older, ...]
    name: str
    remedy: str
    items: str = ""

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of ``version``, with the definitions that it shares with other files."""
        text = files(self.package).joinpath("schema.json").read_text()
        schema = json.loads(text.replace(SHARED, "#"))
        schema["$defs"] = schema_of("bioblobs.inference")["$defs"] | schema["$defs"]
        return schema

    def read(self, path: Path) -> dict[str, Any]:
        """The content of a file in the form of ``version``; its ``schema_version`` stays as it was.

        Raises:
            BioBlobsError: no such file, not JSON, of another version, not as its schema says, or not what was
                written.
        """
        content = _json(path)
        found = content.get("schema_version") if isinstance(content, dict) else None
        if not isinstance(found, str):
            raise BioBlobsError(f"{path}: no schema_version there; it is no {self.name} of BioBlobs")
        older = [each.version for each in self.older]
        if found not in (*older, self.version):
            raise BioBlobsError(
                f"{path}: {self.name} version {found}, this reader knows {', '.join(older)} and "
                f"{self.version}; {self.remedy}"
            )
        steps = [] if found == self.version else self.older[older.index(found) :]
        _check(path, content, steps[0].schema() if steps else self.schema())
        if not steps and DIGEST in content:
            self._compare(path, content)
        for step in steps:
            step.bring_up(content)
        return content

    def _compare(self, path: Path, content: dict[str, Any]) -> None:
        """Compare the content with its digest, which is taken out of it."""
        written, digest = content.pop(DIGEST), ContentDigest()
        for part in ({k: v for k, v in content.items() if k != self.items}, *content[self.items]):
            digest.add(part)
        if digest.hex != written:
            raise BioBlobsError(
                f"{path}: damaged or edited: not what was written (its sha256 differs); {self.remedy}, or "
                f"remove the key {DIGEST} from what was edited on purpose"
            )


class ContentDigest:
    """SHA-256 of JSON values, one after another; white space and the order of keys do not count."""

    def __init__(self) -> None:
        self._sum = hashlib.sha256()

    def add(self, part: Any) -> None:
        """Add a value as it is read from JSON."""
        self._sum.update(json.dumps(part, sort_keys=True).encode() + b"\n")

    @property
    def hex(self) -> str:
        """The digest of all values so far."""
        return self._sum.hexdigest()


def schema_of(package: str, name: str = "schema.json") -> dict[str, Any]:
    """A schema file of a room, as it is."""
    return json.loads(files(package).joinpath(name).read_text())


def without(later: Mapping[str, Any], added: Keys, version: str) -> dict[str, Any]:
    """The schema of ``version``: the later one without the keys ``added``."""
    schema = copy.deepcopy(dict(later))
    for name, keys in added.items():
        part = schema["$defs"][name] if name else schema
        for key in keys:
            del part["properties"][key]
        part["required"] = [key for key in part["required"] if key not in keys]
    schema["properties"]["schema_version"] = {"const": version}
    return schema


def nulls(keys: tuple[str, ...]) -> dict[str, None]:
    """Keys that a file does not have."""
    return dict.fromkeys(keys)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise BioBlobsError(f"{path}: not JSON (line {error.lineno}: {error.msg})") from error
    except (OSError, ValueError, RecursionError) as error:
        said = " ".join(str(error).split())
        raise BioBlobsError(f"{path}: cannot be read ({said})") from error


def _check(path: Path, content: Any, schema: Mapping[str, Any]) -> None:
    import jsonschema  # here: reading is the only thing that needs it

    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(content))
    if error is not None:
        message = error.message if len(error.message) < 200 else f"{error.message[:200]} ..."
        raise BioBlobsError(f"{path}: {error.json_path}: {message}")
