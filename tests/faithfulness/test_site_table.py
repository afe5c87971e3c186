"""Annotated residues are found by their author numbers; what is not there is counted and named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bioblobs.errors import BioBlobsError
from bioblobs.faithfulness.chains import Chains
from bioblobs.faithfulness.site_table import find_sites, read_sites
from bioblobs.inference.records import author_labels
from bioblobs.proteins.alphabet import decode
from bioblobs.store.packed import Store
from conftest import ROOT

SAMPLE = ROOT / "data" / "sample" / "catalytic_residues.csv"


def ids_of(chains: Chains) -> list[str]:
    return [str(chains.store.table()["id"][row]) for row in chains.rows]


def short(chains: Chains, chain: int, residue: int) -> str:
    """Author number and insertion code."""
    return author_labels(chains.store, int(chains.rows[chain]), np.array([residue]))[0].split("/")[1]


def written(path: Path, *lines: str) -> pd.DataFrame:
    path.write_text("\n".join(lines) + "\n")
    return read_sites(path)


def found(chains: Chains, table: pd.DataFrame) -> list[tuple[int, int]]:
    site = find_sites(chains.store, table).of(chains)
    return [(int(chains.protein[i]), int(chains.position[i])) for i in np.flatnonzero(site)]


def residue_type(chains: Chains, chain: int, residue: int) -> str:
    at = chains.residue[chains.starts[chain] + residue]
    return decode(np.asarray(chains.store.residue_types[[at]]))


def test_by_number_with_and_without_the_chain(chains: Chains, tmp_path: Path) -> None:
    ids, store = ids_of(chains), chains.store
    long = author_labels(store, int(chains.rows[1]), np.array([3, 7]))
    lines = [f"{ids[1]},{long[0]},active", f"{ids[1]},{long[1]},active", f"{ids[4]},{short(chains, 4, 0)},x"]
    table = written(tmp_path / "s.csv", "id,residue,kind", *lines, lines[0])
    assert found(chains, table) == [(1, 3), (1, 7), (4, 0)]
    sites = find_sites(store, table)
    assert sites.curated is None
    assert set(sites.counts().values()) == {0} and sites.warnings() == []
    wrong = written(tmp_path / "s.csv", "id,residue", f"{ids[1]},Z/{short(chains, 1, 3)}")
    assert find_sites(store, wrong).counts()["missing_residues"] == 1


def test_the_form_of_the_samples_table(chains: Chains, tmp_path: Path) -> None:
    ids = ids_of(chains)
    rows = [(0, 5), (0, 9), (2, 1)]
    lines = [
        f"{ids[c]},{short(chains, c, r)},,{residue_type(chains, c, r)},7,{source}"
        for (c, r), source in zip(rows, ["M-CSA", "homolog40:1ABC_A", "M-CSA"], strict=True)
    ]
    table = written(tmp_path / "s.csv", "id,number,icode,aa,mcsa,source", *lines)
    assert found(chains, table) == rows
    assert find_sites(chains.store, table).curated.tolist() == [True, False, True]  # type: ignore[union-attr]
    assert list(table) == ["id", "residue", "aa", "source"]


def test_insertion_codes_belong_to_the_number(tmp_path: Path) -> None:
    table = written(tmp_path / "s.csv", "id,number,icode,aa", "a,60,C,d", "a,60,,H")
    assert table["residue"].tolist() == ["60C", "60"]
    assert table["aa"].tolist() == ["D", "H"]


def test_what_is_not_there_is_counted_and_named(chains: Chains, tmp_path: Path) -> None:
    ids = ids_of(chains)
    right = residue_type(chains, 0, 5)
    other = "W" if right != "W" else "A"
    lines = [
        f"{ids[0]},{short(chains, 0, 6)},,",  # no type said: not looked at
        f"{ids[0]},{short(chains, 0, 5)},,{other}",
        f"{ids[1]},9999,,A",
        f"{ids[1]},9998,Z,A",
        *(f"absent{number},1,,A" for number in range(5)),
        "absent0,2,,A",
    ]
    table = written(tmp_path / "s.csv", "id,number,icode,aa", *lines)
    assert found(chains, table) == [(0, 6)]
    sites = find_sites(chains.store, table)
    assert sites.counts() == {"missing_chains": 5, "missing_residues": 2, "other_residue_type": 1}
    assert sites.warnings() == [
        "sites of no prepared chain: absent0, absent1, absent2 and 2 more",
        f"sites not in their chain: {ids[1]} 9999, {ids[1]} 9998Z",
        f"sites of another residue type: {ids[0]} {short(chains, 0, 5)} {other}",
    ]


def test_the_users_table_is_empty_until_it_is_filled(sample_store: Store) -> None:
    table = read_sites(ROOT / "data" / "sites.csv")
    assert table.empty
    sites = find_sites(sample_store, table)
    assert not len(sites.rows) and set(sites.counts().values()) == {0}


def test_the_samples_sites_are_all_found_with_their_types(sample_store: Store) -> None:
    """Every row of a prepared chain; and the file is as its README says."""
    table = read_sites(SAMPLE)
    assert (len(table), table["id"].nunique()) == (3575, 676)
    assert (table["source"] == "M-CSA").sum() == 2167
    sites = find_sites(sample_store, table)
    prepared = set(sample_store.table()["id"])
    assert len(sites.rows) == table["id"].isin(prepared).sum() > 0
    assert sites.counts() == {
        "missing_chains": len(set(table["id"]) - prepared),
        "missing_residues": 0,
        "other_residue_type": 0,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,place\na,1\n", "no column residue; expected id,residue or id,number,icode"),
        ("residue\n1\n", "no column id"),
        ("", "cannot be read"),
        ("id,residue\na,1\nb,\n", "line 3: id or residue is empty"),
        ("id,number,icode\na,1,\nb,,A\n", "line 3: id or residue is empty"),
        ("id,number,icode,aa\na,1,,Asp\n", "line 2: aa: expected a one-letter residue code; got ASP"),
        (None, "cannot be read"),
    ],
)
def test_bad_tables_are_named(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "sites.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BioBlobsError, match=message) as error:
        read_sites(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
