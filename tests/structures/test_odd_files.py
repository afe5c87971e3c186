"""What must come out of odd structure files: real ones (tests/data/structures), and edited ones."""

from __future__ import annotations

import bz2
import gzip
import re
from collections.abc import Callable
from pathlib import Path

import gemmi
import numpy as np
import pytest

from bioblobs.proteins.alphabet import decode, encode
from bioblobs.proteins.record import ATOMS, Protein, ProteinError
from bioblobs.structures.files import StructureError, find_structures, stem_of
from bioblobs.structures.reader import Chain, StructureFile, read_chains
from conftest import random_chain
from structure_files import DATA, FORMATS, atom, chain_of, residue, structure_of, write

LETTERS = "ACDEFGHIKLMN"


def protein(length: int = 12, chain: str = "A", seed: int = 0, start: int = 1) -> Protein:
    """A random chain; coordinates at a file's precision."""
    return Protein(
        id="x",
        residue_types=encode((LETTERS * length)[:length]),
        residue_numbers=np.arange(start, start + length, dtype=np.int32),
        insertion_codes=np.full(length, b"", "S1"),
        chain_ids=np.full(length, chain.encode(), "S4"),
        coordinates=np.round(random_chain(length, seed), 3),
    )


def only(file: StructureFile) -> Chain:
    (chain,) = file.chains
    return chain


def read_of(chain: Chain) -> Protein:
    assert isinstance(chain.protein, Protein), chain.protein
    return chain.protein


def labels(found: Protein) -> list[str]:
    """Author numbers with insertion codes."""
    pairs = zip(found.residue_numbers.tolist(), found.insertion_codes.tolist(), strict=True)
    return [f"{number}{code.decode()}" for number, code in pairs]


def place(file: Path, name: str, atom_name: str, altloc: str = "") -> list[float]:
    """Position in a PDB file of the first atom of a residue (``A 102``), read by columns."""
    wanted = (atom_name, altloc or " ", name)
    lines = file.read_text().splitlines()
    line = next(line for line in lines if (line[12:16].strip(), line[16], line[21:26]) == wanted)
    return [float(line[30:38]), float(line[38:46]), float(line[46:54])]


def refused(path: Path) -> str:
    """The reason for which a file is refused; the error names the file."""
    with pytest.raises(StructureError) as error:
        read_chains(path)
    assert str(error.value) == f"{path}: {error.value.reason}"
    assert "\n" not in error.value.reason
    return error.value.reason


def test_first_of_several_models_and_parent_of_a_modified_residue() -> None:
    file = read_chains(DATA / "nmr.pdb.gz")
    chain = only(file)
    content = gzip.decompress((DATA / "nmr.pdb.gz").read_bytes()).decode().split("ENDMDL")
    firsts = [float(text.split(" CA  PHE A   1")[1][:12]) for text in content[:2]]
    assert firsts[0] != firsts[1]
    assert file.models == 2
    assert read_of(chain).coordinates[0, 1, 0] == np.float32(firsts[0])
    assert len(read_of(chain)) == 28 == chain.usable
    assert chain.modified == {"SME->M": 1}
    assert decode(read_of(chain).residue_types)[23] == "M"


def test_insertion_codes_stay_with_their_residues() -> None:
    chain = only(read_chains(DATA / "insertion_codes.pdb"))
    assert labels(read_of(chain)) == [f"{number}A" for number in range(62, 77)]
    assert (chain.first, chain.last, chain.insertions) == ("62A", "76A", 15)
    assert decode(read_of(chain).residue_types) == "PLWLQQHLLKEKGLF"  # NLE and HIP are L and H
    assert chain.modified == {"HIP->H": 1, "NLE->L": 2}


def test_author_names_are_used_and_label_names_known() -> None:
    chain = only(read_chains(DATA / "label_auth.cif"))
    assert (chain.author, chain.label) == ("H", "A")
    assert set(read_of(chain).chain_ids.tolist()) == {b"H"}
    assert labels(read_of(chain)) == ["59", "60", "60A", "60B", "60C", "60D", "61"]
    assert chain.insertions == 4
    assert chain.protein.id == "label_auth_H"


