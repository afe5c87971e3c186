"""More structure files from the wild: each variant is read whole, or refused in one line that says why."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import gemmi
import numpy as np
import pytest
from test_wild_files import CIF, COLUMNS, PLAIN, SEQUENCE, outcome

from bioblobs.prediction.structure_files import read_file
from bioblobs.structures.mmcif_columns import complete_columns
from bioblobs.structures.reader import read_chains

HEAD = CIF[: CIF.index("ATOM 1 ")]
ROWS = [line.split() for line in CIF.splitlines() if line.startswith("ATOM")]
WATER = "HETATM  999  O   HOH A 301      39.598  13.975  26.453  1.00 20.00           O"
TEXT = "\n".join(PLAIN) + "\n"


def edited(begin: int, end: int, new: Callable[[str, int], str], rows: range = range(160)) -> list[str]:
    """The chain with other columns in some lines."""
    return [
        line[:begin] + new(line[begin:end], row) + line[end:] if row in rows else line
        for row, line in enumerate(PLAIN)
    ]


def with_column(name: str, new: Callable[[str, int], str]) -> str:
    """The mmCIF file with other values in a column."""
    rows = [list(row) for row in ROWS]
    for number, row in enumerate(rows):
        row[COLUMNS.index(name)] = new(row[COLUMNS.index(name)], number)
    return HEAD + "\n".join(" ".join(row) for row in rows) + "\n"


def chain_b(lines: list[str] = PLAIN, chain: str = "B") -> list[str]:
    """The chain 60 angstrom away, under another id."""
    return [f"{line[:21]}{chain}{line[22:30]}{float(line[30:38]) + 60:8.3f}{line[38:]}" for line in lines]


def hybrid_36(number: int, width: int) -> str:
    """By the published definition: decimal, then upper case, then lower case."""
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    if number < 10**width:
        return f"{number:{width}d}"
    value, text = number - 10**width, ""
    lower = value >= 26 * 36 ** (width - 1)
    value += 10 * 36 ** (width - 1) - (26 * 36 ** (width - 1) if lower else 0)
    for _ in range(width):
        value, rest = divmod(value, 36)
        text = digits[rest] + text
    return text if lower else text.upper()


# Columns


@pytest.mark.parametrize("first", [9_990, 10_000, 1_223_040, 1_223_056, 1_300_000])
def test_hybrid_36_in_either_case_and_over_the_change(tmp_path: Path, first: int) -> None:
    lines = edited(22, 27, lambda _, row: hybrid_36(first + row // 4, 4) + " ")
    assert outcome(tmp_path / "x.pdb", lines) == {"A": SEQUENCE}
    protein, _ = read_chains(tmp_path / "x.pdb").chain("A")
    assert protein.residue_numbers.tolist() == list(range(first, first + 40))
    assert set(protein.insertion_codes.tolist()) == {b""}


def test_letters_are_hexadecimal_where_other_numbers_of_the_file_are(tmp_path: Path) -> None:
    lines = edited(22, 26, lambda _, row: f"{40_950 + row // 4:4x}")
    assert "hexadecimal" in outcome(tmp_path / "x.pdb", lines)["file"]


@pytest.mark.parametrize(
    "serial", ["{:05x}", "{:05X}", "*****", "     ", "  -12", "  x~y", "a00{:02d}", "A00{:02d}"]
)
def test_no_serial_number_costs_an_atom(tmp_path: Path, serial: str) -> None:
    lines = edited(6, 11, lambda _, row: serial.format(row % 100 + (100_000 if "5" in serial else 0)))
    assert outcome(tmp_path / "x.pdb", lines) == {"A": SEQUENCE}


@pytest.mark.parametrize("new", ["******", "   nan", "1234.5", "-999.9", "      "])
def test_b_factors_that_have_no_room_are_no_shift(tmp_path: Path, new: str) -> None:
    assert outcome(tmp_path / "x.pdb", edited(60, 66, lambda *_: new, range(40, 60))) == {"A": SEQUENCE}


@pytest.mark.parametrize("rows", [range(160), range(40, 60)])
@pytest.mark.parametrize("edit", [lambda old: " " + old[:-1], lambda old: old[1:] + " "])
def test_occupancies_moved_by_one_are_seen(tmp_path: Path, rows: range, edit: Callable[[str], str]) -> None:
    """Also if all are, so that no line says where they should be."""
    found = outcome(tmp_path / "x.pdb", edited(54, 67, lambda old, _: edit(old), rows))
    assert any(f"line {rows[0] + 1}: columns are shifted (occupancy" in each for each in found.values())


def test_tails_of_other_formats_are_no_shift(tmp_path: Path) -> None:
    for tail in (" -0.3755 1.8500", "   1.0", "  1.00", ""):
        assert outcome(tmp_path / "x.pdb", [line[:54] + tail for line in PLAIN]) == {"A": SEQUENCE}


@pytest.mark.parametrize(
    "value", ["     NaN", "-nan(ind)"[:8], "Infinity", " -1.#IND", "  1.#QNB", "     inf"]
)
def test_positions_that_are_no_number_leave_a_gap(tmp_path: Path, value: str) -> None:
    lines = edited(30, 54, lambda *_: value * 3, range(40, 48))
    assert outcome(tmp_path / "x.pdb", lines) == {"A": SEQUENCE}
    assert read_chains(tmp_path / "x.pdb").chains[0].usable == 38


@pytest.mark.parametrize(
    ("edit", "row", "usable"),
    [
        (lambda old, row: "9999.0009999.0009999.000", 1, 30),
        (lambda old, row: "9999.999" + old[8:], 2, 30),
        (lambda old, row: f"{float(old[:8]) + 80:8.3f}" + old[8:], 2, 30),
        (lambda old, row: PLAIN[row - 1][30:54], 2, 30),
    ],
)
def test_placeholders_and_torn_residues_leave_a_gap(
    tmp_path: Path, edit: Callable[[str, int], str], row: int, usable: int
) -> None:
    """Unknown atoms of X-PLOR, atoms on the other side of a periodic cell, atoms at one place."""
    lines = edited(30, 54, edit, range(40 + row, 80, 4))
    assert outcome(tmp_path / "x.pdb", lines) == {"A": SEQUENCE}
    assert read_chains(tmp_path / "x.pdb").chains[0].usable == usable


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (TEXT.replace("\n", ""), "line 1: several records in one line"),
        (TEXT.replace("\n", "\v"), "line 1: several records in one line"),
        ("\n".join(line[:30] + line[30:66].replace(".", ",") for line in PLAIN), "line 1: decimal commas"),
        (
            "\n".join([*PLAIN[:80], *(" " + line for line in PLAIN[80:84]), *PLAIN[84:]]),
            "line 81: indented by",
        ),
        ("\n".join(PLAIN[:101]) + "\n" + PLAIN[101][:20], "line 102: cut off after 20 characters"),
        (
            "\n".join(edited(22, 27, lambda _, row: f" {row // 4:2d}A ")),
            "or an insertion code in its columns",
        ),
        ("\n".join(edited(22, 27, lambda *_: "   1 ")), "(all have one number)"),
    ],
)
def test_each_cause_has_its_own_line(tmp_path: Path, text: str, cause: str) -> None:
    (found,) = outcome(tmp_path / "x.pdb", text).values()
    assert cause in found


# Names, chains and models


@pytest.mark.parametrize("name", ["HIP1", "DGLY", "GLYM", "CSSC", "HEME", "ALAD", "NTER", "CYX1"])
@pytest.mark.parametrize("row", [0, 40, 156])
def test_unknown_names_of_four_letters_tear_no_chain(tmp_path: Path, name: str, row: int) -> None:
    lines = edited(17, 21, lambda *_: name, range(row, row + 4))
    (found,) = outcome(tmp_path / "x.pdb", lines).items()
    assert found == ("A", SEQUENCE[: row // 4] + "X" + SEQUENCE[row // 4 + 1 :])


@pytest.mark.parametrize(
    ("name", "letter"),
    [("ARG+", "R"), ("LYS+", "K"), ("ASP-", "D"), ("GLU-", "E"), ("HIS+", "H"), ("CHYP", "P")],
)
def test_names_of_cyana_and_amber(tmp_path: Path, name: str, letter: str) -> None:
    lines = edited(17, 21, lambda *_: name, range(40, 44))
    assert outcome(tmp_path / "x.pdb", lines) == {"A": SEQUENCE[:10] + letter + SEQUENCE[11:]}


def test_a_peptide_with_an_id_of_two_characters_is_its_own_chain(tmp_path: Path) -> None:
    peptide = [f"{line[:20]}MA{line[22:]}" for line in chain_b(PLAIN[:32])]
    found = outcome(tmp_path / "x.pdb", [*PLAIN, *peptide])
    assert found == {"A": SEQUENCE, "MA": SEQUENCE[:8]}


@pytest.mark.parametrize("edit", [lambda old: old[1:] + " ", lambda old: " " + old[:-1]])
def test_residue_names_moved_by_one_in_all_lines(tmp_path: Path, edit: Callable[[str], str]) -> None:
    lines = edited(16, 21, lambda old, _: edit(old))
    assert outcome(tmp_path / "x.pdb", lines) == {"A": SEQUENCE}
    assert read_chains(tmp_path / "x.pdb").chains[0].alternates == 0


def test_a_chain_that_goes_on_after_ter_is_whole(tmp_path: Path) -> None:
    """No TER follows its second part; what is no amino acid, or bonded to none, stays left out."""
    second = [f"{line[:22]}{int(line[22:26]) + 40:4d}{line[26:]}" for line in chain_b(chain="A")]
    alone = "ATOM    999  CA  GLY A 400      99.000  13.975  26.453  1.00 20.00           C"
    assert outcome(tmp_path / "x.pdb", [*PLAIN, "TER", *second, alone, WATER]) == {"A": 2 * SEQUENCE}
    assert read_chains(tmp_path / "x.pdb").left_out == {"water": 1, "other": 1}


def test_a_type_after_ter_is_one_of_its_place(tmp_path: Path) -> None:
    def typed(name: str, label: str, occupancy: float) -> list[str]:
        return [f"{line[:16]}{label}{name}{line[20:54]}{occupancy:6.2f}{line[60:]}" for line in PLAIN[80:84]]

    lines = [*PLAIN[:80], *typed("SER", "A", 0.2), *PLAIN[84:], "TER", *typed("TRP", "B", 0.8)]
    assert outcome(tmp_path / "x.pdb", lines) == {"A": SEQUENCE[:20] + "W" + SEQUENCE[21:]}


def test_segments_tell_chains_of_one_id_apart(tmp_path: Path) -> None:
    lines = [f"{line[:66]:72s}PROA" for line in PLAIN] + [
        f"{line[:66]:72s}PROB" for line in chain_b(chain="A")
    ]
    assert outcome(tmp_path / "x.pdb", lines) == {"PROA": SEQUENCE, "PROB": SEQUENCE}
    water = [f"{line[:66]:72s}W" for line in [WATER.replace(" 301 ", f"{n:4d} ") for n in range(1, 9)]]
    assert outcome(tmp_path / "x.pdb", [*lines[:160], *water]) == {"A": SEQUENCE}


def test_files_joined_at_end_lose_no_chain_and_models_stay_models(tmp_path: Path) -> None:
    assert outcome(tmp_path / "x.pdb", [*PLAIN, "END", *chain_b()]) == {"A": SEQUENCE, "B": SEQUENCE}
    assert outcome(tmp_path / "x.pdb", [*PLAIN, "END", *chain_b(chain="A")]) == {"A": SEQUENCE}
    assert read_chains(tmp_path / "x.pdb").models == 2


@pytest.mark.parametrize(
    "header",
    [
        "END",
        "END OF FILE HEADER",
        "DBREF",
        "DBREF2 x",
        "CRYST1 abc def",
        "MODRES",
        "SEQRES",
        "Atom list:",
        "TER",
    ],
)
def test_no_header_costs_an_atom(tmp_path: Path, header: str) -> None:
    assert outcome(tmp_path / "x.pdb", [header, *PLAIN]) == {"A": SEQUENCE}


@pytest.mark.parametrize("line", [81, 1, 160])
def test_lower_case_records_among_others_are_checked_too(tmp_path: Path, line: int) -> None:
    lines = [*PLAIN]
    lines[line - 1] = "atom  " + lines[line - 1][6:]
    assert outcome(tmp_path / "x.pdb", lines) == {"A": SEQUENCE}
    lines[line - 1] = "atom  " + lines[line - 1][6:30] + " " + lines[line - 1][30:]
    assert f"line {line}: columns are shifted" in outcome(tmp_path / "x.pdb", lines)["A"]


def test_a_residue_that_shares_its_number_is_in_the_notes(tmp_path: Path) -> None:
    """gemmi joins insertion codes A and a of one residue name."""
    lines = edited(22, 27, lambda old, row: "   1" + ("A" if row < 4 else "a"), range(8))
    lines[4:8] = [line[:17] + "GLY" + line[20:] for line in lines[4:8]]
    outcome(tmp_path / "x.pdb", lines)
    (chain,) = read_file(tmp_path / "x.pdb").chains
    assert "1 residue with the number of another" in chain.notes


# mmCIF


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("form", ["'{}'", '"{}"', "\n;{}\n;\n"])
def test_values_in_quotes_are_read_in_every_column(tmp_path: Path, name: str, form: str) -> None:
    assert outcome(tmp_path / "x.cif", with_column(name, lambda old, _: form.format(old))) == {"A": SEQUENCE}
    (chain,) = read_chains(tmp_path / "x.cif").chains
    assert (chain.usable, chain.alternates, chain.insertions) == (40, 0, 0)


@pytest.mark.parametrize("name", [name for name in COLUMNS if not name.startswith("Cartn")])
@pytest.mark.parametrize("null", ["?", ".", "''"])
@pytest.mark.parametrize("rows", [range(160), range(41, 42)])
def test_values_that_are_none_cost_no_residue(tmp_path: Path, name: str, null: str, rows: range) -> None:
    text = with_column(name, lambda old, row: null if row in rows else old)
    assert outcome(tmp_path / "x.cif", text) == {"A": SEQUENCE}
    file = read_chains(tmp_path / "x.cif")
    assert (file.models, file.chains[0].usable) == (1, 40)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("group_PDB", "77"),
        ("auth_seq_id", "zz~"),
        ("auth_seq_id", "1.0"),
        ("auth_seq_id", "10000000000"),
        ("label_alt_id", "AB"),
        ("pdbx_PDB_ins_code", "AB"),
        ("pdbx_PDB_model_num", "one"),
    ],
)
def test_values_that_cannot_be_are_named(tmp_path: Path, name: str, value: str) -> None:
    text = with_column(name, lambda old, row: value if row == 41 else old)
    assert outcome(tmp_path / "x.cif", text)["file"].startswith(f"atom 42: _atom_site.{name} {value}: ")


@pytest.mark.parametrize(
    "name", ["id", "type_symbol", "label_seq_id", "pdbx_formal_charge", "label_entity_id"]
)
def test_odd_values_of_other_columns_cost_nothing(tmp_path: Path, name: str) -> None:
    text = with_column(name, lambda old, row: "1+" if row == 41 else old)
    assert outcome(tmp_path / "x.cif", text) == {"A": SEQUENCE}


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (with_column("Cartn_x", lambda old, _: old.replace(".", ",")), "a decimal comma in place of a point"),
        (with_column("auth_asym_id", lambda *_: "\xe9"), "line 25: a character that is not plain ASCII"),
        (with_column("Cartn_x", lambda *_: "?"), "no C-alpha atom with finite coordinates"),
        (CIF.replace("data_x", "data_x\nsave_y"), "line 186: parse error"),
        (CIF.replace(" GLY ", " GLY GLY ", 1), "Wrong number of values in loop _atom_site."),
    ],
)
def test_mmcif_causes_have_their_own_line(tmp_path: Path, text: str, cause: str) -> None:
    (found,) = outcome(tmp_path / "x.cif", text).values()
    assert cause in found


def test_a_value_too_few_and_one_too_many_are_seen(tmp_path: Path) -> None:
    rows = [list(row) for row in ROWS]
    del rows[80][3]
    rows[100].append("1")
    text = HEAD + "\n".join(" ".join(row) for row in rows) + "\n"
    assert outcome(tmp_path / "x.cif", text)["file"].startswith("atom 82: _atom_site.group_PDB ")


@pytest.mark.parametrize("columns", [("Cartn_x",), ("Cartn_x", "Cartn_y", "Cartn_z")])
def test_blocks_with_empty_coordinates_are_passed_over(tmp_path: Path, columns: tuple[str, ...]) -> None:
    tags = "\n".join(f"_atom_site.{name}" for name in ("id", *columns))
    empty = f"data_y\nloop_\n{tags}\n1 {' '.join('?' for _ in columns)}\n"
    assert outcome(tmp_path / "x.cif", empty + CIF) == {"A": SEQUENCE}


# Content


@pytest.mark.parametrize("place", [0, 5000])
def test_byte_order_marks_and_hard_blanks_cost_nothing(tmp_path: Path, place: int) -> None:
    content = TEXT.encode()
    place = content.rfind(b"\n", 0, place) + 1
    marked = content[:place] + 2 * b"\xef\xbb\xbf" + content[place:]
    assert outcome(tmp_path / "x.pdb", marked) == {"A": SEQUENCE}
    assert read_chains(tmp_path / "x.pdb").chains[0].usable == 40
    assert outcome(tmp_path / "x.pdb", TEXT.replace("  ", "\xa0 ")) == {"A": SEQUENCE}


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (gzip.compress(gzip.compress(gzip.compress(TEXT.encode()))), "packed more than twice"),
        (gzip.compress(TEXT.encode()) + b"junk", "damaged gzip file"),
        (bytes(range(256)) * 50, "binary data"),
        ("\n".join("> " + line for line in PLAIN).encode(), "no ATOM record"),
    ],
)
def test_content_is_named_for_what_it_is(tmp_path: Path, content: bytes, cause: str) -> None:
    assert cause in outcome(tmp_path / "x.pdb", content)["file"]


def test_mixed_ends_of_lines(tmp_path: Path) -> None:
    ends = ["\n", "\r\n", "\r", "\n\r", "\r\r\n"]
    text = "".join(line + ends[row % 5] for row, line in enumerate(PLAIN))
    assert outcome(tmp_path / "x.pdb", text) == {"A": SEQUENCE}


def test_rows_of_many_waters_reach_gemmi_chain_by_chain(tmp_path: Path) -> None:
    """gemmi looks through all chains at each change: 4,000 of them with 80,000 waters took minutes."""
    block = gemmi.cif.read_string(CIF).sole_block()
    table = block.find_mmcif_category("_atom_site.")
    place = [tag.removeprefix("_atom_site.") for tag in table.tags].index("auth_asym_id")
    for row, values in enumerate(table):
        values[place] = f"c{row % 8}"
    before = list(block.find_values("_atom_site.Cartn_x"))
    complete_columns(block, 1_000)
    chains = list(block.find_values("_atom_site.auth_asym_id"))
    assert chains == [f"c{chain}" for chain in range(8) for _ in range(20)]
    assert list(block.find_values("_atom_site.Cartn_x"))[:20] == before[::8]


def test_order_of_atoms_of_a_chain_stays_where_chains_alternate(tmp_path: Path) -> None:
    """Rows of two chains in turn, which are put together before gemmi reads them."""
    rows = []
    for row in ROWS:
        for chain, shift in (("A", 0.0), ("B", 60.0)):
            new = list(row)
            for name in ("label_asym_id", "auth_asym_id"):
                new[COLUMNS.index(name)] = chain
            new[COLUMNS.index("Cartn_x")] = f"{float(row[COLUMNS.index('Cartn_x')]) + shift:.3f}"
            rows.append(" ".join(new))
    assert outcome(tmp_path / "x.cif", HEAD + "\n".join(rows) + "\n") == {"A": SEQUENCE, "B": SEQUENCE}
    one, two = (read_chains(tmp_path / "x.cif").chain(name)[0] for name in "AB")
    np.testing.assert_allclose(two.coordinates - one.coordinates, [[[60, 0, 0]] * 4] * 40, atol=1e-4)
    assert re.fullmatch("x_[AB]", one.id)
