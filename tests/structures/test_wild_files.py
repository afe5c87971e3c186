"""Structure files from the wild (tests/data/odd) and variants of them: nothing believed, nothing lost."""

from __future__ import annotations

import bz2
import gzip
import os
import re
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioblobs.proteins.alphabet import decode
from bioblobs.proteins.record import Protein, ProteinError
from bioblobs.structures import content
from bioblobs.structures.files import StructureError
from bioblobs.structures.reader import StructureFile, read_chains
from structure_files import DATA

ODD = DATA.parent / "odd"
SEQUENCE = "GPLGSDHVLHVTFPKEWKTSDLYQLFSAFGNIQISWIDDT"
PLAIN = list((ODD / "symbol_dollar.pdb").read_text().replace(" $ ", " A ").splitlines())[:160]
"""One chain A of 40 residues, four atoms each."""
CIF = (ODD / "block_ligand_first.cif").read_text()
CIF = CIF[CIF.index("data_x") :]


def sequences(file: StructureFile) -> dict[str, str]:
    """Sequence per chain, or the reason for its refusal."""
    return {
        chain.name: decode(chain.protein.residue_types)
        if isinstance(chain.protein, Protein)
        else str(chain.protein)
        for chain in file.chains
    }


def outcome(path: Path, lines: list[str] | str | bytes) -> dict[str, str]:
    """Write and read a file; a refused file has the chain id ``file``."""
    if isinstance(lines, list):
        lines = "\n".join([*lines, "END", ""])
    path.write_bytes(lines if isinstance(lines, bytes) else lines.encode())
    try:
        return sequences(read_chains(path))
    except StructureError as error:
        assert "\n" not in error.reason
        return {"file": error.reason}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnum_1000_shifts.pdb", {"D": "line 281: columns are shifted .residue number 1000 "}),
        ("coordinates_blown_up_loop.pdb", {"A": "line 121: columns are shifted .coordinate 12378.856 "}),
        ("chain_10_shifts.pdb", {"A": SEQUENCE + "$", "10": "line 162: columns are shifted .chain id 10 "}),
        ("amber_terminal_names.cif", {"A": SEQUENCE + "$"}),
        ("amber_no_ids_numbers_go_on.pdb", {".1": ".{40}$", ".2": ".{40}$", ".3": ".{40}$"}),
        ("two_label_one_auth_on_entities.cif", {"A.1": ".{40}$", "A.2": ".{40}$"}),
        ("conformers_in_blocks.pdb", {"A": "G.{20}P.{18}$"}),
        ("altloc_incomplete_wins.pdb", {"A": SEQUENCE + "$"}),
        ("blank_and_B.pdb", {"A": SEQUENCE + "$"}),
        ("openbabel_columns.cif", {"A": SEQUENCE + "$"}),
        ("block_ligand_first.cif", {"A": SEQUENCE + "$"}),
        ("resnum_asterisks.pdb", {"A": r"line 81: \*\*\*\* in place of the residue number"}),
        ("symbol_dollar.pdb", {"$": SEQUENCE + "$"}),
        ("two_symbol_chains.pdb", {"!": ".{40}$", "@": ".{40}$", "_": ".{40}$"}),
        ("tabs.pdb", {"file": "line 1: fields are separated by tabs"}),
    ],
)
def test_files_of_bug_reports(name: str, expected: dict[str, str]) -> None:
    try:
        found = sequences(read_chains(ODD / name))
    except StructureError as error:
        found = {"file": error.reason}
    assert found.keys() == expected.keys()
    for chain, pattern in expected.items():
        assert re.match(pattern, found[chain]), found[chain]


def test_four_letter_names_do_not_tear_a_chain() -> None:
    (chain,) = read_chains(ODD / "gromos_no_chain.pdb").chains
    assert chain.usable == 60
    assert chain.modified == {"LYSH->K": 5, "CYSH->C": 5, "HISE->H": 2}


def test_all_letters_taken_and_a_chain_without_id() -> None:
    assert len(sequences(read_chains(ODD / "letters_all_taken_and_blank.pdb"))) == 53


def test_complete_conformer_wins() -> None:
    (chain,) = read_chains(ODD / "altloc_incomplete_wins.pdb").chains
    assert isinstance(chain.protein, Protein)
    np.testing.assert_array_equal(chain.protein.coordinates[12, 0], np.float32([37.868, 10.855, -2.817]))
    assert chain.usable == 40