def test_both_formats_give_the_same_residues() -> None:
    """The file has no entities; one residue has no nitrogen."""
    one, two = (only(read_chains(DATA / f"1BD2_short.{kind}.gz")) for kind in FORMATS)
    for name in ("residue_types", "residue_numbers", "insertion_codes", "chain_ids", "coordinates"):
        np.testing.assert_array_equal(getattr(read_of(one), name), getattr(read_of(two), name))
    assert (one.residues, one.usable) == (9, 8)
    assert np.isnan(read_of(one).coordinates[:, :3]).any((1, 2)).sum() == 1


def test_alternate_locations_of_real_files() -> None:
    """Highest occupancy; atoms without a label go with it."""
    path = DATA / "altlocs.pdb"
    chain = only(read_chains(path))
    assert chain.alternates == 3
    row = labels(read_of(chain)).index("46")
    wanted = [place(path, "A  46", name, "A" if name == "CA" else "") for name in ATOMS]
    np.testing.assert_array_equal(read_of(chain).coordinates[row], np.float32(wanted))
    path = DATA / "altlocs_backbone.pdb"
    found = read_of(only(read_chains(path)))
    row = labels(found).index("102")
    wanted = [place(path, "A 102", name, "A") for name in ATOMS]
    np.testing.assert_array_equal(found.coordinates[row], np.float32(wanted))


def test_chain_break_is_counted() -> None:
    chain = only(read_chains(DATA / "break.pdb"))
    assert chain.breaks == 1
    assert labels(read_of(chain))[4:6] == ["6", "9"]


def test_only_c_alphas_is_a_reason() -> None:
    for chain in read_chains(DATA / "ca_only.pdb.gz").chains:
        assert str(chain.protein) == "only C-alpha atoms: N and C are needed"


def test_only_the_first_model_has_to_be_whole() -> None:
    """The second has the same number and is cut off."""
    file = read_chains(DATA / "models_repeat.pdb")
    assert file.models == 2
    assert str(only(file).protein) == "only C-alpha atoms: N and C are needed"


def test_chains_whose_id_and_numbers_come_again_are_told_apart() -> None:
    file = read_chains(DATA / "chain_repeats.pdb.gz")
    assert [chain.name for chain in file.chains] == ["A.1", "A.2", "B.1", "B.2", "C", "D"]
    with pytest.raises(ProteinError, match=r"name one of A\.1, A\.2"):
        file.chain("A")
    found, name = file.chain("A.2")
    assert (name, found.chain_ids.tolist()) == ("A.2", [b"A"])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nucleic.pdb", "no protein chain (residues: other 31, nucleotide 8)"),
        ("hetatm_only.pdb", "no protein chain (residues: other 1)"),
        ("ORIGIN.md", "neither PDB nor mmCIF"),
        ("missing.pdb", "no such file"),
        ("", "is a directory"),
    ],
)
def test_files_without_a_protein_are_refused_with_the_reason(name: str, reason: str) -> None:
    assert reason in refused(DATA / name)


