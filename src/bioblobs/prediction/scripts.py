"""Scripts that load a coloured structure and name its blobs, for PyMOL and ChimeraX.

Blobs are named by importance, ``blob_1`` first; where a file has several predicted chains, ``blob_A_1``.
Residues are chosen by chain, author number and insertion code. No comment has a semicolon: both programs
begin a new command there.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence

from bioblobs.prediction.records import Blob, ChainPrediction, StructurePrediction
from bioblobs.report.palette import REST, colour

RESIDUES_A_TERM = 40
"""PyMOL reads words of a thousand characters at most."""


def selection_names(chains: Sequence[ChainPrediction]) -> list[str]:
    """What the blobs of each chain are called, without the number; alike in no letter case."""
    if len(chains) == 1:
        return ["blob_"]
    taken: set[str] = set()
    names = []
    for chain in chains:
        stem = name = f"blob_{re.sub(r'[^A-Za-z0-9]', '_', chain.chain) or 'x'}"
        for count in itertools.count(2):
            if name.lower() not in taken:
                break
            name = f"{stem}_{count}"
        taken.add(name.lower())
        names.append(f"{name}_")
    return names


def _blobs(structure: StructurePrediction, chain_names: Mapping[str, str]) -> Iterator[tuple[str, str, Blob]]:
    """Name of the selection, chain in the coloured file, and blob."""
    for stem, chain in zip(selection_names(structure.chains), structure.chains, strict=True):
        for blob in chain.blobs:
            yield f"{stem}{blob.number}", chain_names[chain.chain], blob


def _legend(name: str, blob: Blob) -> str:
    code = "" if blob.code is None else f", code {blob.code}"
    return f"# {name}: importance {blob.importance:.3f}{code}, {blob.sequence}"


def pymol_script(structure: StructurePrediction, file: str, chain_names: Mapping[str, str]) -> str:
    """A .pml file: residues by ``chain`` and ``resi``, minus signs escaped as PyMOL wants them."""
    model = f"%{structure.name}"
    lines = [
        f"# BioBlobs: {structure.name}. B-factor: blob, 0 for none. Occupancy: its importance.",
        "# Colour by importance instead: spectrum q, white_blue",
        "/import os",  # a slash begins a line of Python
        f'/cmd.load(os.path.join(os.path.dirname(__script__), "{file}"), "{structure.name}")',
        f"hide everything, {model}",
        f"show cartoon, {model}",
        f"color 0x{REST[1:]}, {model}",
    ]
    for name, chain, blob in _blobs(structure, chain_names):
        residues = [number.replace("-", "\\-") for number in blob.author]
        terms = " or ".join(f"resi {'+'.join(part)}" for part in _parts(residues))
        lines += [
            _legend(name, blob),
            f'select {name}, {model} and chain "{chain}" and ({terms})',
            f"color 0x{colour(blob.number)[1:]}, {name}",
        ]
    return "\n".join([*lines, "deselect", f"orient {model}", ""])


def chimerax_script(structure: StructurePrediction, file: str, chain_names: Mapping[str, str]) -> str:
    """A .cxc file, which ChimeraX runs in its own folder: residues as ``/chain:number``."""
    model = f'##name="{file}"'
    lines = [
        f"# BioBlobs: {structure.name}. B-factor: blob, 0 for none. Occupancy: its importance.",
        f"# Colour by importance instead: color byattribute occupancy {model} palette white:blue",
        f'open "{file}"',
        f"hide {model} atoms",
        f"cartoon {model}",
        f"color {model} {REST}",
    ]
    for name, chain, blob in _blobs(structure, chain_names):
        place = re.sub(r"[^A-Za-z0-9_]", "?", chain)  # "?" stands for any character
        lines += [
            _legend(name, blob),
            f"name {name} {model}/{place}:{','.join(blob.author)}",
            f"color {name} {colour(blob.number)}",
        ]
    return "\n".join([*lines, f"view {model}", ""])


def _parts(residues: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(residues), RESIDUES_A_TERM):
        yield residues[start : start + RESIDUES_A_TERM]