@pytest.mark.parametrize("column", range(7, 64))
@pytest.mark.parametrize("edit", ["insert", "delete"])
def test_a_shift_at_any_column_gives_no_residue(tmp_path: Path, column: int, edit: str) -> None:
    """Also of one line among many; an atom name, residue name or number may change, never a position."""
    lines = list(PLAIN)
    for row in range(80, 84):
        begin, rest = lines[row][:column], lines[row][column:]
        lines[row] = f"{begin} {rest}" if edit == "insert" else begin + rest[1:]
    found = outcome(tmp_path / "x.pdb", lines)
    assert any("line 81: " in each for each in found.values()), found
    assert SEQUENCE not in found.values()


@pytest.mark.parametrize(
    ("begin", "new", "cause"),
    [
        (6, "100000", "serial number 100000"),
        (6, "1234567", "serial number 1234567"),
        (22, "10000", "residue number 10000"),
        (22, "-1000", "residue number -1000"),
        (21, "AB", "chain id AB"),
        (30, "-1234.567", "coordinate -1234.567"),
        (38, "12345.678", "coordinate 12345.678"),
        (46, "-99999.999", "coordinate -99999.999"),
        (54, "  1000.00", "occupancy"),
        (60, "1000.00", "B-factor"),
    ],
)
def test_fields_too_wide_are_named(tmp_path: Path, begin: int, new: str, cause: str) -> None:
    width = {6: 5, 22: 4, 21: 1, 30: 8, 38: 8, 46: 8, 54: 6, 60: 6}[begin]
    lines = [*PLAIN[:-1], PLAIN[-1][:begin] + new + PLAIN[-1][begin + width :]]
    found = outcome(tmp_path / "x.pdb", lines)
    assert any(
        each.startswith("line 160: columns are shifted") and cause in each for each in found.values()
    ), found


def test_shifted_water_costs_no_protein(tmp_path: Path) -> None:
    water = "HETATM100000  O   HOH A 301      39.598  13.975  26.453  1.00 20.00           O"
    assert outcome(tmp_path / "x.pdb", [*PLAIN, water]) == {"A": SEQUENCE}


@pytest.mark.parametrize(
    ("number", "cause"),
    [
        ("****", "****"),
        ("271a", "hexadecimal"),
        ("9A3F", "hexadecimal"),
        ("  1F", "hexadecimal"),
        ("x.y ", "not a"),
    ],
)
def test_residue_numbers_that_are_none_have_their_own_line(tmp_path: Path, number: str, cause: str) -> None:
    lines = [line[:22] + number + line[26:] if row >= 120 else line for row, line in enumerate(PLAIN)]
    assert re.match("line 121: .*" + re.escape(cause), outcome(tmp_path / "x.pdb", lines)["A"])


def test_hexadecimal_numbers_after_9999_are_named(tmp_path: Path) -> None:
    lines = [line[:22] + f"{9990 + int(line[22:26]):4d}" + line[26:] for line in PLAIN[:36]]
    lines += [line[:22] + f"{9990 + int(line[22:26]):4x}" + line[26:] for line in PLAIN[36:]]
    assert "hexadecimal" in outcome(tmp_path / "x.pdb", lines)["A"]