@pytest.mark.parametrize("content", [b"", b"\n \n", gzip.compress(b"", mtime=0)])
def test_empty_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.pdb").write_bytes(content)
    assert refused(tmp_path / "x.pdb") == "empty file"


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_packed_files_read_as_plain_ones(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    plain = write(structure_of(chain_of(protein())), tmp_path / "plain.pdb")
    packed = tmp_path / "packed.pdb"  # content decides, not the name
    packed.write_bytes(pack(plain.read_bytes()))
    read = [read_of(only(read_chains(path))).coordinates for path in (packed, plain)]
    np.testing.assert_array_equal(*read)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_truncated_packed_file(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    content = pack(gzip.decompress((DATA / "nmr.pdb.gz").read_bytes()))
    for end in (5, 12, 1000, len(content) - 4):
        (tmp_path / "x.pdb").write_bytes(content[:end])
        refused(tmp_path / "x.pdb")


@pytest.mark.parametrize("name", ["X.PDB", "x.ENT", "x.cif", "x.mmcif", "x.pdb.gz", "x.txt", "x"])
@pytest.mark.parametrize("kind", FORMATS)
def test_content_decides_the_format_not_the_name(tmp_path: Path, name: str, kind: str) -> None:
    whole = protein()
    content = write(structure_of(chain_of(whole)), tmp_path / f"source.{kind}").read_bytes()
    (tmp_path / name).write_bytes(content)
    file = read_chains(tmp_path / name)
    assert file.format == {"pdb": "PDB", "cif": "mmCIF"}[kind]
    np.testing.assert_array_equal(read_of(only(file)).coordinates, whole.coordinates)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends_and_byte_order_mark(tmp_path: Path, kind: str, end: str) -> None:
    whole = protein()
    text = write(structure_of(chain_of(whole)), tmp_path / f"x.{kind}").read_text()
    (tmp_path / f"x.{kind}").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", end).encode())
    found = read_of(only(read_chains(tmp_path / f"x.{kind}")))
    np.testing.assert_array_equal(found.coordinates, whole.coordinates)
    assert labels(found) == labels(whole)


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_no_part_of_the_chain_is_left_out_and_counted(tmp_path: Path, kind: str) -> None:
    """Water, ion, ligand, a free glycine, DNA under an id of its own; MSE as HETATM stays."""
    whole = protein()
    chain, dna = chain_of(whole), gemmi.Chain("D")
    chain[10].name, chain[10].het_flag = "MSE", "H"
    for number, name in enumerate(("HOH", "HOH", "CA", "GLY", "ATP"), 301):
        extra = residue(name, number, het=True)
        for k, each in enumerate({"HOH": ["O"], "CA": ["CA"], "GLY": ATOMS, "ATP": ["C5"]}[name]):
            extra.add_atom(atom(each, [number, k * 1.4, 60]))
        chain.add_residue(extra)
    for number in range(1, 4):
        base = residue("DG", number)
        for k, each in enumerate(("P", "O5'", "C5'", "C4'", "C3'", "O3'")):
            base.add_atom(atom(each, [number * 6, k * 1.4, 80]))
        dna.add_residue(base)
    file = read_chains(write(structure_of(chain, dna), tmp_path / f"x.{kind}"))
    found = only(file)
    assert labels(read_of(found)) == labels(whole)
    assert decode(read_of(found).residue_types) == LETTERS
    assert found.modified == {"MSE->M": 1}
    assert found.left_out == {"water": 2, "other": 3}
    assert file.left_out == {"water": 2, "other": 3, "nucleotide": 3}


def test_chain_written_as_hetatm_is_read(tmp_path: Path) -> None:
    chain = chain_of(protein())
    for each in chain:
        each.het_flag = "H"
    assert only(read_chains(write(structure_of(chain), tmp_path / "x.pdb"))).usable == 12


@pytest.mark.parametrize("first", [0, 5, 12])
def test_ligand_or_water_within_a_chain_does_not_end_it(tmp_path: Path, first: int) -> None:
    """No TER says where the polymer ends, and no entity; a chain may even begin with water."""
    xyz, chain = protein().coordinates, chain_of(protein())
    bonded = int(np.argmin(np.linalg.norm(xyz[1:, 0] - xyz[:-1, 2], axis=-1)))
    chain[bonded].het_flag = "H"  # in the polymer all the same
    for number, (name, kind) in enumerate({"HOH": "O", "ATP": "C5"}.items(), 301):
        extra = residue(name, number, het=True)
        extra.add_atom(atom(kind, [number, 0, 60]))
        chain.add_residue(extra, first)
    path = write(structure_of(chain), tmp_path / "x.pdb")
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith("TER")))
    found = only(read_chains(path))
    assert labels(read_of(found)) == labels(protein())
    assert found.left_out == {"water": 1, "other": 1}


def test_chain_of_unknown_residues_is_read(tmp_path: Path) -> None:
    chain = chain_of(protein())
    for each in chain:
        each.name = "ZZZ"
    path = write(structure_of(chain), tmp_path / "x.pdb")
    path.write_text(path.read_text().replace("TER", "REMARK"))
    assert decode(read_of(only(read_chains(path))).residue_types) == "X" * 12


