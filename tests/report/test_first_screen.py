"""What the first screen and the pages behind it say, as Python makes it: proteins, verdicts, names."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bioblobs.report.code_sentence import code_sentence, sentences_of_blobs
from bioblobs.report.known_proteins import known_of_sample, links
from bioblobs.report.model_card import model_card
from bioblobs.report.short_names import LONGEST, short_names
from bioblobs.report.showcase import showcase
from bioblobs.report.verdicts import worst_check, worst_class, worst_likeness
from conftest import ROOT
from report.pages import CHECKS, code, interval
from traces import blob, chain

CLASSES = {"a": "class A", "b": "class B"}
SCOP = {
    "1": "All alpha proteins",
    "2": "All beta proteins",
    "3": "Alpha and beta proteins (a/b)",
    "4": "Alpha and beta proteins (a+b)",
    "5": "Small proteins",
}


def said(name: str, true: str, predicted: str, probability: float) -> Any:
    shares = {predicted: probability, ({*CLASSES} - {predicted}).pop(): 1 - probability}
    return chain(
        [blob(0, 1, 1.0)],
        id=name,
        true=[true] if true else [],
        predicted=[predicted],
        explained=predicted,
        probabilities=shares,
    )


def test_the_first_screen_shows_a_typical_right_one_per_class_and_the_surest_mistake() -> None:
    right = [said(f"a{p}", "a", "a", p) for p in (0.9, 0.6, 0.7)]
    wrong = [said("w1", "b", "a", 0.8), said("w2", "a", "b", 0.95), said("unseen", "", "a", 0.99)]
    found = showcase([*right, *wrong], CLASSES)
    assert [(each["id"], each["kind"]) for each in found] == [("a0.7", "right"), ("w2", "mistake")]
    assert found[1]["text"] == "Surest mistake: class B, in truth class A"
    assert showcase([chain([blob(0, 1, 1.0)], true=None)], CLASSES) == []


def test_the_worst_class_is_the_one_found_least_often_and_its_missed_proteins_are_linked() -> None:
    records = [said("1", "a", "a", 0.9), said("2", "b", "a", 0.9), said("3", "b", "b", 0.9)]
    found = worst_class(records, CLASSES)
    assert found == {"text": "class B: 1 of 2 found", "href": "#proteins?true=b&outcome=wrong"}
    assert worst_class([said("u", "", "a", 0.9)], CLASSES)["href"] == ""


def test_the_worst_check_is_one_that_fails_then_one_not_measured_then_the_nearest_rival() -> None:
    gains = {
        "deletion_gain": {"gradients": interval(-0.05), "random_blobs": interval(0.2)},
        "insertion_gain": {"gradients": interval(0.01), "random_blobs": interval(None)},
    }
    assert worst_check(CHECKS, gains)["text"].startswith("top blob beats a patch of as many residues: does")
    measured = [check | {"holds": check["holds"] if check["holds"] is None else True} for check in CHECKS]
    assert worst_check(measured, gains)["text"] == "seeds agree: not measured"
    rival = worst_check([check | {"holds": True} for check in CHECKS], gains)
    assert rival["text"] == "No check fails. Nearest rival: integrated gradients, 0.050 better by deletion"


def test_the_chain_most_like_training_is_named_by_sequence_then_by_structure() -> None:
    nearest = pd.DataFrame(
        {
            "id": ["p", "q", "v"],
            "split": ["test", "test", "val"],
            "nearest_by_identity": ["t1", "t2", "t3"],
            "identity": [0.4, 0.9, 1.0],
            "nearest_by_tm_score": ["t1", "t4", "t3"],
            "tm_score": [0.8, np.nan, 1.0],
        }
    )
    assert worst_likeness(nearest, {}, {"p", "q"}) == {
        "text": "q: 90 % identical to training chain t2",
        "href": "#protein?id=q",
    }
    unlike = nearest.assign(identity=0.0)
    assert worst_likeness(unlike, {}, {"p", "q"})["text"] == "p: TM-score 0.80, the fold of training chain t1"
    assert "0.70" in worst_likeness(None, {"identity": {"max": 0.7}}, set())["text"]


def test_class_names_are_short_and_stay_apart() -> None:
    assert [*short_names(SCOP).values()] == ["All alpha", "All beta", "a/b", "a+b", "Small"]
    long = short_names({"x": "a name that is much longer than a chip", "y": "another"})
    assert len(long["x"]) <= LONGEST
    same = {"x": "one long name that ends differently here", "y": "one long name that ends differently there"}
    assert short_names(same) == same
    assert short_names({}) == {}


def test_a_code_is_one_plain_sentence() -> None:
    rows = [
        {"feature": "composition", "value": "A", "share": 0.3, "log2_ratio": 1.0, "p_adjusted": 0.01},
        {"feature": "composition", "value": "G", "share": 0.3, "log2_ratio": 1.0, "p_adjusted": 0.2},
        {"feature": "composition", "value": "W", "share": 0.01, "log2_ratio": 3.0, "p_adjusted": 0.01},
    ]
    windows = {"windows": {"median_rmsd": 3.61}}
    names = {"c0": "all alpha"}
    whole = code(4, against_background=rows, superposition=windows)
    assert code_sentence(whole, names) == "Ala-rich helix, argues for all alpha; loose, 3.6 Å"
    tight = whole | {"superposition": {"windows": {"median_rmsd": 0.4}}, "argues_for": None}
    assert code_sentence(tight, names) == "Ala-rich helix, argues for no class; tight, 0.4 Å"
    bare = code(4, secondary_structure={"coil": 0.5, "strand": 0.4}, evidence=None)
    assert code_sentence(bare, names) == "Loop and strand"


def test_codes_of_a_prediction_are_described_by_their_own_blobs() -> None:
    blobs = [
        blob(0, 1, 0.5, code=7, sequence="AALLG", contributions={"a": 1.0, "b": -1.0}),
        blob(1, 2, 0.5, code=None, sequence="WWWWW", contributions={"a": 1.0, "b": -1.0}),
    ]
    found = sentences_of_blobs([chain(blobs)], CLASSES)
    assert found == {"7": "Here mostly Ala, Leu and Gly, argues for class A"}
    single = [dataclasses.replace(blob, sequence="SXS") for blob in blobs]
    assert sentences_of_blobs([chain(single)], CLASSES) == {"7": "Here Ser, argues for class A"}
    assert sentences_of_blobs([chain(single)], CLASSES, evidence=False) == {"7": "Here Ser"}


def test_the_samples_chains_are_known_and_others_are_not() -> None:
    found = known_of_sample(ROOT / "data" / "sample", {"1BXO_A", "mine"})
    assert set(found) == {"1BXO_A"}
    protein = found["1BXO_A"]
    assert protein["name"] == "Pepsin-like"
    facts = dict(protein["facts"])
    assert facts["UniProt"] == "P00798"
    assert facts["CATH"] == "2.40.70.10"
    assert [title for title, _ in protein["links"]] == ["RCSB PDB", "PDBe-KB", "UniProt", "AlphaFold DB"]
    assert all(address.startswith("https://") for _, address in protein["links"])
    assert known_of_sample(Path("nowhere"), {"1BXO_A"}) == {}


def test_only_accessions_become_addresses() -> None:
    assert links(["../evil"], ['"><script>']) == []
    assert links(["1abc"], []) == [["RCSB PDB", "https://www.rcsb.org/structure/1ABC"]]


@pytest.mark.parametrize("model", [{}, {"base": None, "head": "full"}])
def test_a_model_without_a_test_has_no_card(model: dict[str, Any]) -> None:
    assert model_card(model) == []


def test_the_card_says_what_the_model_is_and_how_good() -> None:
    rows = dict(
        model_card(
            {
                "file": "m.ckpt",
                "task": "scop",
                "test": {"accuracy": interval(0.9)},
                "test_proteins": 297,
                "temperature": 0.581,
                "training": {"chains": {"train": 2976}, "length": {"shortest": 32, "longest": 512}},
            }
        )
    )
    assert rows["Trained on"] == "2,976 chains"
    assert rows["Temperature (calibrated)"] == "0.581"
    assert rows["Their lengths"] == "32 to 512 residues"
    assert rows["Test accuracy"] == "0.900 (0.890 to 0.910)"
    assert "Best baseline" not in rows and "Calibration error" not in rows


@pytest.mark.parametrize(
    ("score", "said"), [(0.9, "majority, 0.800"), (0.8, "majority, 0.800 - this model is no better")]
)
def test_the_card_says_where_a_baseline_is_as_good(score: float, said: str) -> None:
    model = {
        "test": {"accuracy": interval(score)},
        "baselines": {"majority": {"accuracy": interval(0.8)}, "kmers": {"accuracy": interval(0.7)}},
        "calibration": {"temperature": 0.5, "ece": 0.14, "ece_scaled": 0.03},
    }
    rows = dict(model_card(model))
    assert rows["Best baseline"] == said
    assert rows["Calibration error"] == "0.140 (0.030 with --calibrated)"
    assert dict(model_card(model | {"temperature": 0.5}))["Calibration error"] == "0.030"
