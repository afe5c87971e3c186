"""Scripts that load a coloured structure and name its blobs, for PyMOL and ChimeraX.

Blobs are named by their rank, ``blob_1`` first; where a file has several predicted chains, ``blob_A_1``.
Blobs have the colour of their contribution, or with an attention head one of the palette; a comment has the
palette's colour as well. Residues are chosen by chain, author number and insertion code; where these have
characters that mean something in a script, by the serial numbers of their atoms. No comment has a semicolon:
both programs begin a new command there.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence

from bioblobs.errors import printable
from bioblobs.inference.chain import Blob
from bioblobs.prediction.coloured import Place
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
Places = Sequence[Sequence[Place]]
"""Of each predicted chain, its residues in the coloured file."""


def pymol_script(structure: StructurePrediction, file: str, places: Places) -> str:
    """A .pml file: residues by ``chain`` and ``resi``, minus signs escaped as PyMOL wants them."""
    name = object_name(structure.name)
    model = f"%{name}"
    lines = [
        *_header(structure),
        "# Colour by importance instead: spectrum q, white_blue",
        "/import os",  # a slash begins a line of Python
        f'/cmd.load(os.path.join(os.path.dirname(__script__), "{file}"), "{name}")',
        f"hide everything, {model}",
        f"show cartoon, {model}",
        f"color 0x{REST[1:]}, {model}",
    ]
    for stem, chain, residues in _chains(structure, places):
        lines += _legend(chain)
        for blob in chain.blobs:
            name = f"{stem}{blob.rank}"
            select = f"select {name}, {model} and {_pymol_terms([residues[row] for row in blob.residues])}"
            lines += _blob(chain, blob, name, select, lambda hex, name: f"color 0x{hex[1:]}, {name}")
    return "\n".join([*lines, "deselect", f"orient {model}", ""])


def object_name(name: str) -> str:
    """Name of the structure in PyMOL, which has many words of letters, and where blobs are selections."""
    taken = re.fullmatch("[A-Za-z.]+", name) or name.lower().startswith("blob_")
    return f"{name}_structure" if taken else name


def _pymol_terms(residues: Sequence[Place]) -> str:
    if by_name(residues):
        field, words = "resi", [_number(each).replace("-", "\\-") for each in residues]
        within = f'chain "{residues[0].chain}" and '
    else:
        field, words, within = "id", [f"{first}-{last}" for first, last in _serials(residues)], ""
    terms = [f"{field} {'+'.join(part)}" for part in _parts(words)]
    return f"{within}({' or '.join(terms)})"


def chimerax_script(structure: StructurePrediction, file: str, places: Places) -> str:
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
    for stem, chain, residues in _chains(structure, places):
        lines += _legend(chain)
        for blob in chain.blobs:
            name = f"{stem}{blob.rank}"
            terms = _chimerax_terms([residues[row] for row in blob.residues])
            select = f"name {name} " + " | ".join(f"{model}{term}" for term in terms)
            lines += _blob(chain, blob, name, select, lambda hex, name: f"color {name} {hex}")
    return "\n".join([*lines, f"view {model}", ""])


def _chimerax_terms(residues: Sequence[Place]) -> list[str]:
    if by_name(residues):
        return [f"/{residues[0].chain}:{','.join(map(_number, residues))}"]
    return [f"@@serial_number>={first},serial_number<={last}" for first, last in _serials(residues)]


def by_name(residues: Sequence[Place]) -> bool:
    """Tell whether both programs can name these residues, and no others, by chain and number.

    Else they are chosen by the serial numbers of their atoms. Both programs read characters such as ``!`` and
    ``*`` as parts of their languages, and PyMOL takes insertion codes in either case for one another.
    """
    names = {each.chain for each in residues}
    return all(each.alone and re.fullmatch("[A-Z]?", each.code) for each in residues) and all(
        re.fullmatch("[A-Za-z0-9]+", name) for name in names
    )


def _number(residue: Place) -> str:
    return f"{residue.number}{residue.code}"


def _serials(residues: Sequence[Place]) -> list[list[int]]:
    """First and last atom of each run of residues."""
    runs: list[list[int]] = []
    for first, last in sorted(pair for each in residues for pair in each.serials):
        if runs and first == runs[-1][1] + 1:
            runs[-1][1] = last
        else:
            runs.append([first, last])
    return runs


def _header(structure: StructurePrediction) -> list[str]:
    return [f"# BioBlobs: {structure.name}. B-factor: blob, 0 for none. Occupancy: its importance."]


def _chains(
    structure: StructurePrediction, places: Places
) -> Iterator[tuple[str, ChainPrediction, Sequence[Place]]]:
    """Name of the chain's blobs, without their number; the chain; its residues."""
    return zip(selection_names(structure.chains), structure.chains, places, strict=True)


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
    """One line without a semicolon or control character, whatever class and chain names hold."""
    return "# " + printable(" ".join(text.replace(";", ",").split()))


def _parts(residues: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(residues), RESIDUES_A_TERM):
        yield residues[start : start + RESIDUES_A_TERM]