@pytest.mark.parametrize("kind", FORMATS)
def test_unknown_residue_counts_as_what_the_file_says(tmp_path: Path, kind: str) -> None:
    """MODRES, or _pdbx_struct_mod_residue and _chem_comp; X where nothing is said."""
    chain = chain_of(protein())
    for row, name in ((3, "ZZ1"), (5, "ZZ2")):
        chain[row].name, chain[row].het_flag = name, "H"
    path = write(structure_of(chain), tmp_path / f"x.{kind}")
    text = path.read_text()
    if kind == "pdb":
        path.write_text("MODRES 1XYZ ZZ1 A    4  LYS  SOMETHING\n" + text)
    else:
        comp = "loop_\n_chem_comp.id\n_chem_comp.type\n_chem_comp.mon_nstd_parent_comp_id\n"
        text = re.sub(r"loop_\n_chem_comp\.id\n_chem_comp\.type\n(?:\w.*\n)*", "", text)
        path.write_text(text + f"\n{comp}ZZ1 'L-peptide linking' LYS\nZZ2 'L-peptide linking' ?\n")
    found = only(read_chains(path))
    assert decode(read_of(found).residue_types) == "ACDKFXHIKLMN"
    assert found.modified == {"ZZ1->K": 1, "ZZ2->X": 1}


def test_selenocysteine_and_d_amino_acids_have_parents(tmp_path: Path) -> None:
    chain = chain_of(protein())
    chain[0].name, chain[1].name, chain[2].name, chain[3].name = "SEC", "PYL", "DAL", "HSD"
    found = only(read_chains(write(structure_of(chain), tmp_path / "x.pdb")))
    assert decode(read_of(found).residue_types)[:4] == "CKAH"


@pytest.mark.parametrize(
    ("occupancies", "wanted"), [((0.4, 0.6), "B"), ((0.6, 0.4), "A"), ((0.5, 0.5), "A"), ((0.0, 0.0), "A")]
)
@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("order", ["AB", "BA"])
def test_one_conformer_by_occupancy_then_label(
    tmp_path: Path, kind: str, occupancies: tuple[float, float], wanted: str, order: str
) -> None:
    chain = chain_of(protein())
    shift = {"A": 0.0, "B": 0.3}
    for row in (4, 5):
        base = [(each.name, list(each.pos)) for each in chain[row]]
        del chain[row][:]
        for name, xyz in base:
            for label in order:
                moved = [xyz[0] + shift[label], *xyz[1:]]
                chain[row].add_atom(
                    atom(name, moved, label, dict(zip("AB", occupancies, strict=True))[label])
                )
    found = only(read_chains(write(structure_of(chain), tmp_path / f"x.{kind}")))
    expected = protein().coordinates.copy()
    expected[4:6, :, 0] += np.float32(shift[wanted])
    np.testing.assert_allclose(read_of(found).coordinates, expected, atol=1e-3)
    assert found.alternates == 2


@pytest.mark.parametrize("kind", FORMATS)
def test_conformers_are_never_mixed(tmp_path: Path, kind: str) -> None:
    """A has the more occupancy in all, B alone has an O and the best-occupied N: O stays missing."""
    chain = chain_of(protein())
    base = {each.name: list(each.pos) for each in chain[4]}
    del chain[4][:]
    for name, label, occupancy in (
        ("N", "A", 0.5),
        ("N", "B", 0.9),
        ("CA", "A", 0.7),
        ("CA", "B", 0.2),
        ("C", "A", 0.7),
        ("C", "B", 0.2),
        ("O", "B", 0.2),
    ):
        chain[4].add_atom(atom(name, np.add(base[name], 0.3 * (label == "B")), label, occupancy))
    found = read_of(only(read_chains(write(structure_of(chain), tmp_path / f"x.{kind}")))).coordinates[4]
    np.testing.assert_allclose(found[:3], protein().coordinates[4, :3], atol=1e-3)
    assert np.isnan(found[3]).all()


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("interleaved", [False, True])
def test_microheterogeneity_is_one_residue(tmp_path: Path, kind: str, interleaved: bool) -> None:
    whole, chain = protein(), chain_of(protein())
    first, second = residue("SER", 5), residue("THR", 5)
    for k, name in enumerate(ATOMS):
        first.add_atom(atom(name, whole.coordinates[4, k], "A", 0.3))
        second.add_atom(atom(name, whole.coordinates[4, k] + 0.2, "B", 0.7))
    del chain[4]
    chain.add_residue(first, 4)
    chain.add_residue(second, 5)
    path = write(structure_of(chain), tmp_path / f"x.{kind}")
    if interleaved:
        lines = path.read_text().splitlines(keepends=True)
        at = [i for i, line in enumerate(lines) if re.match(r"ATOM .*(SER|THR) ", line)]
        assert len(at) == 8
        mixed = [lines[at[i + 4 * j]] for i in range(4) for j in range(2)]
        path.write_text("".join([*lines[: at[0]], *mixed, *lines[at[-1] + 1 :]]))
    found = only(read_chains(path))
    assert labels(read_of(found)) == labels(whole)
    assert decode(read_of(found).residue_types)[4] == "T"
    np.testing.assert_allclose(read_of(found).coordinates[4], whole.coordinates[4] + 0.2, atol=1e-3)


