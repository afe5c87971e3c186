"""Rankings of residues by contribution and by controls: areas and shares that can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from stub import stub_explained

from bioblobs.faithfulness.chains import Chains
from bioblobs.faithfulness.site_controls import (
    contact_number,
    control_scores,
    depth,
    learn_background,
    residue_types,
)
from bioblobs.faithfulness.site_rankings import (
    DRAWS,
    blob_means,
    residues_of_best,
    roc_areas,
    share_held,
    site_rankings,
)
from bioblobs.faithfulness.site_report import measure_sites
from bioblobs.inference.explained import Explained
from bioblobs.proteins.alphabet import SYMBOLS

BLOBS = [[1, 2, 3, 4], [8, 9], [15, 16, 17]]
WORTH = [[-0.2, 0.2], [-0.5, 0.5], [0.3, -0.3]]
"""To class 0 and 1; the predicted class is 1."""


@pytest.fixture
def explained(chains: Chains) -> Explained:
    return stub_explained(chains, BLOBS, [0.3, 0.7, 0.0], [0, 1], WORTH)


def test_areas_by_hand(chains: Chains, explained: Explained) -> None:
    """Order of groups: blob 1 (2 residues), blob 0 (4), in none (the rest), blob 2 (3)."""
    score = explained.of_residues(explained.contribution)
    rest = chains.lengths - 9

    def area(residues: list[int]) -> np.ndarray:
        return roc_areas(chains, score, np.isin(chains.position, residues))

    np.testing.assert_allclose(area([8, 9]), 1)
    np.testing.assert_allclose(area([15, 16, 17]), 0)
    # one of blob 1: the other ties with it and counts half
    np.testing.assert_allclose(area([8]), (0.5 + 4 + rest + 3) / (chains.lengths - 1))
    # one in blob 0, one in none
    pairs = (3 + 0.5 * 3 + rest - 1) + (3 + 0.5 * (rest - 1))
    np.testing.assert_allclose(area([1, 25]), pairs / (2 * (chains.lengths - 2)))
    assert np.isnan(area([])).all() and np.isnan(area(list(range(1000)))).all()


def test_areas_are_scikit_learns(chains: Chains) -> None:
    rng = np.random.default_rng(0)
    score, site = rng.integers(0, 4, len(chains.protein)).astype(float), rng.random(len(chains.protein)) < 0.1
    found = roc_areas(chains, score, site)
    own = chains.protein == 3
    assert found[3] == roc_auc_score(site[own], score[own])
    assert abs(np.nanmean(found) - 0.5) < 0.05


def test_shares_of_the_best_blobs(chains: Chains, explained: Explained) -> None:
    count = residues_of_best(chains, explained, 5)
    assert count[0].tolist() == [2, 6, 9, 9, 9]
    ranked = site_rankings(chains, explained, [explained], None, 0)
    site = np.isin(chains.position, [9, 2, 15, 25])
    (own,) = ranked["contribution"]
    for blobs, share in enumerate([0.25, 0.5, 0.75]):
        np.testing.assert_allclose(share_held(chains, own.place, count[:, blobs], site), share)
    assert np.isnan(share_held(chains, own.place, count[:, 0], np.zeros_like(site))).all()
    missing = stub_explained(chains, [[1, 2], []], [1, 0], [0, 1], [[0, 1.0], [0, 2.0]])
    missing.mask[:, 1] = False
    assert (residues_of_best(chains, missing, 3) == 2).all()


def test_controls_keep_what_they_should(chains: Chains, explained: Explained) -> None:
    ranked = site_rankings(chains, explained, [explained] * 2, None, 0)
    assert list(ranked) == [
        "contribution",
        "depth",
        "neighbours",
        "random_patches",
        "exchanged",
        "untrained_model",
    ]
    assert len(ranked["exchanged"]) == len(ranked["random_patches"]) == DRAWS
    assert len(ranked["untrained_model"]) == 2
    for drawn in ranked.values():
        for each in drawn:
            for p in (0, len(chains) - 1):
                own = chains.protein == p
                assert sorted(each.place[own]) == list(range(chains.lengths[p]))
    for name in ("exchanged", "random_patches"):
        sizes, values = set(), set()
        for each in ranked[name]:
            kind, count = np.unique(each.score[chains.protein == 0], return_counts=True)
            values.add(tuple(kind))
            sizes.add(tuple(count))
        assert values == {(-0.3, 0.0, 0.2, 0.5)}
        assert (len(sizes) == 1) == (name == "random_patches")
    assert not np.array_equal(ranked["exchanged"][0].score, ranked["exchanged"][1].score)
    again = site_rankings(chains, explained, [explained], None, 0)
    other = site_rankings(chains, explained, [explained], None, 1)
    for name in ("exchanged", "random_patches"):
        np.testing.assert_array_equal(ranked[name][0].score, again[name][0].score)
        assert any((a.score != b.score).any() for a, b in zip(ranked[name], other[name], strict=True))


def test_depth_and_contacts_by_the_other_route(chains: Chains) -> None:
    ours, contacts = depth(chains), contact_number(chains)
    for p in (0, 5):
        own = chains.protein == p
        ca = chains.coordinates[own, 1].astype(float)
        np.testing.assert_allclose(ours[own], -np.linalg.norm(ca - ca.mean(0), axis=1), rtol=1e-5)
        distance = np.linalg.norm(ca[:, None] - ca, axis=-1)
        np.testing.assert_array_equal(contacts[own], (distance <= 10).sum(1) - 1)


def test_background_learns_type_and_depth(chains: Chains) -> None:
    """Sites are all histidines but a few glycines; then the innermost residues."""
    types, letter = residue_types(chains), {symbol: number for number, symbol in enumerate(SYMBOLS)}
    histidine, glycine = types == letter["H"], types == letter["G"]
    site = histidine | (glycine & (chains.position % 10 == 0))
    odds = learn_background(chains, site).log_odds
    assert odds.argmax() == letter["H"]
    held, other = (glycine & site).sum(), (glycine & ~site).sum()
    assert odds[letter["G"]] == pytest.approx(np.log((held + 0.5) / (other + 0.5)))
    assert np.isfinite(odds).all()
    inner = chains.order(-depth(chains)) < 5
    learned = learn_background(chains, inner)
    scores = control_scores(chains, learned)
    assert list(scores) == ["depth", "neighbours", "residue_type", "depth_and_type"]
    assert np.mean(roc_areas(chains, scores["depth_and_type"], inner)) > 0.95
    assert np.mean(roc_areas(chains, scores["residue_type"], inner)) < 0.8
    both = (chains.order(-depth(chains)) < 20) & np.isin(types, [letter["L"], letter["V"], letter["I"]])
    scores = control_scores(chains, learn_background(chains, both))
    areas = {name: np.nanmean(roc_areas(chains, score, both)) for name, score in scores.items()}
    assert areas["depth_and_type"] > 0.95
    assert max(areas["depth"], areas["residue_type"]) < areas["depth_and_type"]


def test_blobs_of_the_best_mean_score(chains: Chains, explained: Explained) -> None:
    score = np.where(np.isin(chains.position, [15, 16]), -1.0, -7.0)
    mean = blob_means(chains, explained, score)
    np.testing.assert_allclose(mean, [[1, 1, 5]] * len(chains))
    background = learn_background(chains, np.isin(chains.position, [16]))
    assert "depth_and_type_of_blobs" in site_rankings(chains, explained, [explained], background, 0)


def test_planted_sites_beat_every_control(chains: Chains, explained: Explained) -> None:
    site = np.isin(chains.position, [8, 9]) & (chains.protein != 0)
    random = stub_explained(chains, [[20, 21, 22], [8, 9]], [1, 0], [0, 1], [[0, 1.0], [0, -1.0]])
    ranked = site_rankings(chains, explained, [random], learn_background(chains, site), 0)
    made = measure_sites(chains, explained, ranked, site, 0)
    assert made is not None
    assert (made["chains"], made["sites"]) == (len(chains) - 1, 2 * (len(chains) - 1))
    assert made["auc"]["contribution"] == {"value": 1, "low": 1, "high": 1}
    assert made["auc"]["untrained_model"]["value"] < 0.1
    for name, gain in made["auc_gain"].items():
        assert gain["low"] > 0, name
        assert gain["value"] == pytest.approx(1 - made["auc"][name]["value"], abs=2e-5)
    assert set(made["auc_gain"]) == set(made["auc"]) - {"contribution"}
    best = made["top_blobs"]["1"]
    share = (2 / chains.lengths[1:]).mean()
    assert best["residues"]["value"] == pytest.approx(share, abs=1e-5)
    assert best["sites"]["contribution"]["value"] == 1
    assert best["sites_gain"]["exchanged"]["value"] == pytest.approx(1 - best["sites"]["exchanged"]["value"])
    assert best["sites"]["exchanged"]["value"] == pytest.approx(1 / 3, abs=0.15)
    assert made["odds_ratio"]["contribution"] is None  # infinite
    assert made["odds_ratio"]["random_patches"] < 5
    assert made["enrichment"]["sites_in_important_blobs"] == made["sites"]


def test_accuracy_is_of_the_chains_with_sites(chains: Chains, explained: Explained) -> None:
    labels = np.asarray(chains.store.labels[chains.rows])
    explained.chances = np.eye(len(chains.store.classes))[np.where(labels == 0, 0, (labels + 1) % 5)]
    explained.logits = explained.chances
    explained.contributions = np.zeros((len(chains), 3, len(chains.store.classes)))
    right = labels == 0
    assert right.any() and not right.all()
    for wanted, share in ((right, 1.0), (~right, 0.0)):
        site = wanted[chains.protein] & (chains.position == 8)
        ranked = site_rankings(chains, explained, [explained], None, 0)
        made = measure_sites(chains, explained, ranked, site, 0)
        assert made is not None and made["accuracy"] == share


def test_no_site_no_numbers(chains: Chains, explained: Explained) -> None:
    ranked = site_rankings(chains, explained, [explained], None, 0)
    assert measure_sites(chains, explained, ranked, np.zeros(len(chains.protein), bool), 0) is None
