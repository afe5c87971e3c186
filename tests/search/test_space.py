"""What the search may try is held against params.yaml before any trial."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioblobs.config.parsing import flat_values, parse
from bioblobs.errors import BioBlobsError
from bioblobs.search.space import Dimension, read_space
from conftest import ROOT


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_the_committed_space_is_valid() -> None:
    assert len(read_space(ROOT / "search.yaml")) >= 2


def test_the_committed_space_holds_the_default_run() -> None:
    """Or a search could not find what is known already."""
    params = flat_values(parse("", ["--config=params.yaml"])[0])
    for dimension in read_space(ROOT / "search.yaml"):
        value = params[dimension.key]
        if dimension.kind == "choice":
            assert str(value) in dimension.choices, dimension.key
        else:
            assert dimension.low <= value <= dimension.high, dimension.key


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("model.codebok_size: {kind: int, low: 1, high: 2}", "model.codebok_size: no such key"),
        ("model.drop_rate: {kind: float, low: 0.5, high: 0.1}", "model.drop_rate: expected low < high"),
        ("model.drop_rate: {kind: float, low: 0, high: 0.1, log: true}", "low above 0 for log"),
        ("model.drop_rate: {kind: float, low: a, high: 0.1}", "model.drop_rate: low: expected a number"),
        ("model.drop_rate: {kind: float, high: 0.1}", "model.drop_rate: low: expected a number"),
        ("model.drop_rate: {kind: float, low: 0, high: 0.1, step: 1}", "nothing else"),
        ("model.k_hop: {kind: int, low: 1.5, high: 3}", "whole numbers"),
        ("model.k_hop: {kind: normal, low: 1, high: 3}", "model.k_hop: kind"),
        ("model.pooling: {kind: choice, choices: []}", "model.pooling: kind choice"),
        ("model.pooling: max", "model.pooling: expected"),
        ("", "expected lines of"),
        ("a: [", "not YAML"),
        ("model.k_hop: {kind: int, low: 1, high: 3}", "both in"),
    ],
)
def test_a_bad_entry_is_refused_by_name(line: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text(line)
    with pytest.raises(BioBlobsError, match=message):
        read_space(tmp_path / "space.yaml", ["model.k_hop=2"])


@pytest.mark.parametrize(
    "line",
    [
        "model.drop_rate: {kind: float, low: 0.1, high: 1.5}",
        "model.k_hop: {kind: int, low: 0, high: 3}",
        "model.pooling: {kind: choice, choices: [max, mode]}",
    ],
)
def test_a_value_outside_the_schema_is_refused_by_name(
    line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "space.yaml").write_text(line)
    with pytest.raises(SystemExit):
        read_space(tmp_path / "space.yaml")
    message = capsys.readouterr().err
    assert line.partition(":")[0] in message
    assert message.count("\n") == 1


@given(low=st.integers(1, 50), width=st.integers(1, 50), seed=st.integers(0, 5), log=st.booleans())
def test_proposals_lie_within_the_ends(low: int, width: int, seed: int, log: bool) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    whole = Dimension("model.k_hop", "int", low, low + width, log)
    real = Dimension("model.tau_init", "float", low, low + width, log)
    trial = study.ask()
    assert low <= int(whole.suggest(trial)) <= low + width
    assert low <= float(real.suggest(trial)) <= low + width
    assert whole.extremes() == (str(low), str(low + width))


def test_choices_are_written_as_params_yaml_has_them(tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text(
        "model.seq_in: {kind: choice, choices: [true, false]}\n"
        "model.node_h_dim: {kind: choice, choices: [[32, 4], [64, 8]]}\n"
        "model.pooling: {kind: choice, choices: [max, mean]}\n"
    )
    found = [dimension.choices for dimension in read_space(tmp_path / "space.yaml")]
    assert found == [("true", "false"), ("[32, 4]", "[64, 8]"), ("max", "mean")]