@pytest.mark.parametrize("kind", FORMATS)
def test_file_order_is_kept_whatever_the_numbers_say(tmp_path: Path, kind: str) -> None:
    chain = chain_of(protein())
    for each, number in zip(chain, [7, 8, 9, -3, -2, 0, 100, 101, 50, 51, 52, 53], strict=True):
        each.seqid = gemmi.SeqId(number, " ")
    found = only(read_chains(write(structure_of(chain), tmp_path / f"x.{kind}")))
    assert read_of(found).residue_numbers.tolist() == [7, 8, 9, -3, -2, 0, 100, 101, 50, 51, 52, 53]
    np.testing.assert_array_equal(read_of(found).coordinates, protein().coordinates)


@pytest.mark.parametrize("name", ["AB", "aXy9"])
def test_chain_ids_of_several_characters(tmp_path: Path, name: str) -> None:
    whole = protein(chain=name)
    for kind in ["cif", "pdb"][: 2 if len(name) == 2 else 1]:
        found = only(read_chains(write(structure_of(chain_of(whole)), tmp_path / f"x.{kind}")))
        assert read_of(found).chain_ids.tolist() == [name.encode()] * 12
        assert read_of(found).id == f"x_{name}"


@pytest.mark.parametrize("name", ["ABCDE", "A" * 12])
def test_chain_id_that_does_not_fit_is_a_reason(tmp_path: Path, name: str) -> None:
    path = write(structure_of(chain_of(protein(), name), chain_of(protein(), "B")), tmp_path / "x.cif")
    first, second = read_chains(path).chains
    assert "more than 4 ASCII characters" in str(first.protein)
    read_of(second)


def test_chains_without_ids_are_told_apart_by_segments_or_ter(tmp_path: Path) -> None:
    """As simulation programs write them: both chains begin at residue 1."""
    one, two = chain_of(protein(), ""), chain_of(protein(seed=1), "")
    path = write(structure_of(one, two), tmp_path / "x.pdb")
    text = path.read_text()
    found = read_chains(path)
    assert [chain.name for chain in found.chains] == [".1", ".2"]
    for chain, seed in zip(found.chains, range(2), strict=True):
        np.testing.assert_array_equal(read_of(chain).coordinates, protein(seed=seed).coordinates)
    atoms = [line for line in text.splitlines() if line.startswith("ATOM")]
    marked = [f"{line[:72]}PRO{'AB'[i >= len(atoms) // 2]}{line[76:]}" for i, line in enumerate(atoms)]
    path.write_text("\n".join(marked) + "\nEND\n")
    found = read_chains(path)
    assert [chain.author for chain in found.chains] == ["PROA", "PROB"]
    assert [chain.usable for chain in found.chains] == [12, 12]


def test_ter_in_a_chain_whose_numbers_go_on_does_not_end_it(tmp_path: Path) -> None:
    path = write(structure_of(chain_of(protein())), tmp_path / "x.pdb")
    lines = path.read_text().splitlines()
    middle = next(i for i, line in enumerate(lines) if line.startswith("ATOM") and int(line[22:26]) == 7)
    path.write_text("\n".join([*lines[:middle], "TER", *lines[middle:]]) + "\n")
    assert only(read_chains(path)).usable == 12


