"""Local copies of ProteinShake's files: found, linked, unpacked or downloaded, and checked.

Addresses are those of the installed ProteinShake.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from bioblobs.errors import BioBlobsError
from bioblobs.io import write_json
from bioblobs.sources.resumable import TIMEOUT, FetchError, fetch, size_of
from bioblobs.sources.unpacking import DamagedError, unpack

DATASET_CLASSES = {
    "enzymecommission": "EnzymeCommissionDataset",
    "geneontology": "GeneOntologyDataset",
    "proteinfamily": "ProteinFamilyDataset",
    "scop": "SCOPDataset",
}
RESOLUTIONS = ("residue", "atom")
MANIFEST = "manifest.json"
"""File of size, protein count and SHA-256 of each file that was downloaded or unpacked here."""


def shake_root(data_dir: Path | str, dataset_name: str) -> Path:
    """Return the folder of a data set's files."""
    return Path(data_dir) / "raw" / dataset_name


def shake_file(root: Path, dataset_name: str, resolution: str) -> Path:
    """Return ``<root>/<Dataset>.{residue,atom}.avro``."""
    return root / f"{DATASET_CLASSES[dataset_name]}.{resolution}.avro"


def ensure_files(root: Path, dataset_name: str) -> None:
    """Provide both files of a data set; check those that are there.

    A missing file is unpacked from ``<name>.gz`` beside it, or downloaded.

    Raises:
        BioBlobsError: a file cannot be provided, or differs from the manifest.
    """
    with _alone(root):
        for resolution in RESOLUTIONS:
            path = shake_file(root, dataset_name, resolution)
            if path.is_file():
                _check(path)
            elif (packed := path.with_name(f"{path.name}.gz")).is_file():
                _note(path, unpack(packed, path), packed.name)
            elif not _linked_from_workspace(path):
                _download(path)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Lock a folder, so that two queued runs do not write to one file."""
    handle = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _download(path: Path) -> None:
    part = path.with_name(f"{path.name}.gz.part")
    try:
        release = _release(path)
        url = f"{release}/{path.name}.gz"
        published = _published_md5(release).get(f"{path.name}.gz")
        fetch(url, part)
        if published and _digest(part, "md5") != published:
            part.unlink()
            raise FetchError(f"what {url} sent has not the published MD5 checksum")
    except FetchError as error:
        raise BioBlobsError(
            f"{path}: not there, and it could not be downloaded: {error}; "
            f"try again, or put {path.name} or {path.name}.gz there by hand"
        ) from error
    try:
        entry = unpack(part, path)
    except DamagedError:
        part.unlink()
        raise
    _note(path, entry, url)
    part.unlink()


def _release(path: Path) -> str:
    """Return the address of ProteinShake's release, as the data set's own class has it."""
    from proteinshake import datasets

    name = path.name.split(".")[0]
    # The class would ask the network on construction unless files were there.
    kind = type(name, (getattr(datasets, name),), {"precomputed_already_downloaded": lambda self: True})
    return str(kind(root=str(path.parent), verbosity=0).repository_url)


def _published_md5(release: str) -> dict[str, str]:
    """Ask the repository for the MD5 of each file of the release; empty without an answer."""
    record = release.replace("/records/", "/api/records/").removesuffix("/files")
    try:
        answer = requests.get(record, timeout=TIMEOUT[0])
        return {each["key"]: each["checksum"].removeprefix("md5:") for each in answer.json()["files"]}
    except (requests.RequestException, ValueError, LookupError, TypeError, AttributeError):
        return {}


def _note(path: Path, entry: dict[str, Any], origin: str) -> None:
    manifest = path.with_name(MANIFEST)
    held = json.loads(manifest.read_text()) if manifest.is_file() else {}
    write_json(manifest, {**held, path.name: {**entry, "from": origin}})


def _check(path: Path) -> None:
    """Compare a file with the manifest; one that was put there by hand has no entry and is used as it is."""
    manifest = path.with_name(MANIFEST)
    try:
        entry = json.loads(manifest.read_text()).get(path.name) if manifest.is_file() else None
        same = entry is None or (
            size_of(path) == entry["bytes"] and _digest(path, "sha256") == entry["sha256"]
        )
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise BioBlobsError(f"{manifest}: not readable; delete it to use the files as they are") from error
    if not same:
        raise BioBlobsError(
            f"{path}: damaged or changed since {MANIFEST} was written; delete the file to fetch it again, "
            f"or {MANIFEST} to use the file as it is"
        )


def _digest(path: Path, kind: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()


def _linked_from_workspace(path: Path) -> bool:
    """Link the file from the workspace, in the temporary copy of a queued experiment.

    DVC runs ``dvc exp run --queue`` in ``<workspace>/.dvc/tmp/exps/<name>`` (``--temp``: a folder deeper),
    where a relative data_dir is empty.
    """
    here = Path.cwd()
    clone = next((folder for folder in (here, *here.parents) if (folder / ".dvc").is_dir()), here)
    for folder in clone.parents:
        if folder.parts[-3:] == (".dvc", "tmp", "exps") and not path.is_absolute():
            held = folder.parents[2] / here.relative_to(clone) / path
            if held.is_file():
                path.symlink_to(held.resolve())
                return True
    return False
