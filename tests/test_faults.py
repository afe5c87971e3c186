"""A little of `make faults`: after each kind of fault, the same result or one line that says why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from robustness.faults import FINE, KINDS, Pipeline
from robustness.small_run import STAGES, copied, run


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return Pipeline(tmp_path_factory.mktemp("faults"), STAGES[:3])


@pytest.mark.parametrize("number", range(2 * len(KINDS)))
def test_a_fault_changes_no_result_in_silence(pipeline: Pipeline, number: int) -> None:
    found = pipeline.fault(number)
    assert found["outcome"] in FINE, found


def test_another_result_is_seen(pipeline: Pipeline, tmp_path: Path) -> None:
    folder = copied(pipeline.before["leakage"], tmp_path / "run")
    assert run("leakage", folder).status == 0
    assert pipeline._compared("leakage", folder) == "same result"
    metrics = folder / "metrics" / "leakage.json"
    metrics.write_text(metrics.read_text().replace("0.", "1.", 1))
    assert pipeline._compared("leakage", folder) == "another result: metrics/leakage.json"


def test_a_stage_bows_to_permissions(pipeline: Pipeline, tmp_path: Path) -> None:
    """As root, too, which otherwise writes where nobody may."""
    folder = copied(pipeline.before["leakage"], tmp_path / "run")
    (folder / "metrics").chmod(0o555)
    done = run("leakage", folder)
    (folder / "metrics").chmod(0o755)
    assert done.refused
    assert "metrics" in done.said