@pytest.mark.parametrize("tail", ["1CRN  70", "      A ", "   0.123", "        0.17", ""])
def test_last_columns_may_hold_anything(tmp_path: Path, tail: str) -> None:
    """Entry and line number (before 1996), atom types of AutoDock, nothing."""
    path = write(structure_of(chain_of(protein())), tmp_path / "x.pdb")
    lines = [f"{line[:72]}{tail}" for line in path.read_text().splitlines() if line.startswith("ATOM")]
    path.write_text("\n".join(lines) + "\n")
    np.testing.assert_array_equal(read_of(only(read_chains(path))).coordinates, protein().coordinates)


def test_two_chains_in_one_without_any_sign_are_refused(tmp_path: Path) -> None:
    path = write(structure_of(chain_of(protein()), chain_of(protein(seed=1))), tmp_path / "x.pdb")
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if line.startswith("ATOM")))
    chain = only(read_chains(path))
    assert str(chain.protein) == "12 of 12 residues repeat the number of another (two chains?)"


def test_one_repeated_number_is_counted_and_stays(tmp_path: Path) -> None:
    chain = chain_of(protein(30))
    chain[20].seqid = gemmi.SeqId(3, " ")
    found = only(read_chains(write(structure_of(chain), tmp_path / "x.cif")))
    assert found.repeated == 1
    assert found.usable == 30


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda xyz: xyz * 0, "all coordinates are zero"),
        (lambda xyz: xyz * 0 + 7.5, "11 of 12 residues lie on another one"),
        (lambda xyz: xyz / 10, "residues lie on another one"),
        (lambda xyz: xyz * 3, "N and CA are 4.3"),
    ],
)
def test_impossible_coordinates_are_a_reason(tmp_path: Path, kind: str, edit: object, reason: str) -> None:
    whole = protein()
    moved = Protein(**{**vars(whole), "coordinates": edit(whole.coordinates)})  # type: ignore[operator]
    chain = only(read_chains(write(structure_of(chain_of(moved)), tmp_path / f"x.{kind}")))
    assert reason in str(chain.protein)
    assert isinstance(chain.protein, ProteinError)


def test_single_impossible_positions_leave_gaps(tmp_path: Path) -> None:
    """Placeholders at the origin, a residue on top of another, numbers that are none."""
    whole = protein(40)
    whole.coordinates[[3, 9]] = 0
    whole.coordinates[20] = whole.coordinates[10]
    path = write(structure_of(chain_of(whole)), tmp_path / "x.cif")
    nitrogens = [line for line in path.read_text().splitlines() if re.match(r"ATOM \d+ N ", line)]
    x = nitrogens[30].split()[10]
    path.write_text(path.read_text().replace(nitrogens[30], nitrogens[30].replace(f" {x} ", " nan ")))
    chain = only(read_chains(path))
    missing = np.isnan(read_of(chain).coordinates[:, :3]).any((1, 2))
    assert np.flatnonzero(missing).tolist() == [3, 9, 20, 30]
    assert (chain.usable, chain.overlapping) == (36, 1)


def test_missing_atoms_stay_missing(tmp_path: Path) -> None:
    whole = protein()
    whole.coordinates[2, 0] = whole.coordinates[5, 1] = whole.coordinates[7, 3] = np.nan
    for kind in FORMATS:
        chain = only(read_chains(write(structure_of(chain_of(whole)), tmp_path / f"x.{kind}")))
        np.testing.assert_array_equal(read_of(chain).coordinates, whole.coordinates)
        assert (chain.residues, chain.usable) == (12, 10)


def test_structures_are_found_in_folders_and_stems_are_whole_names(tmp_path: Path) -> None:
    names = ["b/1.x.CIF.GZ", "a.pdb", "b/c/d.ent.bz2", "e.mmcif", "notes.txt", ".hidden/f.pdb", "labels.csv"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = find_structures(tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in found] == [names[1], names[0], *names[2:4]]
    assert [stem_of(path) for path in found] == ["a", "1.x", "d", "e"]
