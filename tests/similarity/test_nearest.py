"""The leakage report: what a model has seen of the test set is found, counted and named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bioblobs.config.schema import Config, DataConfig, LeakageConfig, Paths
from bioblobs.proteins.record import Protein, ProteinError
from bioblobs.similarity import held_out
from bioblobs.similarity.hits import Hits
from bioblobs.similarity.nearest import Nearest, histogram
from bioblobs.sources.preparation import prepare_store
from bioblobs.sources.sample import SampleSource
from bioblobs.stages import leakage
from conftest import ROOT

DATA = DataConfig(data_dir=str(ROOT / "data"), subset=60, max_length=80, edge_types="knn_6", split="random")


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Paths, str, str]:
    """A store whose first test chain is a copy of its first training chain, under another name."""
    paths = Paths(**{name: str(tmp_path / name) for name in ("prepared", "output", "metrics", "plots")})
    prepare_store(DATA, Path(paths.prepared))
    table = pd.read_csv(tmp_path / "prepared" / "proteins.csv")
    original, copy = (table.loc[table["split"] == name, "id"].iloc[0] for name in ("train", "test"))
    cells = next(item for item in SampleSource(DATA).items(range(6703)) if item[0] == original)
    read = SampleSource.read

    def with_a_copy(item: tuple[Any, ...]) -> list[Protein | ProteinError]:
        return read((copy, *cells[1:]) if item[0] == copy else item)

    monkeypatch.setattr(SampleSource, "read", staticmethod(with_a_copy))
    prepare_store(DATA, Path(paths.prepared))
    return paths, original, copy


def test_a_planted_copy_is_found_and_named(
    planted: tuple[Paths, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    paths, original, copy = planted
    leakage.run(Config(data=DATA), paths)
    report = json.loads((Path(paths.metrics) / "leakage.json").read_text())
    assert report["identity"]["test"]["exact_duplicates"] == 1
    assert report["identity"]["test"]["max"] == 1.0
    assert report["identity"]["test"]["share_from_0.9"] > 0
    assert report["tm_score"]["test"]["max"] == pytest.approx(1.0)
    table = pd.read_csv(Path(paths.output) / "leakage" / "nearest.csv")
    first = table.iloc[0]
    assert (first["id"], first["split"]) == (copy, "test")
    assert first["nearest_by_identity"] == first["nearest_by_tm_score"] == original
    assert (first["identity"], first["identity_coverage"]) == (1.0, 1.0)
    assert f"{copy} and {original}" in capsys.readouterr().out


def test_every_held_out_chain_is_listed_once(planted: tuple[Paths, str, str]) -> None:
    paths, *_ = planted
    leakage.run(Config(data=DATA, leakage=LeakageConfig(structure_hits=0)), paths)
    table = pd.read_csv(Path(paths.output) / "leakage" / "nearest.csv")
    chains = pd.read_csv(Path(paths.prepared) / "proteins.csv")
    assert sorted(table["id"]) == sorted(chains.loc[chains["split"] != "train", "id"])
    assert "tm_score" not in table
    assert "tm_score" not in json.loads((Path(paths.metrics) / "leakage.json").read_text())
    plot = pd.read_csv(Path(paths.plots) / "leakage.csv")
    assert plot.groupby("group")["share"].sum().round(4).eq(1).all()


def test_an_equal_sequence_counts_even_where_no_search_finds_it() -> None:
    """Short chains have no significant alignment; equal ones are equal."""
    nearest = Nearest.of(Hits.of([]), ["ACD", "GGG"], ["WWW", "ACD", "ACD"])
    assert list(nearest.target) == [1, -1]
    assert list(nearest.similarity) == [1.0, 0.0]
    summary = nearest.summary(np.array([0, 1]))
    assert (summary["without_match"], summary["max"], summary["share_from_0.9"]) == (1, 1.0, 0.5)
    assert nearest.summary(np.array([], int)) == {"proteins": 0}


def test_the_histogram_counts_each_chain_in_the_bin_that_starts_at_or_below_it() -> None:
    table = histogram(np.array([0.0, 0.049, 0.05, 0.3, 0.999, 1.0]), ["test"] * 5 + ["val"], ["test", "val"])
    shares = table.set_index(["group", "similarity"])["share"]
    assert shares["test", 0.0] == 0.4
    assert shares["test", 0.05] == shares["test", 0.3] == shares["test", 0.95] == 0.2
    assert shares["val", 1.0] == 1.0


def test_few_chains_are_aligned_one_with_all_whatever_is_installed() -> None:
    """So that the report does not depend on the machine; MMseqs2 is for what would take hours."""
    assert held_out.leakage_tool(10**11) == "opal"
    assert held_out.leakage_tool(10**14) == held_out.sequence_tool()
