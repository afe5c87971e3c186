"""The page of catalytic sites says what metrics/sites.json holds, and a control that wins is named."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from test_site_seeds import interval, measurement

from bioblobs.faithfulness.site_seeds import over_seeds
from conftest import ROOT
from runs import ok, run


def metrics() -> dict[str, object]:
    """Two seeds: patches are beaten in both, depth in neither."""
    models = [measurement("random", seed, area) for seed, area in ((0, 0.7), (1, 0.6))]
    for model in models:
        for chains in ("val", "test"):
            for part in filter(None, model[chains].values()):
                part["auc"]["depth"] = interval(0.8)
                part["auc_gain"]["depth"] = interval(-0.15)
                part["odds_ratio"] = dict.fromkeys(part["auc"], 1.5)
                share = {name: interval(0.4) for name in part["auc"]}
                part["top_blobs"] = {"1": {"residues": interval(0.12), "sites": share, "sites_gain": {}}}
    return over_seeds(models)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("docs/sites.md", "tools/update_sites_page.py", "tools/marked.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text())
    (tmp_path / "metrics").mkdir()
    return tmp_path


def updated(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "tools/update_sites_page.py", *words]
    return run(command, checkout, PYTHONPATH=str(ROOT / "src"))


def update(checkout: Path, *words: str) -> str:
    return ok(
        run([sys.executable, "tools/update_sites_page.py", *words], checkout, PYTHONPATH=str(ROOT / "src"))
    )


def test_tables_are_made_and_checked(checkout: Path) -> None:
    (checkout / "metrics" / "sites.json").write_text(json.dumps(metrics()))
    update(checkout)
    page = (checkout / "docs" / "sites.md").read_text()
    assert "### `enzymecommission`, split random (seeds 0, 1)" in page
    assert "In every seed contribution is above random patches; it is not above depth." in page
    assert "| contribution | 0.650 (0.600 to 0.700) |  | 40% | 1.50 |" in page
    assert "| random patches | 0.500 (0.500 to 0.500) | +0.150 (+0.050 to +0.250) | 40% | 1.50 |" in page
    assert "best 1 (12% of the residues)" in page
    assert page.count("**Test chains, ") == 2 and page.count("**Validation chains, ") == 1
    assert "30 chains, 120 residues; class predicted right in 65%" in page
    assert "## What is measured" in page and "Not measured yet" not in page
    update(checkout, "--check")
    (checkout / "docs" / "sites.md").write_text(page.replace("+0.150", "+0.350"))
    assert updated(checkout, "--check").returncode


def test_without_metrics_it_says_what_to_do(checkout: Path) -> None:
    made = updated(checkout)
    assert made.returncode and "bioblobs.stages sites join" in made.stderr


def test_the_page_shows_what_metrics_hold() -> None:
    """Once measured; until then it says so."""
    if (ROOT / "metrics" / "sites.json").is_file():
        ok(run([sys.executable, "tools/update_sites_page.py", "--check"], ROOT, PYTHONPATH="src"))
    else:
        assert "Not measured yet" in (ROOT / "docs" / "sites.md").read_text()