@pytest.mark.parametrize("form", ["hybrid-36", "five digits"])
def test_residue_numbers_past_9999_are_read(tmp_path: Path, form: str) -> None:
    texts = [f"A{row:03d} " if form == "hybrid-36" else f"{10000 + row} "[:5] for row in range(10)]
    lines = [line[:22] + texts[row // 4] + line[27:] for row, line in enumerate(PLAIN[:40])]
    assert outcome(tmp_path / "x.pdb", lines) == {"A": SEQUENCE[:10]}
    protein, _ = read_chains(tmp_path / "x.pdb").chain("A")
    assert protein.residue_numbers.tolist() == list(range(10000, 10010))


@pytest.mark.parametrize(
    ("name", "letter"),
    [
        ("LYSH", "K"),
        ("HISB", "H"),
        ("HIS1", "H"),
        ("CYS2", "C"),
        ("ASPH", "D"),
        ("GLUH", "E"),
        ("ARGN", "R"),
        ("NGLY", "G"),
        ("CTHR", "T"),
        ("NHID", "H"),
        ("CCYX", "C"),
        ("NLYS", "K"),
        ("CPRO", "P"),
        ("GLUP", "E"),
        ("LYN", "K"),
        ("HSP", "H"),
        ("ASH", "D"),
        ("gly", "G"),
    ],
)
@pytest.mark.parametrize("chain", ["A", " ", "Y"])
def test_names_of_force_fields(tmp_path: Path, name: str, letter: str, chain: str) -> None:
    lines = [line[:21] + chain + line[22:] for line in PLAIN]
    lines[40:44] = [f"{line[:17]}{name:4s}{chain}{line[22:]}" for line in lines[40:44]]
    assert outcome(tmp_path / "x.pdb", lines) == {chain.strip(): SEQUENCE[:10] + letter + SEQUENCE[11:]}


def test_chain_ids_of_two_characters_are_no_residue_names(tmp_path: Path) -> None:
    lines = [line[:20] + "HA" + line[22:] for line in PLAIN]
    lines[40:44] = [line[:17] + "CYS" + line[20:] for line in lines[40:44]]
    assert outcome(tmp_path / "x.pdb", lines) == {"HA": SEQUENCE[:10] + "C" + SEQUENCE[11:]}


@pytest.mark.parametrize(
    "order", ["minor first", "major first", "blocks", "unlabelled minor", "both unlabelled"]
)
def test_highest_occupancy_wins_whatever_the_order(tmp_path: Path, order: str) -> None:
    def typed(name: str, label: str, occupancy: float) -> list[str]:
        return [f"{line[:16]}{label}{name}{line[20:54]}{occupancy:6.2f}{line[60:]}" for line in PLAIN[80:84]]

    minor, major = typed("SER", "A", 0.3), typed("TRP", "B", 0.7)
    if "unlabelled" in order:
        minor = typed("SER", " ", 0.3)
    if order == "both unlabelled":
        major = typed("TRP", " ", 0.7)
    middle = major + minor if order == "major first" else minor + major
    lines = [*PLAIN[:80], *middle, *PLAIN[84:]]
    if order == "blocks":
        lines = [*PLAIN[:80], *minor, *PLAIN[84:100], *major, *PLAIN[100:]]
    assert outcome(tmp_path / "x.pdb", lines) == {"A": SEQUENCE[:20] + "W" + SEQUENCE[21:]}


COLUMNS = re.findall(r"_atom_site\.(\w+)", CIF)


def without(*names: str) -> str:
    """The mmCIF file without some columns."""
    places = [COLUMNS.index(name) for name in names]
    lines = []
    for line in CIF.splitlines():
        if line.startswith("ATOM"):
            line = " ".join(word for place, word in enumerate(line.split()) if place not in places)
        if line.removeprefix("_atom_site.") not in names:
            lines.append(line)
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", COLUMNS)
def test_a_missing_column_is_filled_in_or_named(tmp_path: Path, name: str) -> None:
    (found,) = outcome(tmp_path / "x.cif", without(name)).values()
    wanted = f"no column _atom_site.{name}, and none" if name.startswith("Cartn") else SEQUENCE
    assert found.startswith(wanted)


@pytest.mark.parametrize(
    ("names", "column"),
    [
        (("auth_seq_id", "label_seq_id"), "auth_seq_id"),
        (("auth_atom_id", "label_atom_id"), "label_atom_id"),
        (("auth_comp_id", "label_comp_id"), "label_comp_id"),
    ],
)
def test_columns_that_nothing_stands_for_are_named(
    tmp_path: Path, names: tuple[str, ...], column: str
) -> None:
    assert f"no column _atom_site.{column}" in outcome(tmp_path / "x.cif", without(*names))["file"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "utf-32"])
@pytest.mark.parametrize("kind", ["pdb", "cif"])
def test_encodings(tmp_path: Path, encoding: str, kind: str) -> None:
    text = CIF if kind == "cif" else "\n".join(PLAIN) + "\n"
    assert outcome(tmp_path / "x", text.encode(encoding)) == {"A": SEQUENCE}


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(PLAIN).lower().replace(" a ", " A ") + "\n",
        "\n".join(PLAIN) + "\nEND\nATOMS written: 160\nGoodbye\n",
        "\n".join(PLAIN) + "\nATOMS written: 160\n",
        "\n".join(PLAIN) + "\nMODELS are by X\n",
        "\n".join(line[:54] for line in PLAIN) + "\n",
        "\n".join(PLAIN) + "\nENDMDL\nMODEL        1\n" + "\n".join(PLAIN) + "\nENDMDL\n",
        "\n".join(PLAIN) + "\nEND\n" + "\n".join(PLAIN) + "\nEND\n",
        "MODEL        1\nENDMDL\nMODEL        2\n" + "\n".join(PLAIN) + "\nENDMDL\n",
        CIF + "Written by a program of mine\n",
        CIF.replace("data_x", "DATA_x").replace("_atom_site", "_ATOM_SITE").replace("Cartn", "CARTN"),
        CIF.replace("data_x\n", ""),
        "Downloaded from somewhere\n" + CIF,
        "data_comp_LIG\n_chem_comp.id LIG\n" + CIF,
    ],
)
def test_harmless_oddities_are_read(tmp_path: Path, text: str) -> None:
    assert outcome(tmp_path / "x", text) == {"A": SEQUENCE}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("\n".join(" ".join(line.split()) for line in PLAIN), "free format"),
        ("\n".join("  " + line for line in PLAIN), "line 1: indented by 2 columns"),
        ("data_x\n_entry.id x\n", "no block of this mmCIF file has coordinates"),
        ("<?xml version='1.0'?><PDBx:datablock/>", "PDBML"),
        ("<!DOCTYPE html><html></html>", "web page"),
        (">1abc\nGPLGS\n", "FASTA"),
        ("x\n@<TRIPOS>MOLECULE\n", "MOL2"),
    ],
)
def test_other_formats_are_named(tmp_path: Path, text: str, reason: str) -> None:
    assert reason in outcome(tmp_path / "x.pdb", text)["file"]


