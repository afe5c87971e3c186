"""The published setting: its presets fit the schema, and docs/published_setting.md shows what they hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bioblobs.config.flags import as_flags
from bioblobs.config.parsing import parse
from bioblobs.config.schema import Config
from conftest import ROOT

PRESETS = sorted((ROOT / "params" / "published").glob("*.yaml"))
PAGE = (ROOT / "docs" / "published_setting.md").read_text()
TASKS = {"enzymecommission", "geneontology", "proteinfamily", "scop"}


def read(path: Path, *words: str) -> Config:
    return parse("test", as_flags(["--config", str(path), *words]))[0]


def test_there_is_a_preset_per_task() -> None:
    assert {path.stem for path in PRESETS} == TASKS


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
@pytest.mark.parametrize("split", ["random", "sequence", "structure"])
def test_a_preset_fits_the_schema_with_every_split(path: Path, split: str) -> None:
    config = read(path, f"data.split={split}")
    assert (config.data.source, config.data.dataset_name, config.data.split) == (
        "proteinshake",
        path.stem,
        split,
    )
    assert config.data.max_length is None and config.data.subset is None
    assert config.model.head == "full" and config.model.blob_view == "context"
    assert config.train.max_residues >= config.train.batch_size * 300


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_the_page_tells_each_preset_s_size(path: Path) -> None:
    config = read(path)
    (row,) = re.findall(rf"^\| `{path.stem}` \| (\d+) \| (\d+) \| (\d+) \| (\d+) \+ (\d+) \|", PAGE, re.M)
    stages = config.multistage
    assert [int(each) for each in row] == [
        config.train.batch_size,
        config.model.num_layers,
        config.model.max_clusters,
        stages.stage0.epochs,
        stages.stage1.epochs,
    ]


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_the_page_s_residues_follow_from_its_counts(path: Path) -> None:
    """Training residues = chains x 0.8 x 300 x epochs, in millions."""
    pattern = rf"^\| `{path.stem}` \| ([\d,]+) \| ([\d.]+) \| (\d+) \| (\d+) \| ([\d.]+) h \| ([\d.]+) h \|"
    (row,) = re.findall(pattern, PAGE, re.M)
    chains, epoch, epochs, total, two_cores, assumed = (float(each.replace(",", "")) for each in row)
    stages = read(path).multistage
    assert epochs == stages.stage0.epochs + stages.stage1.epochs
    assert epoch == pytest.approx(chains * 0.8 * 300 / 1e6, abs=0.006)
    assert total == pytest.approx(chains * 0.8 * 300 * epochs / 1e6, abs=0.6)
    assert two_cores == pytest.approx(total * 1e6 / 8690 / 3600, abs=0.06)
    assert assumed == pytest.approx(total * 1e6 / 1e5 / 3600, abs=0.06)
