"""Structure files with names that mean something in files and scripts, and readers of what is written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gemmi
import numpy as np
from biotite.structure.io.pdb import PDBFile
from biotite.structure.io.pdbx import CIFFile, get_structure

from bioblobs.prediction.predicted import StructurePrediction
from structure_files import atom, long_chain, residue, structure_of

SINGLE = ("_", "$", '"', "'", ";", "#", "!", "@", "*", "%", "[", "\\", "/", ".", "?", "+", "A", "a")
"""Chain ids of one character, as a PDB file has them."""
LONGER = (
    "a b", 'a"', "b'", "A/1", "_x", "#1", "A;B", "x@", "!x", "x y", "A.1", "AB", "ab",
    "&", "|", "~", "-", "''", "\x1b",
)  # fmt: skip
"""Chain ids of an mmCIF file."""
CODES = ("/", ";", "'", '"', "a", "A", "#", "_", "$", "!")
"""Insertion codes."""
Spot = tuple[float, float, float]
"""C-alpha, which tells residues apart whatever they are called (angstrom)."""


def chain(name: str, place: int, length: int = 24, codes: Sequence[str] = CODES) -> gemmi.Chain:
    """Residues 1 to ``length``; those after the first are inserted at its number, one per code."""
    made = gemmi.Chain(name)
    xyz = long_chain(length, place) + np.array([0, 15 * place, 0], np.float32)
    kinds = ("ALA", "GLY", "SER", "LEU")
    for row in range(length):
        code = codes[row - 1] if 0 < row <= len(codes) else ""
        number = 1 if row <= len(codes) else row + 1
        each = residue(kinds[row % len(kinds)], number, code)
        for kind, spot in zip(("N", "CA", "C", "O"), xyz[row], strict=True):
            each.add_atom(atom(kind, spot, occupancy=0.75))
            each[-1].b_iso = 50 + row
        made.add_residue(each)
    return made


def ligand(name: str, place: int) -> gemmi.Chain:
    """One hetero residue of that name, in a chain of its own."""
    made = gemmi.Chain("L")
    each = residue(name, 900 + place, het=True)
    each.add_atom(atom("C1", (0, -50 - place, 0)))
    made.add_residue(each)
    return made


def write_pdb(path: Path, chains: Sequence[gemmi.Chain]) -> Path:
    """By gemmi; PDB columns hold any byte."""
    path.write_text(structure_of(*chains).make_pdb_string())
    return path


COLUMNS = (
    "group_PDB", "id", "type_symbol", "label_atom_id", "label_alt_id", "label_comp_id",
    "label_asym_id", "Cartn_x", "Cartn_y", "Cartn_z", "occupancy", "B_iso_or_equiv",
    "auth_seq_id", "auth_asym_id", "pdbx_PDB_ins_code",
)  # fmt: skip


def write_cif(path: Path, chains: Sequence[gemmi.Chain]) -> Path:
    """By hand, every name in quotes: gemmi and biotite leave some out."""
    lines = ["data_x", "loop_", *(f"_atom_site.{name}" for name in COLUMNS)]
    for place, chain in enumerate(chains):
        for part in chain:
            for each in part:
                x, y, z = each.pos.tolist()
                group = "HETATM" if part.het_flag == "H" else "ATOM"
                number, code = part.seqid.num, part.seqid.icode.strip()
                words = [group, len(lines), each.element.name, each.name, ".", quoted(part.name), f"L{place}"]
                words += [f"{x:.3f} {y:.3f} {z:.3f}", each.occ, each.b_iso, number, quoted(chain.name)]
                lines.append(" ".join(map(str, [*words, quoted(code) if code else "?"])))
    path.write_text("\n".join([*lines, ""]))
    return path


def quoted(name: str) -> str:
    """In the quotes that are not in it."""
    return f"'{name}'" if '"' in name else f'"{name}"'


def spots(rows: np.ndarray) -> set[Spot]:
    """C-alphas of a file's precision."""
    return {(round(float(x), 3), round(float(y), 3), round(float(z), 3)) for x, y, z in rows}


def wanted(structure: StructurePrediction) -> dict[tuple[int, int], set[Spot]]:
    """(Chain, rank) -> C-alphas of the blob, as the model saw them."""
    return {
        (place, blob.rank): spots(
            chain.protein.coordinates[blob.residues, 1] + np.array(chain.protein.origin)
        )
        for place, chain in enumerate(structure.chains)
        for blob in chain.blobs
    }


def marked_by_gemmi(path: Path) -> dict[Spot, tuple[float, float]]:
    """C-alpha -> B-factor and occupancy."""
    found = gemmi.read_structure(str(path))[0]
    return {
        next(iter(spots(np.array([each.pos.tolist()])))): (each.b_iso, each.occ)
        for chain in found
        for residue in chain
        for each in residue
        if each.name == "CA"
    }


def marked_by_biotite(path: Path) -> dict[Spot, tuple[float, float]]:
    """The same, by another reader."""
    fields = ["b_factor", "occupancy"]
    if path.suffix == ".pdb":
        atoms = PDBFile.read(path).get_structure(model=1, altloc="all", extra_fields=fields)
    else:
        atoms = get_structure(CIFFile.read(path), model=1, altloc="all", extra_fields=fields)
    atoms = atoms[atoms.atom_name == "CA"]
    values = zip(atoms.b_factor.tolist(), atoms.occupancy.tolist(), strict=True)
    return {next(iter(spots(xyz[None]))): value for xyz, value in zip(atoms.coord, values, strict=True)}


