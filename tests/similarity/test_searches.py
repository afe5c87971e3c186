"""Who is alike: definitions, both sequence routes, TM-align, and what Foldseek would write."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
import tmtools
from biotite.structure import superimpose

from bioblobs import similarity
from bioblobs.errors import BioBlobsError
from bioblobs.proteins.alphabet import decode
from bioblobs.similarity import by_sequence as sequence
from bioblobs.similarity import foldseek, tmalign
from bioblobs.similarity.by_sequence import identity_hits
from bioblobs.similarity.by_structure import structure_links, structure_tool
from bioblobs.similarity.hits import Hits
from bioblobs.similarity.threedi import candidates, states
from bioblobs.splits.assign import plan_splits
from bioblobs.store.packed import Store
from families import families, mutated

needs_mmseqs = pytest.mark.skipif(sequence.sequence_tool() != "mmseqs", reason="mmseqs is not on PATH")
TOOLS = ["opal", pytest.param("mmseqs", marks=needs_mmseqs)]


def pairs(hits: Hits) -> dict[tuple[int, int], float]:
    found: dict[tuple[int, int], float] = {}
    for query, target, value in zip(hits.query, hits.target, hits.similarity, strict=True):
        key = (int(query), int(target))
        found[key] = max(found.get(key, 0.0), float(value))
    return found


@pytest.mark.parametrize("tool", TOOLS)
def test_identity_is_counted_over_the_shorter_chain(tool: sequence.SequenceTool) -> None:
    parent, other = families(2, 1, 1.0, 0, 120)
    rng = np.random.default_rng(1)
    inside = other[:100] + mutated(parent, 0.8, rng)  # the parent's relative as one domain of two
    found = pairs(identity_hits([parent, inside], [inside, parent], tool))
    assert found[0, 1] == 1.0
    assert found[0, 0] == pytest.approx(0.8, abs=0.03)
    assert found[1, 1] == pytest.approx(0.8, abs=0.03)
    forward = identity_hits([parent, inside], None, tool)
    assert set(pairs(forward)) == {(0, 1)}
    assert (forward.query < forward.target).all()


@needs_mmseqs
def test_both_sequence_routes_find_the_same_families() -> None:
    chains = families(12, 4, 0.6, 7)
    by_opal, by_mmseqs = (pairs(identity_hits(chains, tool=tool)) for tool in ("opal", "mmseqs"))  # type: ignore[arg-type]
    same = {(a, b) for a in range(48) for b in range(a + 1, 48) if a // 4 == b // 4}
    assert set(by_opal) == set(by_mmseqs) == same
    for pair in same:
        assert by_opal[pair] == pytest.approx(by_mmseqs[pair], abs=0.03)


def test_chance_is_no_similarity() -> None:
    """A peptide finds a third of its residues in many a long chain; such alignments are not significant."""
    rng = np.random.default_rng(0)
    long = families(30, 1, 1.0, 1, 400)
    short = ["".join(rng.choice(list("ACDEFGHIKLMNPQRSTVWY"), 15)) for _ in range(20)]
    assert len(identity_hits(short, long)) == 0


def test_unknown_residues_are_read_as_x() -> None:
    (parent,) = families(1, 1, 1.0, 0)
    assert pairs(identity_hits([parent.lower(), "U" + parent[1:]], [parent])) == {
        (1, 0): pytest.approx(89 / 90)
    }


def test_the_best_hit_is_the_most_similar_then_the_longest() -> None:
    hits = Hits.of([(2, 5, 0.4, 0.9), (0, 3, 0.5, 0.2), (0, 1, 0.5, 0.8), (0, 2, 0.3, 1.0)])
    target, similarity, coverage = hits.best(3)
    assert list(target) == [1, -1, 5]
    assert list(similarity) == [0.5, 0.0, 0.4]
    assert list(coverage) == [0.8, 0.0, 0.9]


def test_a_tool_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "mmseqs", "import sys; sys.exit('Cannot allocate memory')", monkeypatch)
    with pytest.raises(BioBlobsError, match="mmseqs easy-search ended with status 1: Cannot allocate memory"):
        identity_hits(["ACDEFGHIKL"], tool="mmseqs")


def test_without_any_tool_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("opal", "tmalign"):
        monkeypatch.setitem(sys.modules, f"bioblobs.similarity.{name}", None)
        monkeypatch.delattr(similarity, name, raising=False)
    with pytest.raises(BioBlobsError, match=r"pip install pyopal, or install MMseqs2"):
        identity_hits(["ACD"], ["ACD"])
    with pytest.raises(BioBlobsError, match=r"pip install tmtools pyopal, or install Foldseek"):
        structure_links(["ACD"], [np.zeros((3, 3), np.float32)], 0.5)


# --- structure


def chains_of(store: Store, count: int) -> tuple[list[str], list[np.ndarray]]:
    rows = [(store.offsets[p], store.offsets[p + 1]) for p in range(count)]
    return [decode(store.residue_types[a:b]) for a, b in rows], [store.coordinates[a:b, 1] for a, b in rows]


def moved(ca: np.ndarray, seed: int, noise: float = 0.5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    rotation[:, 0] *= np.linalg.det(rotation)
    return (ca @ rotation + rng.normal(size=3) * 20 + rng.normal(size=ca.shape) * noise).astype(np.float32)


def tm_of_equals(first: np.ndarray, second: np.ndarray) -> float:
    """TM-score of chains whose residues correspond one to one (Zhang & Skolnick 2004, eq. 2)."""
    fitted = superimpose(first, second)[0]
    scale = 1.24 * (len(first) - 15) ** (1 / 3) - 1.8
    return float((1 / (1 + ((fitted - first) ** 2).sum(1) / scale**2)).mean())


def test_states_do_not_depend_on_the_pose_and_find_the_relative(sample_store: Store) -> None:
    _, ca = chains_of(sample_store, 12)
    assert [states(moved(xyz, 1, 0.0)) for xyz in ca] == [states(xyz) for xyz in ca]
    best = candidates([states(moved(xyz, 2)) for xyz in ca], [states(xyz) for xyz in ca], 1, np.inf, 2)
    assert sum(query == target for query, target, _ in best) >= 11
    every = candidates([states(xyz) for xyz in ca], None, 1, -np.inf, 1)
    assert {(a, b) for a, b, _ in every} <= {(a, b) for a in range(12) for b in range(a + 1, 12)}


def test_structure_splits_keep_relatives_together(sample_store: Store) -> None:
    """Moved and shaken copies, with other sequences; whatever TM-align says of each pair across splits."""
    _, parents = chains_of(sample_store, 6)
    ca = [*parents, *(moved(xyz, seed) for seed, xyz in enumerate(parents))]
    sequences = families(12, 1, 1.0, 0, 30)
    assert all(tm_of_equals(a, b) > 0.7 for a, b in zip(ca[:6], ca[6:], strict=True))
    plan = plan_splits(sequences, ca, [("x",)] * 12, "structure", 0.7, (0.8, 0.1, 0.1), 0)
    assert plan.tool == structure_tool()
    assert list(plan.clusters[:6]) == list(plan.clusters[6:])
    for a in range(12):
        for b in range(a):
            if plan.splits[a] != plan.splits[b]:
                first, second = ca[a].astype(float), ca[b].astype(float)
                found = tmtools.tm_align(first, second, "A" * len(first), "A" * len(second))
                assert max(found.tm_norm_chain1, found.tm_norm_chain2) < 0.7


def test_chains_of_a_few_residues_and_missing_atoms_are_borne() -> None:
    rng = np.random.default_rng(0)
    ca = [rng.normal(size=(n, 3)).astype(np.float32) * 5 for n in (1, 2, 4, 30, 30)]
    ca[3][4] = np.nan
    hits = tmalign.linked_pairs(ca, 0.5, 1)
    assert not len(hits) or set(hits.query) | set(hits.target) <= {3, 4}


def install(folder: Path, name: str, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of that name, first on PATH."""
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


