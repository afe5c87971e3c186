"""Annotated residues: found by their author numbers, and planted ones are seen where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import fisher_exact
from stub import stub_explained

from bioblobs.errors import BioBlobsError
from bioblobs.faithfulness.chains import Chains
from bioblobs.faithfulness.sites import enrichment, read_sites, site_residues
from bioblobs.interpretation.records import author_labels
from conftest import ROOT

BLOBS = [[1, 2, 3, 4], [8, 9, 10, 11], [15, 16, 17, 18]]
IMPORTANCE = [0.2, 0.6, 0.2]


def test_planted_sites_are_found_in_the_important_blob(chains: Chains) -> None:
    explained = stub_explained(chains, BLOBS, IMPORTANCE, [0, 1])
    made = enrichment(chains, explained, np.isin(chains.position, [9, 10, 25]), 0)
    assert made is not None
    assert made["proteins"] == len(chains)
    assert made["sites"] == 3 * len(chains)
    assert made["sites_in_important_blobs"] == 2 * len(chains)
    assert made["odds_ratio"] > 10 and made["low"] > 3
    assert made["p_mantel_haenszel"] < 1e-6
    assert made["p_exchanged_importance"] < 0.01


def test_sites_of_another_blob_are_no_evidence_for_importance(chains: Chains) -> None:
    explained = stub_explained(chains, BLOBS, IMPORTANCE, [0, 1])
    made = enrichment(chains, explained, np.isin(chains.position, [2, 3, 25]), 0)
    assert made is not None
    assert made["odds_ratio"] == 0
    assert made["p_exchanged_importance"] > 0.9


def test_sites_at_random_are_not_enriched(chains: Chains) -> None:
    explained = stub_explained(chains, BLOBS, IMPORTANCE, [0, 1])
    rng = np.random.default_rng(0)
    made = [enrichment(chains, explained, rng.random(len(chains.protein)) < 0.1, 0) for _ in range(40)]
    assert np.mean([each["p_mantel_haenszel"] < 0.05 for each in made if each]) < 0.2
    ratios = [each["odds_ratio"] for each in made if each and each["odds_ratio"]]
    assert 0.7 < np.exp(np.mean(np.log(ratios))) < 1.3


def test_one_chain_is_its_own_two_by_two_table(chains: Chains) -> None:
    explained = stub_explained(chains, BLOBS, IMPORTANCE, [0, 1])
    site = np.isin(chains.position, [3, 9, 10, 25]) & (chains.protein == 2)
    made = enrichment(chains, explained, site, 0)
    assert made is not None
    length = int(chains.lengths[2])
    table = [[2, 2], [2, length - 6]]
    assert made["odds_ratio"] == pytest.approx(fisher_exact(table).statistic, rel=1e-3)
    assert made["proteins"] == 1
    assert made["share_of_residues"] == pytest.approx(4 / length, abs=1e-6)


def test_no_site_no_numbers(chains: Chains) -> None:
    explained = stub_explained(chains, BLOBS, IMPORTANCE, [0, 1])
    assert enrichment(chains, explained, np.zeros(len(chains.protein), bool), 0) is None


def test_every_site_in_important_blobs_is_an_infinite_ratio(chains: Chains) -> None:
    explained = stub_explained(chains, BLOBS, IMPORTANCE, [0, 1])
    made = enrichment(chains, explained, np.isin(chains.position, [9, 10]), 0)
    assert made is not None
    assert made["odds_ratio"] is None  # JSON has no infinity
    assert made["p_mantel_haenszel"] < 1e-6


def test_residues_are_found_by_author_number(chains: Chains, tmp_path: Path) -> None:
    ids = [f"chain{p}" for p in range(len(chains))]
    long = author_labels(chains.store, int(chains.rows[1]), np.array([3, 7]))
    short = author_labels(chains.store, int(chains.rows[4]), np.array([0]))[0].split("/")[1]
    lines = [f"chain1,{long[0]}", f"chain1,{long[1]}", f"chain4,{short}", "chain4,9999Z", "elsewhere,1"]
    path = tmp_path / "sites.csv"
    path.write_text("id,residue,kind\n" + "".join(f"{line},active\n" for line in [*lines, lines[0]]))
    site, missing = site_residues(chains, ids, read_sites(path))
    assert [(chains.protein[i], chains.position[i]) for i in np.flatnonzero(site)] == [(1, 3), (1, 7), (4, 0)]
    assert missing == 1


def test_the_sample_has_no_sites(chains: Chains) -> None:
    table = read_sites(ROOT / "data" / "sites.csv")
    assert table.empty
    site, missing = site_residues(chains, ["x"] * len(chains), table)
    assert not site.any() and missing == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,number\na,1\n", "no column residue"),
        ("", "cannot be read"),
        ("id,residue\na,1\nb,\n", "line 3"),
        (None, "cannot be read"),
    ],
)
def test_bad_tables_are_named(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "sites.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BioBlobsError, match=message) as found:
        read_sites(path)
    assert str(path) in str(found.value)