def test_far_coordinates_keep_their_digits(tmp_path: Path) -> None:
    def moved(shift: float) -> str:
        rows = [line.split() for line in CIF.splitlines() if line.startswith("ATOM")]
        head = CIF[: CIF.index("ATOM 1 ")]
        for row in rows:
            row[10:13] = [f"{float(each) + shift:.3f}" for each in row[10:13]]
        return head + "\n".join(" ".join(row) for row in rows) + "\n"

    outcome(tmp_path / "near.cif", CIF)
    outcome(tmp_path / "far.cif", moved(99_800))
    near, far = (read_chains(tmp_path / f"{name}.cif").chain("A")[0] for name in ("near", "far"))
    shift = np.array(far.origin) - 99_800
    assert np.abs(far.coordinates).max() < 100
    np.testing.assert_allclose(far.coordinates + shift, near.coordinates, atol=1e-5)
    assert near.origin == (0.0, 0.0, 0.0)


def test_pipes_devices_and_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "x.pdb")
    for path in (tmp_path / "x.pdb", Path("/dev/zero")):
        with pytest.raises(StructureError, match="not a regular file"):
            read_chains(path)
    monkeypatch.setattr(content, "RATIO_FROM", 2**20)
    for number, pack in enumerate((gzip.compress, bz2.compress)):
        bomb = tmp_path / f"{number}.pdb.gz"
        bomb.write_bytes(pack(b" " * 2**23))
        with pytest.raises(StructureError, match="more than 100 times its size"):
            read_chains(bomb)
    monkeypatch.setattr(content, "SIZE_MAX", 2**20)
    (tmp_path / "large.pdb").write_bytes(b" " * 2**21)
    with pytest.raises(StructureError, match="too large"):
        read_chains(tmp_path / "large.pdb")


@settings(max_examples=12, derandomize=True, database=None)
@given(st.data())
def test_mutations_are_read_or_refused_in_one_line(data: st.DataObject) -> None:
    """Bytes flipped, lines deleted or doubled, columns swapped, cut off."""
    import tempfile

    name = data.draw(st.sampled_from(sorted(each.name for each in ODD.glob("*.[pc]*"))))
    text = bytearray((ODD / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        begin = data.draw(st.integers(0, len(text) - 1))
        size = data.draw(st.integers(1, 90))
        match data.draw(st.sampled_from(["flip", "delete", "double", "swap", "cut"])):
            case "flip":
                text[begin] ^= 1 << data.draw(st.integers(0, 7))
            case "delete":
                del text[begin : begin + size]
            case "double":
                text[begin:begin] = text[begin : begin + size]
            case "swap":
                text[begin : begin + 2] = text[begin : begin + 2][::-1]
            case "cut":
                del text[max(begin, 1) :]
    with tempfile.TemporaryDirectory() as folder, suppress(StructureError):
        path = Path(folder) / name
        path.write_bytes(text)
        for chain in read_chains(path).chains:
            assert isinstance(chain.protein, Protein | ProteinError)
            assert "\n" not in str(chain.protein) or isinstance(chain.protein, Protein)