FAKE = """
import pathlib, sys
words = sys.argv[1:]
assert words[0] == "easy-search" and words[1] == words[2]
options = dict(zip(words[5::2], words[6::2]))
assert options["--format-output"] == "query,target,qtmscore,ttmscore,qcov"
assert options["--alignment-type"] == "1"
names = sorted((path.name for path in pathlib.Path(words[1]).glob("*.pdb")), key=lambda n: int(n[:-4]))
assert all("  CA  " in line for line in open(pathlib.Path(words[1]) / names[0]) if line.startswith("ATOM"))
with open(words[3], "w") as out:
    for name in names:
        out.write(f"{name}\\t{name}\\t1.000\\t1.000\\t1.000\\n")
    out.write("0.pdb\\t3.pdb\\t4.120E-01\\t8.120E-01\\t0.950\\n3.pdb\\t0.pdb\\t0.812\\t0.412\\t0.500\\n")
    out.write("1.pdb\\t2.pdb\\t0.601\\t0.655\\t0.900\\n")
"""


def test_foldseek_is_called_and_read_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a program that writes the documented table: the real one was not at hand."""
    install(tmp_path, "foldseek", FAKE, monkeypatch)
    rng = np.random.default_rng(0)
    ca = [rng.normal(size=(20, 3)).astype(np.float32) * 9 for _ in range(8)]
    labels = [("x",)] * 8
    plan = plan_splits(families(8, 1, 1.0, 0, 20), ca, labels, "structure", 0.7, (0.8, 0.1, 0.1), 0)
    assert plan.tool == "foldseek"
    assert "by foldseek" in plan.summary
    joined = [place for place in range(1, 8) if plan.clusters[place] == plan.clusters[0]]
    assert joined == [3]  # the larger normalisation, 0.812, counts; 0.655 is below 0.7
    assert plan.clusters[1] != plan.clusters[2]


@pytest.mark.parametrize("style", ["{}", "{}.pdb", "{}.pdb_A", "{}_A"])
def test_every_way_in_which_foldseek_names_chains_is_read(tmp_path: Path, style: str) -> None:
    table = tmp_path / "hits"
    table.write_text(f"{style.format(1)}\t{style.format(0)}\t0.5\t0.7\t0.9\n")
    hits = foldseek.read_hits(table)
    assert (list(hits.query), list(hits.target), list(hits.similarity)) == ([0], [1], [0.7])


@pytest.mark.parametrize("content", ["0\t1\t0.5\n", "a\tb\t0.5\t0.5\t0.9\n"])
def test_another_table_than_the_one_asked_for_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "hits").write_text(content)
    with pytest.raises(BioBlobsError, match="hits: "):
        foldseek.read_hits(tmp_path / "hits")
    (tmp_path / "hits").write_text("")
    assert len(foldseek.read_hits(tmp_path / "hits")) == 0


def test_c_alpha_files_are_read_back(tmp_path: Path) -> None:
    from biotite.structure.io.pdb import PDBFile

    ca = np.random.default_rng(0).normal(size=(25, 3)).astype(np.float32) * 30
    ca[3] = np.nan
    text = "ACDEFGHIKLMNPQRSTVWYXACDE"
    (tmp_path / "c.pdb").write_text(foldseek.ca_pdb(text, ca))
    atoms = PDBFile.read(tmp_path / "c.pdb").get_structure(model=1)
    assert list(atoms.res_id) == [place + 1 for place in range(25) if place != 3]
    kept = np.isfinite(ca).all(1)
    np.testing.assert_allclose(atoms.coord - atoms.coord.mean(0), ca[kept] - ca[kept].mean(0), atol=2e-3)
