"""Stages that rerun after an edit of a room: dvc.yaml's dependencies against the imports."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from bioblobs.stages.__main__ import NAMES
from bioblobs.training.unfinished import code_files
from conftest import ROOT
from imports import PACKAGE, closure, stage_file

STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
MODEL = {"train_stage0", "init_codebook", "train_stage1", "evaluate", "interpret", "faithfulness"}
OF_DATA = {"prepare", "leakage"}
ALL = {*STAGES}
RERUNS: dict[str, set[str]] = {
    "sources": {"download", "prepare"},
    "structures": {"prepare"},
    "splits": {"prepare"},
    "similarity": {"prepare", "leakage"},
    "proteins": ALL - {"download", "summary"},
    "graphs": ALL - {"download", "summary"},  # readers of a store import the format of its neighbour lists
    "store": ALL - {"download", "summary"},
    "config": ALL,
    "ops": MODEL,
    "models": MODEL,
    "checkpoints": MODEL,
    "inference": MODEL | {"report"},
    "training": {"train_stage0", "init_codebook", "train_stage1"},
    "evaluation": {"train_stage0", "train_stage1", "evaluate", "summary"},
    "interpretation": {"interpret", "report"},
    "faithfulness": {"faithfulness", "report"},
    "report": {"report"},
    "prediction": set(),
    "search": set(),
    "commands": set(),
}
"""Room -> stages that rerun when one of its files changes; later stages only if an output changes, too."""
AFTER: dict[str, set[str]] = {
    "download": ALL - {"download"},
    "prepare": ALL - {"download", "prepare"},
    "leakage": {"evaluate", "report", "summary"},
    "train_stage0": (MODEL | {"report", "summary"}) - {"train_stage0"},
    "init_codebook": {"train_stage1", "evaluate", "interpret", "faithfulness", "report", "summary"},
    "train_stage1": {"evaluate", "interpret", "faithfulness", "report", "summary"},
    "evaluate": {"report", "summary"},
    "interpret": {"report", "summary"},
    "faithfulness": {"report", "summary"},
    "report": set(),
    "summary": set(),
}
"""Stage -> stages that rerun if its outputs change."""


def code_deps(stage: str) -> list[Path]:
    return [ROOT / name for name in STAGES[stage]["deps"] if name.startswith("src/")]


def covered(file: Path, deps: list[Path]) -> bool:
    return any(file == dep or dep in file.parents for dep in deps)


def outputs(stage: str) -> set[str]:
    found = [out for kind in ("outs", "metrics", "plots") for out in STAGES[stage].get(kind, [])]
    return {out if isinstance(out, str) else next(iter(out)) for out in found}


def later(stage: str) -> set[str]:
    """Stages that depend on an output of this one, directly or through others."""
    direct = {other for other in STAGES if outputs(stage) & {*STAGES[other]["deps"]}}
    return direct | {each for other in direct for each in later(other)}


@pytest.mark.parametrize("stage", STAGES)
def test_dependencies_are_the_imports(stage: str) -> None:
    """None is missing, and none is declared that the stage does not import."""
    deps, imported = code_deps(stage), closure(stage_file(stage))
    assert [str(file) for file in sorted(imported) if not covered(file, deps)] == []
    version = PACKAGE / "__init__.py"  # its version is written into reports and cards
    unused = [str(dep) for dep in deps if dep != version and not any(covered(f, [dep]) for f in imported)]
    assert unused == []


@pytest.mark.parametrize("room", RERUNS)
def test_stages_that_an_edit_of_a_room_reruns(room: str) -> None:
    inside = {stage for stage in STAGES if any((PACKAGE / room) in (d, *d.parents) for d in code_deps(stage))}
    assert inside == RERUNS[room]


@pytest.mark.parametrize("stage", AFTER)
def test_stages_that_follow_a_changed_output(stage: str) -> None:
    assert later(stage) == AFTER[stage]


def test_every_room_is_in_the_table() -> None:
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert set(RERUNS) == rooms - {"stages"}


def test_a_new_plot_of_training_does_not_rerun_what_reads_its_model() -> None:
    for stage in ("evaluate", "interpret", "faithfulness", "report"):
        assert not [dep for dep in code_deps(stage) if (PACKAGE / "training") in (dep, *dep.parents)]


def test_the_entry_lists_every_stage() -> None:
    assert list(NAMES[: len(STAGES)]) == list(STAGES)
    for stage in STAGES:
        assert f"python -m bioblobs.stages {stage} " in STAGES[stage]["cmd"]
    assert all(stage_file(name).is_file() for name in NAMES)


def test_an_interrupted_training_knows_all_code_behind_it() -> None:
    """Imports, and the C++ that they compile; no more rooms than these."""
    files = set(code_files(PACKAGE))
    imported = closure(stage_file("train_stage0")) | closure(stage_file("train_stage1"))
    own = {file for file in imported if file.parent.name != "stages"}
    assert own - files == set()
    assert {file.name for file in files if file.suffix != ".py"} >= {
        "tiles.h",
        "grow_slots.cpp",
        "mean_message.cpp",
    }
    reached = {file.relative_to(PACKAGE).parts[0] for file in imported} | {"splits"}
    assert {file.relative_to(PACKAGE).parts[0] for file in files} <= reached
