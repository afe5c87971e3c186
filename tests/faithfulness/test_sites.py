"""Enrichment of sites in important blobs: planted ones are seen where they are, and chance is chance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import fisher_exact
from stub import stub_explained

from bioblobs.faithfulness.chains import Chains
from bioblobs.faithfulness.site_enrichment import enrichment

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


def test_large_blobs_hold_more_sites_without_being_enriched(chains: Chains) -> None:
    """The important blob is eight times as large, with sites as everywhere: exchanges count by residues."""
    explained = stub_explained(chains, [list(range(3, 27)), [0, 1, 2], [27, 28, 29]], [0.8, 0.1, 0.1], [0, 1])
    made = enrichment(chains, explained, chains.position % 3 == 1, 0)
    assert made is not None
    assert 0.8 < made["odds_ratio"] < 1.25
    assert made["p_exchanged_importance"] > 0.1
