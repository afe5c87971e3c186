"""Chains into splits: whole clusters, shares kept, classes balanced, nothing alike across train and test."""

from __future__ import annotations

from collections.abc import Sequence

import biotite.sequence as seq
import biotite.sequence.align as align
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioblobs.config.schema import DataConfig
from bioblobs.errors import BioBlobsError
from bioblobs.splits import SPLITS, assign
from bioblobs.splits.assign import assign_splits, distribute, identical, plan_splits, single_linkage
from families import LETTERS, families

BLOSUM62 = align.SubstitutionMatrix.std_protein_matrix()
NO_CA: list[np.ndarray] = []


def asked(
    kind: str,
    threshold: float = 0.7,
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1),
    seed: int = 0,
) -> tuple[str, float, tuple[float, float, float], int]:
    return kind, threshold, fractions, seed


def global_identity(first: str, second: str) -> float:
    """Matches over the shorter sequence by biotite's Needleman-Wunsch: not what made the split."""
    pair = [seq.ProteinSequence(text) for text in (first, second)]
    best = align.align_optimal(*pair, BLOSUM62, gap_penalty=(-11, -1), terminal_penalty=False, max_number=1)[
        0
    ]
    both = (best.trace != -1).all(1)
    codes = [part.code[best.trace[both, column]] for column, part in enumerate(pair)]
    return float((codes[0] == codes[1]).sum() / min(len(first), len(second)))


