"""Scripts that load a coloured structure and name its blobs, for PyMOL and ChimeraX.

Blobs are named by their rank, ``blob_1`` first; where a file has several predicted chains, ``blob_A_1``.
Blobs have the colour of their contribution, or with an attention head one of the palette; a comment has the
palette's colour as well. Residues are chosen by chain, author number and insertion code. No comment has a
semicolon: both programs begin a new command there.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from bioblobs.inference.chain import Blob
from bioblobs.prediction.colours import blob_colour, legend
from bioblobs.prediction.predicted import ChainPrediction, StructurePrediction
from bioblobs.report.palette import REST, colour

RESIDUES_A_TERM = 40
"""PyMOL reads words of a thousand characters at most."""


def selection_names(chains: Sequence[ChainPrediction]) -> list[str]:
    """Names of each chain's blobs, without the number; unique ignoring case."""
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


Line = Callable[[str, str], str]
"""Colour and name of a selection -> a command."""


def pymol_script(structure: StructurePrediction, file: str, chain_names: Mapping[str, str]) -> str:
    """A .pml file: residues by ``chain`` and ``resi``, minus signs escaped as PyMOL wants them."""
    model = f"%{structure.name}"
    lines = [
        *_header(structure),
        "# Colour by importance instead: spectrum q, white_blue",
        "/import os",  # a slash begins a line of Python
        f'/cmd.load(os.path.join(os.path.dirname(__script__), "{file}"), "{structure.name}")',
        f"hide everything, {model}",
        f"show cartoon, {model}",
        f"color 0x{REST[1:]}, {model}",
    ]
    for stem, chain in _chains(structure):
        lines += _legend(chain)
        for blob in chain.blobs:
            name = f"{stem}{blob.rank}"
            residues = [number.replace("-", "\\-") for number in blob.numbers]
            terms = " or ".join(f"resi {'+'.join(part)}" for part in _parts(residues))
            select = f'select {name}, {model} and chain "{chain_names[chain.chain]}" and ({terms})'
            lines += _blob(chain, blob, name, select, lambda hex, name: f"color 0x{hex[1:]}, {name}")
    return "\n".join([*lines, "deselect", f"orient {model}", ""])


def chimerax_script(structure: StructurePrediction, file: str, chain_names: Mapping[str, str]) -> str:
    """A .cxc file, which ChimeraX runs in its own folder: residues as ``/chain:number``."""
    model = f'##name="{file}"'
    lines = [
        *_header(structure),
        f"# Colour by importance instead: color byattribute occupancy {model} palette white:blue",
        f'open "{file}"',
        f"hide {model} atoms",
        f"cartoon {model}",
        f"color {model} {REST}",
    ]
    for stem, chain in _chains(structure):
        place = re.sub(r"[^A-Za-z0-9_]", "?", chain_names[chain.chain])  # "?" stands for any character
        lines += _legend(chain)
        for blob in chain.blobs:
            name = f"{stem}{blob.rank}"
            select = f"name {name} {model}/{place}:{','.join(blob.numbers)}"
            lines += _blob(chain, blob, name, select, lambda hex, name: f"color {name} {hex}")
    return "\n".join([*lines, f"view {model}", ""])


def _header(structure: StructurePrediction) -> list[str]:
    return [f"# BioBlobs: {structure.name}. B-factor: blob, 0 for none. Occupancy: its importance."]


def _chains(structure: StructurePrediction) -> Iterator[tuple[str, ChainPrediction]]:
    """Name of the chain's blobs, without their number, and chain."""
    return zip(selection_names(structure.chains), structure.chains, strict=True)


def _legend(chain: ChainPrediction) -> list[str]:
    text = legend(chain)
    return [_comment(f"Chain {chain.chain or 'without id'}: {text}")] if text else []


def _blob(chain: ChainPrediction, blob: Blob, name: str, select: str, paint: Line) -> list[str]:
    """Lines of one blob: description, selection and colour; the palette's colour as a comment."""
    code = "" if blob.code is None else f", code {blob.code}"
    part = "" if blob.contribution is None else f"contribution {blob.contribution:+.3f}, "
    lines = [
        f"# {name}: {part}importance {blob.importance:.3f}{code}, {blob.sequence}",
        select,
        paint(blob_colour(chain, blob), name),
    ]
    if blob.contribution is not None:
        lines.append(f"# One colour per blob instead: {paint(colour(blob.rank), name)}")
    return lines


def _comment(text: str) -> str:
    """One line without a semicolon, whatever class names hold."""
    return "# " + " ".join(text.replace(";", ",").split())


def _parts(residues: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(residues), RESIDUES_A_TERM):
        yield residues[start : start + RESIDUES_A_TERM]