class Table:
    """Residues of a coloured file, as a program sees them."""

    def __init__(self, path: Path) -> None:
        self.rows: list[tuple[str, str, int, str, set[int], Spot]] = []
        for each in gemmi.read_structure(str(path))[0].all():
            if each.atom.name == "CA":
                (spot,) = spots(np.array([each.atom.pos.tolist()]))
                serials = {other.serial for other in each.residue}
                number, code = each.residue.seqid.num, each.residue.seqid.icode.strip()
                row = (each.chain.name, each.residue.subchain, number, code, serials, spot)
                self.rows.append(row)

    def named(self, chain: str, labels: Sequence[str]) -> set[Spot]:
        """Of a chain and author numbers with insertion codes, in either case as PyMOL reads them."""
        return {row[5] for row in self.rows if row[0] == chain and f"{row[2]}{row[3]}".upper() in labels}

    def numbered(self, ranges: Sequence[tuple[int, int]]) -> set[Spot]:
        """With all atoms in these ranges of serial numbers."""
        return {row[5] for row in self.rows if all(_within(serial, ranges) for serial in row[4])}

    def selected(self, terms: Sequence[dict[str, Any]]) -> set[Spot]:
        """By component expressions of MolViewSpec."""
        return {row[5] for row in self.rows for term in terms if _fits(row, term)}


def _within(serial: int, ranges: Sequence[tuple[int, int]]) -> bool:
    return any(first <= serial <= last for first, last in ranges)


def _fits(row: tuple[str, str, int, str, set[int], Spot], term: dict[str, Any]) -> bool:
    return (
        term["auth_asym_id"] == row[0]
        and term.get("label_asym_id", row[1]) == row[1]
        and term["auth_seq_id"] == row[2]
        and term["pdbx_PDB_ins_code"] == row[3]
    )


def pymol_selections(path: Path, table: Table) -> Iterator[set[Spot]]:
    """What each ``select`` of a script takes, and nothing else may be on its line."""
    names = set()
    for line in _commands(path, "select"):
        found = re.fullmatch(r'select (\w+), %[\w.-]+ and (?:chain "([A-Za-z0-9]+)" and )?\((.*)\)', line)
        assert found, line
        name, chain, terms = found.groups()
        assert name.lower() not in names
        names.add(name.lower())
        words = [word for term in terms.split(" or ") for word in term.split(" ")[1].split("+")]
        assert all(len(term) < 1000 for term in terms.split(" or "))
        if chain:
            yield table.named(chain, [word.replace("\\-", "-") for word in words])
        else:
            yield table.numbered([_range(word) for word in words])


def _range(word: str) -> tuple[int, int]:
    first, last = word.split("-")
    return int(first), int(last)


def chimerax_selections(path: Path, table: Table) -> Iterator[set[Spot]]:
    """What each ``name`` of a script takes."""
    names = set()
    for line in _commands(path, "name"):
        name, terms = re.fullmatch(r"name (\w+) (.*)", line).groups()  # type: ignore[union-attr]
        assert name.lower() not in names
        names.add(name.lower())
        taken: set[Spot] = set()
        for term in terms.split(" | "):
            by_name = re.fullmatch(r'##name="[\w.-]+"/([A-Za-z0-9]+):([A-Z0-9,-]+)', term)
            by_atom = re.fullmatch(r'##name="[\w.-]+"@@serial_number>=(\d+),serial_number<=(\d+)', term)
            assert by_name or by_atom, term
            if by_name:
                taken |= table.named(by_name[1], by_name[2].split(","))
            elif by_atom:
                taken |= table.numbered([(int(by_atom[1]), int(by_atom[2]))])
        yield taken


def _commands(path: Path, word: str) -> list[str]:
    text = path.read_text()
    assert ";" not in text
    assert all(line.isprintable() for line in text.split("\n"))
    return [line for line in text.split("\n") if line.startswith(f"{word} ")]


CHILDREN = {
    "root": {"download"},
    "download": {"parse"},
    "parse": {"structure"},
    "structure": {"component"},
    "component": {"representation", "tooltip"},
    "representation": {"color"},
    "color": set(),
    "tooltip": set(),
}
"""Kinds of nodes that we use, and what may be in them (MolViewSpec's published tree, version 1)."""
PARAMS = {
    "root": set(),
    "download": {"url"},
    "parse": {"format"},
    "structure": {"type"},
    "component": {"selector"},
    "representation": {"type"},
    "color": {"color", "selector"},
    "tooltip": {"text"},
}


def molstar_selections(path: Path, table: Table) -> Iterator[tuple[str, set[Spot]]]:
    """Colour and residues of each blob; the tree is checked on the way."""
    content = json.loads(path.read_text())
    assert content["metadata"]["version"] == "1.0" and content["metadata"]["timestamp"]
    nodes = list(_nodes(content["root"]))
    (url,) = [node["params"]["url"] for node in nodes if node["kind"] == "download"]
    assert (path.parent / url).is_file()
    (format,) = [node["params"]["format"] for node in nodes if node["kind"] == "parse"]
    assert format == {".cif": "mmcif", ".pdb": "pdb"}[Path(url).suffix]
    for node in nodes:
        if node["kind"] == "color" and "selector" in node["params"]:
            yield node["params"]["color"], table.selected(node["params"]["selector"])


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    kind = node["kind"]
    assert set(node) <= {"kind", "params", "children"}
    assert set(node.get("params", {})) <= PARAMS[kind], node
    yield node
    for child in node.get("children", []):
        assert child["kind"] in CHILDREN[kind]
        yield from _nodes(child)