def across(splits: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of chains of different splits."""
    return [(a, b) for a in range(len(splits)) for b in range(a + 1, len(splits)) if splits[a] != splits[b]]


@pytest.mark.parametrize("tool", ["opal", "mmseqs"])
@given(seed=st.integers(0, 2**16), identity=st.sampled_from([0.55, 0.75, 0.95]))
@settings(max_examples=6, derandomize=True, database=None)
def test_no_pair_across_splits_reaches_the_threshold(tool: str, seed: int, identity: float) -> None:
    """By global alignment with another library; families are known by construction."""
    if tool == "mmseqs" and assign.sequence_tool() != "mmseqs":
        pytest.skip("mmseqs is not on PATH")
    if tool == "mmseqs":
        identity = max(identity, 0.75)  # its prefilter misses some pairs just above the threshold
    chains = families(8, 3, identity, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assign, "sequence_tool", lambda: tool)
        plan = plan_splits(chains, NO_CA, [("x",)] * len(chains), *asked("sequence", threshold=0.5))
    assert plan.tool == tool
    assert len(set(plan.clusters)) == 8
    for family in range(8):
        assert len({*plan.clusters[3 * family : 3 * family + 3]}) == 1
    assert all(global_identity(chains[a], chains[b]) < 0.5 for a, b in across(plan.splits))


def test_a_chain_of_relatives_is_one_cluster() -> None:
    """Ends that are below the threshold stay together: what clustering around representatives breaks."""
    rng = np.random.default_rng(0)
    links = ["".join(rng.choice(LETTERS, 100))]
    for step in range(4):  # each replaces 20 other places, so that ends share 20 %
        letters = np.array(list(links[-1]))
        for place in range(20 * step, 20 * step + 20):
            letters[place] = rng.choice(LETTERS[letters[place] != LETTERS])
        links.append("".join(letters))
    assert global_identity(links[0], links[-1]) < 0.5
    chains = links + families(6, 1, 1.0, 1)
    plan = plan_splits(chains, NO_CA, [("x",)] * len(chains), *asked("sequence"))
    assert len(set(plan.clusters[:5])) == 1
    assert len(set(plan.clusters)) == 7


def test_a_domain_belongs_with_the_chain_that_contains_it() -> None:
    """Identity is over the shorter chain."""
    domain, rest, *others = families(10, 1, 1.0, 3, 80)
    chains = [domain, rest + domain, *others]
    plan = plan_splits(chains, NO_CA, [("x",)] * len(chains), *asked("sequence", threshold=0.9))
    assert plan.clusters[0] == plan.clusters[1]


def test_links_join_what_they_connect_and_nothing_else() -> None:
    links = (np.array([0, 1, 5]), np.array([1, 2, 6]))
    assert list(single_linkage(7, [links])) == [0, 0, 0, 1, 2, 3, 3]
    assert list(single_linkage(3, [])) == [0, 1, 2]
    assert list(single_linkage(4, [identical(["A", "C", "A", "D"])])) == [0, 1, 0, 2]


@given(
    sizes=st.lists(st.integers(1, 6), min_size=10, max_size=120),
    seed=st.integers(0, 1000),
    fractions=st.sampled_from([(0.8, 0.1, 0.1), (0.6, 0.2, 0.2), (0.4, 0.1, 0.5)]),
)
@settings(derandomize=True, database=None)
def test_clusters_stay_whole_and_shares_are_near(
    sizes: list[int], seed: int, fractions: tuple[float, float, float]
) -> None:
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    rng = np.random.default_rng(seed)
    clusters = rng.permutation(clusters)
    labels = [(str(rng.integers(3)),) for _ in clusters]
    split = distribute(clusters, labels, fractions, seed)
    for cluster in range(len(sizes)):
        assert len(set(split[clusters == cluster])) == 1
    got = np.bincount(split, minlength=3)
    for count, share in zip(got, fractions, strict=True):
        assert (count > 0) == (share > 0)
        assert abs(count - share * len(clusters)) <= 2 * max(sizes)
    assert np.array_equal(split, distribute(clusters, labels, fractions, seed))


def test_random_is_stratified_and_keeps_equal_chains_together() -> None:
    chains = families(300, 1, 1.0, 0, 40)
    chains += chains[:50]
    labels = [(name,) for name in ["a"] * 200 + ["b"] * 70 + ["c"] * 30 + ["a"] * 50]
    splits = assign_splits(chains, NO_CA, labels, *asked("random", seed=5))
    assert splits[:50] == splits[300:]
    for name in "abc":
        own = [split for split, (label,) in zip(splits, labels, strict=True) if label == name]
        for split, share in zip(SPLITS, (0.8, 0.1, 0.1), strict=True):
            assert abs(own.count(split) - share * len(own)) <= 2


def test_several_labels_a_chain_are_balanced_too() -> None:
    rng = np.random.default_rng(0)
    labels = [tuple(str(term) for term in np.flatnonzero(rng.random(6) < 0.3)) for _ in range(400)]
    splits = assign_splits(families(400, 1, 1.0, 0, 30), NO_CA, labels, *asked("random"))
    for term in map(str, range(6)):
        own = [split for split, terms in zip(splits, labels, strict=True) if term in terms]
        assert 0.7 <= own.count("train") / len(own) <= 0.9


def test_the_seed_decides_and_nothing_else() -> None:
    chains = families(60, 1, 1.0, 0, 40)
    labels = [("x",)] * 60
    first, again, other = (
        assign_splits(chains, NO_CA, labels, *asked("random", seed=seed)) for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_three_chains_make_three_splits_and_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    splits = assign_splits(families(3, 1, 1.0, 0), NO_CA, [("a",)] * 3, *asked("random"))
    assert sorted(splits) == sorted(SPLITS)
    assert "data.split_fractions asks for 80%, 10%, 10%" in capsys.readouterr().err


def test_two_chains_cannot_make_three_splits() -> None:
    with pytest.raises(BioBlobsError, match=r"data\.split: 2 clusters .* cannot fill 3 splits"):
        assign_splits(families(2, 1, 1.0, 0), NO_CA, [("a",)] * 2, *asked("random"))


def test_one_family_cannot_be_split_and_a_giant_one_is_pointed_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    family = families(1, 12, 0.9, 0)
    with pytest.raises(BioBlobsError, match="1 clusters of alike chains among 12"):
        assign_splits(family, NO_CA, [("a",)] * 12, *asked("sequence"))
    chains = [*family, *families(2, 1, 1.0, 9)]
    splits = assign_splits(chains, NO_CA, [("a",)] * 14, *asked("sequence"))
    assert set(splits[:12]) == {"train"}
    assert sorted(splits[12:]) == ["test", "val"]
    assert "the largest 12" in capsys.readouterr().err


@pytest.mark.parametrize(("split", "threshold"), [("sequence", 0.2), ("sequence", 0.35), ("structure", 0.3)])
def test_a_threshold_that_proteinshake_does_not_have_is_refused(split: str, threshold: float) -> None:
    with pytest.raises(
        BioBlobsError, match=r"data\.split_similarity_threshold: expected one of 0\.\d, .*0\.9"
    ):
        assign_splits(["AAA"], NO_CA, [("a",)], *asked(split, threshold=threshold))


@pytest.mark.parametrize("shares", [(0.8, 0.1, 0.2), (0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.2, 0.2)])
def test_impossible_shares_are_refused_by_their_key(shares: tuple[float, float, float]) -> None:
    with pytest.raises(BioBlobsError, match=r"data\.split_fractions"):
        DataConfig(split_fractions=shares)


def test_an_empty_sequence_is_named() -> None:
    with pytest.raises(BioBlobsError, match="chain 1 is empty"):
        assign_splits(["ACDEF", "", "ACD"], NO_CA, [("a",)] * 3, *asked("sequence"))
